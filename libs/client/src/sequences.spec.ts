import type { JsonObject } from 'nest-offline-sync-protocol';
import { ClientDevice, type DeviceOptions } from '../../../test/support/fleet-client.ts';
import { FleetServer, type FleetCollection } from '../../../test/support/fleet-server.ts';
import { collection, inc } from './index.ts';
import { VirtualTime } from './testing/index.ts';

/** The sequences of edits, cuts and answers in which an earlier client lost or doubled edits: docs/client-architecture.md. */

interface Item {
  n?: number;
  title?: string;
}

const START = Date.UTC(2026, 4, 2);
const SECOND = 1_000;

const sums: FleetCollection = {
  rules: { strategy: 'custom', deleteUpdatePolicy: 'resurrect_on_update' },
  resolve: (current, incoming, base) => ({
    ...current,
    ...incoming,
    n: number(current) + number(incoming) - number(base),
  }),
};
const number = (data: JsonObject | null): number => Number(data?.['n'] ?? 0);
const by = (strategy: 'last-writer-wins' | 'reject-stale' | 'merge' | 'client-wins'): FleetCollection => ({
  rules: { strategy, deleteUpdatePolicy: 'resurrect_on_update' },
});

function world(items: FleetCollection) {
  const time = new VirtualTime(START);
  const server = new FleetServer(
    START,
    new Map([
      ['items', items],
      ['orders', by('last-writer-wins')],
    ]),
  );
  const made: ClientDevice<typeof collections>[] = [];
  const device = async (name: string, options = {}) => {
    const one = new ClientDevice(name, server, time, collections, options);
    made.push(one);
    await one.client.open();
    await time.pass(5 * SECOND);
    return one;
  };
  return { time, server, device };
}

const collections = { items: collection<Item>(), orders: collection<{ item?: string; bad?: boolean }>() };

/** Two devices that both have the document `i` with n = 10. */
async function pair(items: FleetCollection, options: DeviceOptions = {}) {
  const { time, server, device } = world(items);
  server.write('items', 'i', { n: 10, title: 'first' });
  const [a, b] = [await device('a', options), await device('b', options)];
  /** What the user of `a` was shown, each time it changed. */
  const seen: (number | undefined)[] = [];
  a.client.db.items.live().subscribe(({ rows }) => {
    const n = rows.find((row) => row._id === 'i')?.n;
    if (seen.at(-1) !== n) seen.push(n);
  });
  /** By a whole document, as an app does it that knows no patches. */
  const adds = async (one: typeof a, more: number) => {
    const { _id, ...now } = (await one.client.db.items.get('i'))!;
    return one.client.db.items.upsert('i', { ...now, n: (now.n ?? 0) + more });
  };
  /** Everything is read and, if it gets through, sent. */
  const meanwhile = async () => time.pass(80 * SECOND);
  const rest = async () => {
    for (const one of [a, b]) {
      one.blocked.clear();
      one.setOnline(true);
    }
    for (let round = 0; round < 3; round++) await meanwhile();
    for (const one of [a, b]) expect(one.client.status.current).toMatchObject({ pending: 0 });
    const [ofA, ofB] = [await one(a), await one(b)];
    expect(ofA).toEqual(ofB);
    expect(ofA).toEqual(server.documents().get('items/i'));
    return ofA;
  };
  const one = async (from: typeof a) => {
    const row = await from.client.db.items.get('i');
    if (!row) return undefined;
    const { _id, ...data } = row;
    return data;
  };
  await time.pass(SECOND);
  return { time, server, a, b, adds, meanwhile, rest, seen };
}

describe('R1, the pinned chain', () => {
  it('adds to what the user saw, not to what came meanwhile', async () => {
    const { a, b, adds, meanwhile, rest } = await pair(sums);
    a.blocked.add('push');
    await adds(a, 1);
    await adds(b, 100);
    await meanwhile();
    await adds(a, 1);
    expect(await a.client.db.items.get('i')).toMatchObject({ n: 12 });
    expect(await rest()).toMatchObject({ n: 112 });
  });

  it('lets another field of a coalesced edit change nothing in that', async () => {
    const { a, b, adds, meanwhile, rest } = await pair(sums);
    a.blocked.add('push');
    await a.client.db.items.upsert('i', { n: 10, title: 'mine' });
    await adds(b, 100);
    await meanwhile();
    await adds(a, 1);
    expect(await rest()).toMatchObject({ n: 111, title: 'mine' });
  });

  it('subtracts once, though the answer was lost', async () => {
    const { a, adds, meanwhile, rest, seen, time } = await pair(sums);
    a.losesAnswers = 1;
    await adds(a, -1);
    await time.pass(100);
    await meanwhile();
    await adds(a, -1);
    await meanwhile();
    expect(await rest()).toMatchObject({ n: 8 });
    expect(seen).toEqual([10, 9, 8]);
  });

  it.each(['reject-stale', 'last-writer-wins', 'merge'] as const)(
    'tells of a conflict that a lost answer has hidden: %s',
    async (strategy) => {
      const { a, b, adds, meanwhile, rest } = await pair(by(strategy));
      const conflicts: unknown[] = [];
      a.client.on('conflict', (conflict) => conflicts.push(conflict));
      a.losesAnswers = 100;
      await adds(a, -1);
      await meanwhile();
      await adds(b, -2);
      await meanwhile();
      await adds(a, -1);
      a.losesAnswers = 0;
      await rest();
      expect(conflicts.length + a.client.status.current.rejected).toBe(1);
    },
  );
});

