import type { LogChange } from 'nest-offline-sync-protocol';
import { check, present } from '../check';
import type { Cast } from './cast';

export async function showConflicts(cast: Cast): Promise<void> {
  const { stage, alice, bob, taskId, itemId } = cast;
  await stage.chapter('Conflict: two people edit the same documents without knowing of each other');
  const known = await bob.pullAll();
  alice.cursor = bob.cursor;
  const task = entryOf(known, taskId);
  const item = entryOf(known, itemId);

  await stage.does('alice', 'ticks the task off, and sells 2 of 10');
  await alice.write(upsert(task, { done: true }));
  await alice.write(upsert(item, { quantity: 8 }));
  await stage.does('bob', 'renames the task, and sells 3 of 10');
  const results = await bob.push(
    upsert(task, { title: 'Acquire inventory for May' }),
    upsert(item, { quantity: 7 }),
  );
  check(
    results.every(({ status }) => status === 'conflict_resolved'),
    'both conflicts are resolved',
  );

  const after = await alice.pullAll();
  const merged = entryOf(after, taskId).data;
  check(
    merged?.['done'] === true && merged['title'] === 'Acquire inventory for May',
    'both edits of the task are kept',
  );
  await stage.works('tasks merge field by field: both edits are kept', {
    title: merged['title'],
    done: merged['done'],
  });
  const left = entryOf(after, itemId).data?.['quantity'];
  check(left === 5, 'both sales are counted: 5 are left');
  await stage.works('Stock has the app’s own resolver, which adds up what each of them sold', {
    quantity: left,
  });
}

/** The document as Bob knew it, with something changed. */
function upsert(known: LogChange, edit: object) {
  const { collection, doc_id, data, version } = known;
  return {
    collection,
    operation: 'upsert' as const,
    doc_id,
    data: { ...data, ...edit },
    parent_version: version,
  };
}

function entryOf(entries: readonly LogChange[], docId: string): LogChange {
  return present(
    entries.findLast(({ doc_id }) => doc_id === docId),
    `the log has an entry of ${docId}`,
  );
}
