import type { JsonObject } from 'nest-offline-sync-protocol';
import { ClientDevice } from '../../../test/support/fleet-client.ts';
import { FleetServer, type FleetCollection } from '../../../test/support/fleet-server.ts';
import {
  collection,
  createSyncClient,
  inc,
  memory,
  StorageOutdatedError,
  type Definitions,
} from './index.ts';
import { FakeServer, VirtualTime } from './testing/index.ts';

/** An app's documents get another shape while a device has edits that the server has not seen. */

interface Old {
  title?: string;
  n?: number;
  bad?: boolean;
}
interface New {
  name?: string;
  count?: number;
  unit?: string;
}
type Doc = JsonObject;

const raise = ({ title, n, ...doc }: Doc): Doc => ({
  ...(title === undefined ? {} : { name: title }),
  ...(n === undefined ? {} : { count: n }),
  unit: 'pc',
  ...doc,
});
const old = { items: collection<Old>(), orders: collection<Old>() };
const migrate = { 2: raise };
const fresh = {
  items: collection<New>({ version: 2, migrate }),
  orders: collection<New>({ version: 2, migrate }),
};
const SECOND = 1_000;
const START = Date.UTC(2026, 4, 2);

function world(refuses?: FleetCollection['refuses']) {
  const time = new VirtualTime(START);
  const rules = { strategy: 'merge', deleteUpdatePolicy: 'resurrect_on_update' } as const;
  const one: FleetCollection = { rules, ...(refuses ? { refuses } : {}) };
  const server = new FleetServer(
    START,
    new Map([
      ['items', one],
      ['orders', one],
    ]),
  );
  const device = async <C extends Definitions>(name: string, collections: C, storage = memory()) => {
    const made = new ClientDevice(name, server, time, collections, { storage });
    await made.client.open();
    await time.pass(5 * SECOND);
    return made;
  };
  return { time, server, device };
}
const rows = (list: readonly { _id: unknown }[]) =>
  Object.fromEntries(list.map(({ _id, ...data }) => [_id, data]));

it('raises unsent edits in one go: a chain, a transaction, a count; the base as it is read', async () => {
  const { time, server, device } = world();
  const storage = memory();
  server.write('items', 'i', { title: 'one', n: 1 });
  server.write('items', 'j', { title: 'two', n: 5 });
  const before = await device('a', old, storage);
  await before.client.pause(); // nothing is sent, nor about to be
  await before.client.db.items.patch('i', { title: 'mine' });
  await before.client.db.items.patch('i', { n: inc(1) });
  await before.client.transaction(async (tx) => {
    await tx.items.create({ _id: 'k', title: 'three' });
    await tx.orders.create({ _id: 'o', title: 'an order' });
  });
  before.kill();
  server.write('items', 'i', { title: 'one', n: 10 });

  const after = await device('a2', fresh, storage);
  const shown = {
    i: { name: 'mine', count: 11, unit: 'pc' },
    j: { name: 'two', count: 5, unit: 'pc' },
    k: { name: 'three', unit: 'pc' },
  };
  await time.pass(60 * SECOND);
  expect(after.client.status.current).toMatchObject({ pending: 0, rejected: 0 });
  expect(rows(await after.client.db.items.find())).toEqual(shown);
  const sent = server.bodies.flatMap((body) => (body as { changes: JsonObject[] }).changes);
  expect(
    sent.filter((each) => each['operation'] === 'patch').map(({ data, inc: by }) => ({ data, by })),
  ).toEqual([
    { data: { name: 'mine' }, by: undefined },
    // The server's document has the count under its old name, and the other device's 9 with it.
    { data: undefined, by: { n: 1 } },
  ]);
  expect(server.documents().get('orders/o')).toEqual({ name: 'an order', unit: 'pc' });
});

