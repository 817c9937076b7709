import type { SentChange } from 'nest-offline-sync-protocol';
import { check } from '../check';
import type { Cast } from './cast';

export async function showPush({ stage, alice, taskId, itemId }: Cast): Promise<void> {
  await stage.chapter('Push: what was done offline goes out in one request');
  const changes: SentChange[] = [
    {
      collection: 'tasks',
      operation: 'upsert',
      doc_id: taskId,
      data: { title: 'Acquire inventory', done: false },
      mutation_id: 'm-1',
    },
    {
      collection: 'inventory_items',
      operation: 'upsert',
      doc_id: itemId,
      data: { name: 'Espresso beans', price: '18.50', quantity: 10 },
      mutation_id: 'm-2',
    },
  ];
  await stage.does('alice', 'comes online and pushes a task and an item, both or neither');
  const first = await alice.push(...changes);
  check(
    first.every(({ status }) => status === 'accepted'),
    'both changes are accepted',
  );
  await stage.works(
    'Each got a version, in the order of the log',
    first.map(({ new_version }) => new_version),
  );

  await stage.does('alice', 'never got that answer (a tunnel), so she pushes the same again');
  const again = await alice.push(...changes);
  check(
    again.every(
      ({ new_version, replayed }, index) => replayed === true && new_version === first[index]?.new_version,
    ),
    'a retried mutation gets its first answer again',
  );
  await stage.works('Nothing happened twice: each mutation_id gets its first answer again');
}
