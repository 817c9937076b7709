import { check } from '../check';
import type { Cast } from './cast';

export async function showPull({ stage, alice, bob, mallory, business, taskId }: Cast): Promise<void> {
  await stage.chapter('Pull: everything since a cursor, in order, without a gap');
  const note = { collection: 'notes', doc_id: 'settings' };
  const parent_version = await alice.write({ ...note, operation: 'upsert', data: { opens: '07:30' } });
  await alice.write({ ...note, operation: 'delete', parent_version });

  await stage.does('bob', 'starts from nothing and takes three changes at a time');
  bob.cursor = undefined;
  const seen: number[] = [];
  for (let more = true; more;) {
    const page = await bob.pull(3);
    seen.push(...page.changes.map(({ seq }) => seq));
    await stage.works(
      `A page, has_more: ${String(page.has_more)}`,
      page.changes.map(({ seq, operation, collection }) => `${String(seq)} ${operation} ${collection}`),
    );
    more = page.has_more;
  }
  check(
    seen.every((seq, index) => seq === index + 1),
    'the entries are 1, 2, 3 … without a gap',
  );

  await stage.does('mallory', `of another business pulls, and pushes to the task of ${business}`);
  const theirs = await mallory.pullAll();
  const [attempt] = await mallory.push({
    collection: 'tasks',
    operation: 'upsert',
    doc_id: taskId,
    data: { title: 'Mine now' },
  });
  check(theirs.length === 0, 'another business sees nothing');
  check(
    attempt?.status === 'rejected' && attempt.code === 'id_unavailable',
    'another business cannot write either',
  );
  await stage.works('Mallory sees nothing and changes nothing', { code: attempt.code });
}
