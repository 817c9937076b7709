import { ClientDevice } from '../../../test/support/fleet-client.ts';
import { FleetServer } from '../../../test/support/fleet-server.ts';
import { collection, type DocumentSync } from './index.ts';
import { settle, VirtualTime } from './testing/virtual-time.ts';

it('tells how one document stands, as it changes', async () => {
  const start = Date.UTC(2026, 4, 2);
  const time = new VirtualTime(start);
  const rules = { strategy: 'merge', deleteUpdatePolicy: 'resurrect_on_update' } as const;
  const refuses = (data: object): string | undefined => ('bad' in data ? 'no' : undefined);
  const server = new FleetServer(start, new Map([['items', { rules, refuses }]]));
  const device = new ClientDevice('a', server, time, {
    items: collection<{ n?: number; bad?: boolean }>(),
  });
  const { client } = device;
  const state = client.db.items.sync('i');
  const told: DocumentSync[] = [];
  const end = state.subscribe((now) => told.push(now));
  await client.open();
  await time.pass(5_000);
  device.blocked.add('push');
  await client.db.items.create({ _id: 'i', n: 1 });
  await client.db.items.create({ _id: 'other', n: 1 });
  await settle();
  expect(state.current).toEqual({ pending: 1, rejected: 0, version: null });
  device.blocked.clear();
  await time.pass(70_000);
  const version = expect.any(String) as string;
  expect(state.current).toEqual({ pending: 0, rejected: 0, version });
  await client.db.items.patch('i', { bad: true });
  await time.pass(5_000);
  expect(state.current).toEqual({ pending: 0, rejected: 1, version });
  await client.rejected.discard((await client.rejected.list())[0]!.id);
  await settle();
  expect(told.map(({ pending, rejected }) => [pending, rejected])).toEqual([
    [1, 0],
    [0, 0],
    [1, 0],
    [0, 1],
    [0, 0],
  ]);
  await client.close();
  expect(state.current).toEqual({ pending: 0, rejected: 0, version: null });
  end();
});
