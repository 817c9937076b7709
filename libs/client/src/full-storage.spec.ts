import { SmallStorage } from '../../../test/support/small-storage.ts';
import { collection, createSyncClient, type SyncClient } from './index.ts';
import { FakeServer, FaultyNetwork, settle, VirtualTime } from './testing/index.ts';

const collections = { tasks: collection<{ title: string; text?: string }>() };
const LONG = 'x'.repeat(5_000);

function device(storage = new SmallStorage()) {
  const time = new VirtualTime(Date.UTC(2026, 4, 2));
  const server = new FakeServer({ collections: ['tasks'] });
  const network = new FaultyNetwork(server);
  const lost: unknown[] = [];
  const made = (user = 'ann'): SyncClient<typeof collections> => {
    const client = createSyncClient({
      url: 'http://server/sync',
      storage,
      auth: { token: () => server.token(user) },
      collections,
      environment: {
        now: () => time.now,
        timer: (ms, call) => time.timer(ms, call),
        fetch: network.fetch,
        socket: network.socket,
      },
    });
    client.on('storage-lost', (loss) => lost.push(loss));
    return client;
  };
  return { time, server, network, storage, lost, made };
}

describe('when there is no room', () => {
  it('says so to who writes, and keeps nothing of it', async () => {
    const { storage, made } = device();
    const client = made();
    await client.open();
    storage.room = 3_000;
    await expect(client.db.tasks.create({ title: 'a', text: LONG })).rejects.toMatchObject({
      code: 'storage_full',
    });
    expect(await client.db.tasks.find()).toEqual([]);
    expect(client.status.current.pending).toBe(0);
    await client.close();
  });

  it('stops reading and says so, goes on sending, and reads again as soon as a write has worked', async () => {
    const { time, server, storage, made } = device();
    const client = made();
    await client.open();
    await time.pass(1_000);
    storage.room = 3_000;
    server.edit('ann', 'tasks', 'theirs', { title: 'b', text: LONG });
    await time.pass(2_000);
    expect(client.status.current).toMatchObject({ phase: 'blocked', blockedBy: 'storage' });
    expect(client.status.current.storage).toMatchObject({ kind: 'small', quota: 3_000 });

    const { mutation } = await client.db.tasks.create({ title: 'mine' });
    await time.pass(1_000);
    expect(await client.settled(mutation!)).toMatchObject({ status: 'accepted' });
    expect(client.status.current).toMatchObject({ phase: 'blocked', pending: 0 });

    storage.room = Infinity;
    await time.pass(5_000);
    expect(client.status.current.phase).toBe('blocked');
    await client.db.tasks.create({ title: 'another' });
    await time.pass(1_000);
    expect(client.status.current).toMatchObject({ phase: 'live', pending: 0 });
    expect((await client.db.tasks.get('theirs'))?.text).toBe(LONG);
    await client.close();
  });

  it('does not load what it cannot keep again and again, however much is written', async () => {
    const { time, server, storage, made } = device();
    const client = made();
    await client.open();
    await time.pass(1_000);
    storage.room = 3_000;
    server.edit('ann', 'tasks', 'theirs', { title: 'b', text: LONG });
    await time.pass(2_000);
    const reads = (): number => server.requests.filter(({ method }) => method === 'GET').length;
    const before = reads();
    for (let n = 0; n < 40; n++) {
      await client.db.tasks.upsert('mine', { title: `b${String(n)}` });
      await time.pass(250);
    }
    expect(reads() - before).toBeLessThan(6);
    await client.close();
  });

  it('tells of a push that cannot be written down, and sends it when it can', async () => {
    const { time, network, storage, made } = device();
    const client = made();
    await client.open();
    await time.pass(1_000);
    network.offline();
    await client.db.tasks.create({ title: 'mine' });
    storage.room = 10;
    network.online();
    await time.pass(60_000);
    expect(client.status.current).toMatchObject({ phase: 'blocked', blockedBy: 'storage', pending: 1 });
    storage.room = Infinity;
    await time.pass(61_000);
    expect(client.status.current).toMatchObject({ phase: 'live', pending: 0 });
    await client.close();
  });
});