it('sends what was sent in the same words, and raises what is shown of it', async () => {
  const { time, server, device } = world();
  const storage = memory();
  server.write('items', 'i', { title: 'one', n: 1 });
  const before = await device('a', old, storage);
  before.losesAnswers = 9;
  await before.client.db.items.patch('i', { title: 'mine' });
  await time.pass(SECOND);
  await before.client.db.items.patch('i', { title: 'mine too' });
  before.kill();
  const after = new ClientDevice('a2', server, time, fresh, { storage });
  after.setOnline(false);
  await after.client.open();
  expect(await after.client.db.items.get('i')).toEqual({ _id: 'i', name: 'mine too', count: 1, unit: 'pc' });
  const [kept, later] = (await after.client.export()).outbox;
  expect(kept).toMatchObject({
    state: 'sent',
    after: { name: 'mine' },
    sent: { change: { data: { title: 'mine' } } },
  });
  expect(later).toMatchObject({ state: 'waiting', change: { patch: { set: { name: 'mine too' } } } });
  after.setOnline(true);
  await time.pass(90 * SECOND);
  const sent = server.bodies.flatMap((body) => (body as { changes: JsonObject[] }).changes);
  expect(sent.map(({ mutation_id: id, data }) => [id === kept!.id, data])).toEqual([
    ...Array.from({ length: sent.length - 1 }, () => [true, { title: 'mine' }]),
    [false, { name: 'mine too' }],
  ]);
  expect(sent.length).toBeGreaterThan(2);
  expect(server.documents().get('items/i')).toMatchObject({ name: 'mine too' });
});

it('counts on from what is shown, although the server has the count under its old name', async () => {
  const { time, server, device } = world();
  server.write('items', 'i', { title: 'one', n: 10 });
  const one = await device('a', fresh);
  await one.client.db.items.patch('i', { count: inc(1) });
  await time.pass(60 * SECOND);
  await one.client.db.items.patch('i', { count: inc(1) });
  await time.pass(60 * SECOND);
  expect(await one.client.db.items.get('i')).toMatchObject({ count: 12 });
  const sent = server.bodies.flatMap((body) => (body as { changes: JsonObject[] }).changes);
  expect(sent.map(({ data, inc: by }) => data ?? by)).toEqual([{ count: 11 }, { count: 1 }]);
});

it('puts an edit that a step fails at into the quarantine, with all that stands on it, and nothing else', async () => {
  const { time, server, device } = world();
  const storage = memory();
  server.write('items', 'i', { title: 'one' });
  server.write('items', 'j', { title: 'two' });
  const before = await device('a', old, storage);
  await before.client.pause();
  await before.client.transaction(async (tx) => {
    await tx.items.patch('i', { title: 'poison' });
    await tx.orders.create({ _id: 'o', title: 'an order' });
  });
  await before.client.db.orders.patch('o', { n: 2 });
  await before.client.db.items.patch('j', { title: 'fine' });
  before.kill();
  const picky = (doc: Doc): Doc => {
    if (doc['title'] === 'poison') throw new Error('no such title');
    return raise(doc);
  };
  const after = await device(
    'a2',
    { ...fresh, items: collection<New>({ version: 2, migrate: { 2: picky } }) },
    storage,
  );
  await time.pass(30 * SECOND);
  const [entry, ...others] = await after.client.rejected.list();
  expect(others).toEqual([]);
  expect(entry).toMatchObject({
    code: 'migration_failed',
    message: expect.stringContaining('no such title') as string,
    transaction: true,
  });
  expect(entry!.changes.map(({ collection: name, id, mine }) => [name, id, mine])).toEqual([
    ['items', 'i', { title: 'poison' }],
    ['orders', 'o', { name: 'an order', unit: 'pc' }],
    ['orders', 'o', { name: 'an order', count: 2, unit: 'pc' }],
  ]);
  expect(rows(await after.client.db.items.find())).toEqual({
    i: { name: 'one', unit: 'pc' },
    j: { name: 'fine', unit: 'pc' },
  });
  expect(after.client.status.current).toMatchObject({ pending: 0, rejected: 1 });
  expect(server.documents().get('items/i')).toEqual({ title: 'one' });
});

it('raises what is in the quarantine: a retry makes the edit in the new shape', async () => {
  const { time, server, device } = world((data) => (data['title'] === 'bad' ? 'no' : undefined));
  const storage = memory();
  server.write('items', 'i', { title: 'one', n: 1 });
  const before = await device('a', old, storage);
  await before.client.db.items.patch('i', { title: 'bad' });
  await time.pass(5 * SECOND);
  expect(before.client.status.current).toMatchObject({ rejected: 1 });
  before.kill();
  const after = await device('a2', fresh, storage);
  const [entry] = await after.client.rejected.list();
  expect(entry!.changes).toMatchObject([
    {
      mine: { name: 'bad', count: 1, unit: 'pc' },
      base: { name: 'one' },
      theirs: { name: 'one', count: 1 },
      change: { patch: { set: { name: 'bad' } } },
    },
  ]);
  await after.client.rejected.retry(entry!.id);
  await time.pass(5 * SECOND);
  expect(after.client.status.current).toMatchObject({ rejected: 0, pending: 0 });
  expect(server.documents().get('items/i')).toMatchObject({ title: 'one', name: 'bad' });
});

