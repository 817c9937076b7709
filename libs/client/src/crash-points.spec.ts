import type { Fetch } from './environment.ts';
import { collection, createSyncClient, inc, memory } from './index.ts';
import { takeAnswer } from './pushing.ts';
import type { Replica } from './replica.ts';
import { CrashingStorage, FakeServer, VirtualTime } from './testing/index.ts';

/** A process that dies at each of its operations on the storage, and loads that are cut at each of their lines: C1, C5, C9. */

interface Item {
  n?: number;
  title?: string;
}

class World {
  readonly time = new VirtualTime();
  readonly server: FakeServer;
  readonly disk = memory();
  fetch: Fetch = (url, request) => this.server.fetch(url, request);

  constructor(server?: FakeServer) {
    this.server = server ?? new FakeServer({ collections: ['items'], now: () => this.time.now, pageSize: 2 });
    if (server) return;
    this.server.refuses = ({ data }) =>
      (data as Item | undefined)?.title === 'bad' ? 'validation_failed' : undefined;
    for (const id of ['a', 'b', 'c']) this.server.edit('ann', 'items', id, { title: id, n: 0 });
  }

  client(storage: CrashingStorage) {
    return createSyncClient({
      url: 'https://shop.example/sync',
      storage,
      auth: { token: () => this.server.token('ann') },
      collections: { items: collection<Item>() },
      environment: { ...this.time.environment(), fetch: (url, request) => this.fetch(url, request) },
    });
  }

  count(): unknown {
    return this.server.document('ann', 'items', 'a')?.data?.['n'];
  }
}

/** What a user does in one process, with everything that the client does for it. @returns additions that were promised */
async function live(
  world: World,
  storage: CrashingStorage,
): Promise<{ sure: number; maybe: number; isBadKept: boolean }> {
  const { time, server } = world;
  const client = world.client(storage);
  const counts = { sure: 0, maybe: 0, isBadKept: false };
  const adds = async (call: () => Promise<unknown>): Promise<void> => {
    try {
      await call();
      counts.sure += 1;
    } catch (error) {
      if (storage.hasCrashed) counts.maybe += 1;
      throw error;
    }
  };
  const passes = async (ms: number): Promise<void> => {
    await time.pass(ms);
    if (storage.hasCrashed) throw new Error('The process has died.');
  };
  try {
    await client.open();
    await passes(2_000);
    await adds(() => client.db.items.patch('a', { n: inc(1) }));
    await passes(2_000);
    await client.db.items.create({ title: 'bad' });
    counts.isBadKept = true;
    await adds(() =>
      client.transaction(async ({ items }) => {
        await items.patch('a', { n: inc(1) });
        await items.create({ title: 'made with it' });
      }),
    );
    server.edit('ann', 'items', 'b', { title: 'of others' });
    await passes(40_000);
    server.edit('ann', 'items', 'b', { title: 'of others again' });
    server.trim('ann');
    server.edit('ann', 'items', 'c', null);
    await passes(60_000);
    await adds(() => client.db.items.patch('a', { n: inc(1) }));
    await client.logout({ unsent: 'keep' });
    await client.open();
    await passes(2_000);
    await client.close();
  } catch (error) {
    if (!storage.hasCrashed) throw error;
  }
  return counts;
}

/** Others before than after it; `FC_RUNS=1 npx jest …` tries all of them. */
const STRIDE = process.env['FC_RUNS'] ? 1 : 9;