it('asks the platform to keep the data at the first edit, and shows the answer', async () => {
  const { storage, made } = device();
  const client = made();
  await client.open();
  expect(client.status.current.storage.persisted).toBe(false);
  await client.db.tasks.create({ title: 'a' });
  await client.db.tasks.create({ title: 'b' });
  await settle();
  expect(client.status.current.storage.persisted).toBe(true);
  expect(storage.persists).toBe(1);
  await client.close();
});

describe('when the platform has cleared the databases', () => {
  it('tells how many edits went with them, once', async () => {
    const { network, storage, lost, made } = device();
    const client = made();
    await client.open();
    network.offline();
    for (const title of ['a', 'b', 'c']) await client.db.tasks.create({ title });
    await client.close();
    await storage.clear();
    const next = made();
    await next.open();
    expect(lost).toEqual([{ pendingLost: 3 }]);
    expect(await next.db.tasks.find()).toEqual([]);
    await next.close();
    await made().open();
    expect(lost).toHaveLength(1);
  });

  it('ends an open client, which opens again as another installation', async () => {
    const { time, server, network, storage, lost, made } = device();
    const client = made();
    const ended: unknown[] = [];
    client.on('ended', (error) => ended.push(error));
    await client.open();
    await client.db.tasks.create({ title: 'sent' });
    await time.pass(1_000);
    network.offline();
    await client.db.tasks.create({ title: 'not sent' });
    await storage.clear();
    await client.db.tasks.create({ title: 'too late' }).catch(() => undefined);
    await time.pass(60_000);
    expect(ended).toMatchObject([{ code: 'storage_lost' }]);
    expect(client.status.current.phase).toBe('closed');
    network.online();
    await client.open();
    expect(lost).toEqual([{ pendingLost: 1 }]);
    await client.db.tasks.create({ title: 'again' });
    await time.pass(60_000);
    const pushed = server.requests.filter(({ path }) => path === 'push');
    const ids = pushed.map(({ body }) => (body as { client_id: string }).client_id);
    expect(new Set(ids).size).toBe(2);
    expect((await client.db.tasks.find({ orderBy: 'title' })).map(({ title }) => title)).toEqual([
      'again',
      'sent',
    ]);
    await client.close();
  });

  it('has nothing to tell after a logout whose traces the platform had not written down yet', async () => {
    const { network, storage, lost, made } = device();
    const client = made();
    await client.open();
    network.offline();
    await client.db.tasks.create({ title: 'a' });
    const notes = [...storage.notes];
    await client.logout({ unsent: 'discard' });
    for (const [name, text] of notes) storage.notes.set(name, text);
    await client.open();
    expect(lost).toEqual([]);
    // It goes on to tell of what is really lost.
    for (const title of ['b', 'c']) await client.db.tasks.create({ title });
    await client.close();
    await storage.clear();
    await client.open();
    expect(lost).toEqual([{ pendingLost: 2 }]);
    await client.close();
  });

  it('has nothing to tell where nothing was unsent, nor of what was logged out or is another user', async () => {
    const { time, network, storage, lost, made } = device();
    const client = made();
    await client.open();
    await client.db.tasks.create({ title: 'a' });
    await time.pass(1_000);
    expect(storage.notes.size).toBe(0);
    network.offline();
    await client.db.tasks.create({ title: 'b' });
    expect(storage.notes.size).toBe(1);
    expect(JSON.stringify([...storage.notes])).not.toContain('ann');
    await client.close();
    await storage.clear();
    const bob = made('bob');
    await bob.open();
    expect(lost).toEqual([]);
    await bob.db.tasks.create({ title: 'c' });
    await bob.logout({ unsent: 'discard' });
    await storage.clear();
    await bob.open();
    expect(lost).toEqual([]);
    await bob.close();
  });
});