describe('R4 and R5, one refusal', () => {
  it('takes the later edit of the document along, though the first one was frozen', async () => {
    const { a, b, meanwhile, rest } = await pair(by('reject-stale'));
    a.blocked.add('push');
    await a.client.db.items.patch('i', { title: 'mine' });
    await meanwhile();
    await b.client.db.items.patch('i', { title: 'theirs' });
    await meanwhile();
    await a.client.db.items.patch('i', { n: 11 });
    expect(await rest()).toEqual({ n: 10, title: 'theirs' });
    const [entry, ...others] = await a.client.rejected.list();
    expect(others).toEqual([]);
    expect(entry).toMatchObject({
      code: 'conflict_stale',
      changes: [
        {
          mine: { title: 'mine', n: 10 },
          base: { title: 'first', n: 10 },
          theirs: { title: 'theirs', n: 10 },
        },
        { mine: { title: 'mine', n: 11 } },
      ],
    });
  });

  const strict: FleetCollection = {
    ...by('last-writer-wins'),
    refuses: (data) => (data['title'] === 'bad' ? 'no such title' : undefined),
  };

  it('takes what stands on a transaction that was refused along with it', async () => {
    const { a, meanwhile, rest } = await pair(strict);
    a.setOnline(false);
    await a.client.transaction(async ({ items, orders }) => {
      await items.patch('i', { n: inc(-1) });
      await orders.create({ _id: 'o', item: 'i' });
      await items.create({ _id: 'j', title: 'bad' });
    });
    await a.client.db.items.patch('i', { title: 'label' });
    a.setOnline(true);
    await meanwhile();
    expect(await rest()).toEqual({ n: 10, title: 'first' });
    expect(await a.client.db.orders.find()).toEqual([]);
    const [entry] = await a.client.rejected.list();
    expect(entry?.changes.map((each) => [each.id, each.code])).toEqual([
      ['i', null],
      ['o', null],
      ['j', 'validation_failed'],
      ['i', null],
    ]);
  });

  it('leaves no field of a refused edit in the document by way of the next one', async () => {
    const { a, rest } = await pair(strict);
    a.blocked.add('push');
    await a.client.db.items.upsert('i', { n: 10, title: 'bad' });
    await a.client.db.items.patch('i', { n: inc(1) });
    expect(await rest()).toEqual({ n: 10, title: 'first' });
    expect((await a.client.rejected.list()).map((each) => each.changes.length)).toEqual([2]);
  });

  it('makes two entries of two hundred edits: one for what is frozen, one for the rest', async () => {
    const { a, adds, meanwhile, rest, server } = await pair(sums);
    a.setOnline(false);
    for (let edit = 0; edit < 100; edit++) await adds(a, 1);
    await meanwhile();
    for (let edit = 0; edit < 100; edit++) await adds(a, 1);
    const before = server.entries;
    expect(await rest()).toMatchObject({ n: 210 });
    expect(server.entries - before).toBe(2);
  });
});

describe('R6, the clock', () => {
  it('lets the later edit win, though the earlier one is pushed later', async () => {
    const { a, b, meanwhile, rest } = await pair(by('last-writer-wins'));
    a.setOnline(false);
    // While this one is not answered, nothing else gets its stamp.
    await a.client.db.orders.create({ item: 'i' });
    await meanwhile();
    await a.client.db.items.upsert('i', { n: 1, title: 'earlier' });
    await meanwhile();
    await b.client.db.items.upsert('i', { n: 2, title: 'later' });
    await meanwhile();
    expect(await rest()).toEqual({ n: 2, title: 'later' });
  });

  it.each([180, -180])('takes the edit of a device whose clock is %d seconds off', async (seconds) => {
    const { time, server, device } = world(by('last-writer-wins'));
    const off = await device('off', { skewMs: seconds * SECOND });
    await off.client.db.items.create({ _id: 'i', n: 1 });
    await time.pass(80 * SECOND);
    expect(server.documents().get('items/i')).toEqual({ n: 1 });
    expect(off.client.status.current).toMatchObject({ pending: 0, rejected: 0 });
  });
});