it('keeps an older version of the app away from what a newer one has migrated, also in a tab that is open', async () => {
  const { time, server, device } = world();
  const storage = memory();
  server.write('items', 'i', { title: 'one' });
  const tab = await device('tab', old, storage);
  const ended: unknown[] = [];
  tab.client.on('ended', (error) => ended.push(error));
  tab.setOnline(false);
  await tab.client.db.items.patch('i', { title: 'mine' });
  const newer = new ClientDevice('newer', server, time, fresh, { storage });
  newer.setOnline(false);
  await newer.client.open();
  const kept = await newer.client.export();
  await expect(tab.client.db.items.patch('i', { title: 'again' })).rejects.toThrow(StorageOutdatedError);
  tab.setOnline(true);
  await time.pass(120 * SECOND);
  expect(ended).toEqual([expect.any(StorageOutdatedError)]);
  const again = new ClientDevice('again', server, time, old, { storage });
  await expect(again.client.open()).rejects.toMatchObject({ code: 'storage_outdated' });
  expect(await newer.client.export()).toEqual(kept);
  newer.setOnline(true);
  await time.pass(120 * SECOND);
  expect(server.documents().get('items/i')).toMatchObject({ title: 'mine' });
});

it.each(['fleet', 'fake'])(
  'lets two versions of an app edit side by side: what one does not know survives (%s server)',
  async (kind) => {
    const time = new VirtualTime(START);
    const rules = { strategy: 'merge', deleteUpdatePolicy: 'resurrect_on_update' } as const;
    const fleet = new FleetServer(
      START,
      new Map([
        ['items', { rules }],
        ['orders', { rules }],
      ]),
    );
    const fake = new FakeServer({ collections: ['items', 'orders'], now: () => time.now });
    const environment = {
      now: () => time.now,
      timer: (ms: number, call: () => void) => time.timer(ms, call),
      fetch: fake.fetch,
      socket: fake.socket,
    };
    const auth = { token: () => fake.token('ann') };
    const made = <C extends Definitions>(name: string, collections: C) =>
      kind === 'fake'
        ? createSyncClient({ url: 'http://server/sync', storage: memory(), auth, collections, environment })
        : new ClientDevice(name, fleet, time, collections).client;
    // The new one has only added fields: what the old one calls it stays.
    const grown = {
      items: collection<Old & { unit?: string }>({
        version: 2,
        migrate: { 2: (doc) => ({ ...doc, unit: doc['unit'] ?? 'pc' }) },
      }),
      orders: collection<Old>(),
    };
    const [a, b] = [made('a', old), made('b', grown)];
    await Promise.all([a.open(), b.open()]);
    await time.pass(5 * SECOND);
    await b.db.items.create({ _id: 'i', title: 'one', unit: 'kg', n: 1 });
    await time.pass(60 * SECOND);
    // By a patch, by a whole document that was read, by a count; by turns.
    await a.db.items.patch('i', { title: 'two' });
    await time.pass(60 * SECOND);
    const { _id, ...seen } = (await a.db.items.get('i'))!;
    await a.db.items.upsert('i', { ...seen, n: 7 });
    await a.db.items.create({ _id: 'j', title: 'of the old one' });
    await time.pass(60 * SECOND);
    await b.db.items.patch('i', { n: inc(1) });
    await b.db.items.patch('j', { title: 'of both' });
    await time.pass(120 * SECOND);
    expect(rows(await b.db.items.find())).toEqual({
      i: { title: 'two', unit: 'kg', n: 8 },
      j: { title: 'of both', unit: 'pc' },
    });
    expect(await a.db.items.get('i')).toMatchObject({ title: 'two', unit: 'kg', n: 8 });
    await Promise.all([a.close(), b.close()]);
  },
);