it.each(['before', 'after'] as const)(
  'keeps what was promised and what was read, whatever operation a process dies %s',
  async (when) => {
    let hasCrashed = true;
    for (let operation = when === 'before' || STRIDE === 1 ? 1 : 5; hasCrashed; operation += STRIDE) {
      const world = new World();
      const storage = new CrashingStorage(world.disk);
      storage.crashAt(operation, when);
      const { sure, maybe, isBadKept } = await live(world, storage);
      hasCrashed = storage.hasCrashed;
      const client = world.client(new CrashingStorage(world.disk));
      await client.open();
      await world.time.pass(180_000);
      expect({ operation, ...client.status.current }).toMatchObject({
        operation,
        pending: 0,
        phase: 'polling',
      });
      const count = world.count() as number;
      expect([operation, count >= sure && count <= sure + maybe]).toEqual([operation, true]);
      const refused = await client.rejected.list();
      expect([operation, refused.length]).toEqual([operation, isBadKept ? 1 : Math.min(1, refused.length)]);
      // What another device sees, which has read everything at once.
      const other = new World(world.server).client(new CrashingStorage(memory()));
      await other.open();
      await other.syncOnce();
      expect([operation, await client.db.items.find()]).toEqual([operation, await other.db.items.find()]);
      await other.close();
      await client.close();
      if (!hasCrashed) expect(operation).toBeGreaterThan(60);
    }
  },
);

it('shows all that it showed while a load is cut at each of its lines, and then all that there is', async () => {
  for (let line = 0; line < 12; line++) {
    const world = new World();
    const { time, server } = world;
    const client = world.client(new CrashingStorage(world.disk));
    const shown: number[] = [];
    await client.open();
    await time.pass(2_000);
    client.db.items.live().subscribe(({ rows }) => shown.push(rows.length));
    await time.pass(100);
    const waits = client.db.items.create({ title: 'mine' });
    world.fetch = async (url, request) => {
      if (url.includes('/push')) throw new TypeError('cut');
      const answer = await server.fetch(url, request);
      if (!url.includes('/full')) return answer;
      const lines = (await answer.text()).split('\n');
      const cut = line % 4;
      // Each page is cut once, then comes whole.
      if (seen.has(url) || lines.length <= cut) return { ...answer, text: async () => lines.join('\n') };
      seen.add(url);
      return { ...answer, text: async () => `${lines.slice(0, cut).join('\n')}${line > 5 ? '' : '\n'}` };
    };
    const seen = new Set<string>();
    await waits;
    for (const id of ['d', 'e', 'f']) server.edit('ann', 'items', id, { title: id });
    server.trim('ann');
    server.edit('ann', 'items', 'g', { title: 'g' });
    await time.pass(240_000);
    expect(seen.size).toBeGreaterThan(0);
    expect((await client.db.items.find()).map(({ title }) => title).sort()).toEqual([
      'a',
      'b',
      'c',
      'd',
      'e',
      'f',
      'g',
      'mine',
    ]);
    expect(Math.min(...shown)).toBeGreaterThanOrEqual(3);
    expect(shown).toEqual([...shown].sort((a, b) => a - b));
    expect(client.status.current).toMatchObject({ pending: 1 });
    await client.close();
  }
});

it('passes over a second answer to what was answered, of another tab', async () => {
  const world = new World();
  const storage = new CrashingStorage(world.disk);
  const client = world.client(storage);
  await client.open();
  await world.time.pass(2_000);
  const { mutation } = await client.db.items.create({ _id: 'x', title: 'bad' });
  await world.time.pass(30_000);
  expect(await client.settled(mutation!)).toMatchObject({ status: 'rejected' });
  // The next one waits.
  await client.pause();
  await client.db.items.create({ _id: 'x', title: 'good' });
  const replica = (client as unknown as { replicas: { current: Replica } }).replicas.current;
  const [waiting] = replica.pending();
  const late = { ...waiting!, state: 'sent' as const };
  const push = { units: [[late]], changes: [{}] } as unknown as Parameters<typeof takeAnswer>[1];
  const result = {
    doc_id: 'x',
    status: 'accepted',
    new_version: '9',
    server_version: null,
    code: null,
    error: null,
  };
  await takeAnswer(replica, push, { results: [result] } as never, undefined);
  expect(replica.pending().map(({ state }) => state)).toEqual(['waiting']);
  await client.close();
});