describe('R7, a restored database', () => {
  it('shows what the user did, steadily, while everything is loaded again', async () => {
    const { a, b, adds, meanwhile, rest, seen, server, time } = await pair(sums, { latencyMs: 400 });
    for (let order = 0; order < 9; order++) await b.client.db.orders.create({ item: 'i' });
    await meanwhile();
    server.checkpoint();
    await b.client.db.orders.create({ item: 'lost' });
    await meanwhile();
    server.restore();
    server.pageLimit = 2;
    a.blocked.add('push');
    await adds(a, -1);
    while (a.client.status.current.phase !== 'loading') await time.pass(100);
    a.blocked.clear();
    await time.pass(1_000);
    expect(a.client.status.current).toMatchObject({ phase: 'loading' });
    expect((await a.client.db.orders.find()).length).toBeGreaterThanOrEqual(9);
    await meanwhile();
    expect(await a.client.db.orders.find()).toHaveLength(9);
    expect(await rest()).toMatchObject({ n: 9 });
    expect(seen).toEqual([10, 9]);
  });

  it('sends again what it has lost, also if the cursor tells of it first', async () => {
    const { a, b, adds, meanwhile, rest, seen, server } = await pair(by('last-writer-wins'));
    server.checkpoint();
    await b.client.db.orders.create({ item: 'i' });
    await meanwhile();
    a.blocked.add('pull');
    await adds(a, -1);
    await meanwhile();
    server.restore();
    expect(await rest()).toMatchObject({ n: 9 });
    expect(seen).toEqual([10, 9]);
  });

  it('sends again what the restored database has lost before the device had read it', async () => {
    const { a, adds, meanwhile, rest, server } = await pair(by('last-writer-wins'));
    server.checkpoint();
    a.blocked.add('pull');
    await adds(a, -1);
    await meanwhile();
    expect(server.documents().get('items/i')).toMatchObject({ n: 9 });
    server.restore();
    expect(await rest()).toMatchObject({ n: 9 });
  });
});

describe('R3, what an answer brings', () => {
  it('shows at once what the server made of the edit, also while nothing can be read', async () => {
    const { a, b, adds, meanwhile, time } = await pair(sums);
    await adds(b, 100);
    await time.pass(SECOND);
    a.blocked.add('pull');
    await adds(a, 1);
    await meanwhile();
    expect(await a.client.db.items.get('i')).toMatchObject({ n: 111 });
  });

  it('shows no older state after it, whatever is read then', async () => {
    const { a, b, adds, rest, seen, server, time } = await pair(by('client-wins'));
    server.pageLimit = 1;
    a.blocked.add('pull');
    for (const [one, more] of [
      [b, 5],
      [b, 5],
      [a, 1],
    ] as const) {
      await adds(one, more);
      await time.pass(SECOND);
    }
    expect(await rest()).toMatchObject({ n: 11 });
    expect(seen).toEqual([10, 11]);
  });
});

describe('R8, a transaction that is tried again', () => {
  it('takes effect once, though its first request comes again after that', async () => {
    const items: FleetCollection = { ...by('reject-stale') };
    const { a, b, meanwhile, rest, server } = await pair(items);
    a.setOnline(false);
    await a.client.transaction(async ({ items: all }) => {
      await all.patch('i', { n: inc(1) });
      await all.create({ _id: 'k', n: 1 });
    });
    await b.client.db.items.create({ _id: 'k', n: 2 });
    await meanwhile();
    a.setOnline(true);
    await meanwhile();
    const [entry] = await a.client.rejected.list();
    const first = server.bodies.at(-1)!;
    await b.client.db.items.delete('k');
    await meanwhile();
    await a.client.rejected.retry(entry!.id);
    await meanwhile();
    server.push(first);
    expect(await rest()).toMatchObject({ n: 11 });
  });
});

it('keeps a document that may be written and not read', async () => {
  const { time, server, device } = world({ ...by('last-writer-wins'), isHidden: true });
  const a = await device('a');
  await a.client.db.items.create({ _id: 'i', n: 1 });
  await time.pass(200 * SECOND);
  expect(server.documents().get('items/i')).toEqual({ n: 1 });
  expect(a.client.status.current.pending).toBe(0);
  expect(await a.client.db.items.get('i')).toEqual({ _id: 'i', n: 1 });
});
