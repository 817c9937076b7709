import type { PullPageResponse } from 'nest-offline-sync-protocol';
import { collection, createSyncClient, inc, memory, type SyncClient } from '../index.ts';
import { FakeServer } from './fake-server.ts';
import { FaultyNetwork } from './faulty-network.ts';

interface Task {
  title: string;
  done?: boolean;
  count?: number;
}

const collections = { tasks: collection<Task>() };
type Client = SyncClient<typeof collections>;

/** Resolves when the client says so. */
async function until(client: Client, holds: (status: Client['status']['current']) => boolean): Promise<void> {
  if (holds(client.status.current)) return;
  await new Promise<void>((resolve) => {
    const leave = client.status.subscribe((status) => {
      if (!holds(status)) return;
      leave();
      resolve();
    });
  });
}

/** Resolves when the user sees such a task. */
async function shown(client: Client, is: (task: Task) => boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    const leave = client.db.tasks.live().subscribe(({ rows }) => {
      if (!rows.some(is)) return;
      leave();
      resolve();
    });
  });
}

describe('a client of the fake server', () => {
  const open: Client[] = [];
  afterEach(async () => {
    for (const client of open.splice(0)) await client.close();
  });

  async function device(
    server: FakeServer,
    actor = 'ann',
  ): Promise<{ client: Client; network: FaultyNetwork }> {
    const network = new FaultyNetwork(server);
    const client = createSyncClient({
      url: 'https://shop.example/sync',
      storage: memory(),
      auth: { token: () => server.token(actor) },
      collections,
      environment: { fetch: network.fetch, socket: network.socket },
    });
    open.push(client);
    await client.open();
    await until(client, ({ phase }) => phase === 'live');
    return { client, network };
  }

  const world = (options: Partial<ConstructorParameters<typeof FakeServer>[0]> = {}): FakeServer =>
    new FakeServer({ collections: ['tasks'], ...options });

  it('has what the device has made, and another device gets it', async () => {
    const server = world();
    const [{ client }, { client: other }] = [await device(server), await device(server)];
    const { id, mutation } = await client.db.tasks.create({ title: 'Milk' });
    expect(await client.settled(mutation!)).toMatchObject({ status: 'accepted' });
    expect(server.document('ann', 'tasks', id)).toMatchObject({ data: { title: 'Milk' } });
    await shown(other, ({ title }) => title === 'Milk');
  });

  it('keeps edits while it is cut off, and sends each once although an answer is lost', async () => {
    const server = world();
    const { client, network } = await device(server);
    server.edit('ann', 'tasks', 't', { title: 'Milk', count: 1 });
    await shown(client, ({ count }) => count === 1);
    network.offline();
    await client.db.tasks.patch('t', { count: inc(2) });
    expect(client.status.current.pending).toBe(1);
    expect(server.document('ann', 'tasks', 't')).toMatchObject({ data: { count: 1 } });
    network.online();
    network.cutSockets();
    network.next('drop');
    expect(await client.flush({ timeoutMs: 30_000 })).toBe(true);
    expect(server.document('ann', 'tasks', 't')).toMatchObject({ data: { title: 'Milk', count: 3 } });
  });

  it('puts what the server refuses into quarantine, and tells the code', async () => {
    const server = world();
    const { client } = await device(server);
    server.refuses = ({ data }) =>
      (data as Task | undefined)?.title === 'bad' ? 'validation_failed' : undefined;
    const { id } = await client.db.tasks.create({ title: 'bad' });
    await client.db.tasks.create({ title: 'good' });
    await client.flush();
    expect(await client.rejected.list()).toMatchObject([{ code: 'validation_failed' }]);
    expect(await client.db.tasks.get(id)).toBeUndefined();
    expect(client.status.current).toMatchObject({ pending: 0, rejected: 1 });
  });

  it('takes a transaction as a whole or not at all', async () => {
    const server = world();
    const { client } = await device(server);
    server.refuses = ({ data }) =>
      (data as Task | undefined)?.title === 'bad' ? 'validation_failed' : undefined;
    await client.transaction(async (tx) => {
      await tx.tasks.upsert('a', { title: 'good' });
      await tx.tasks.upsert('b', { title: 'bad' });
    });
    await client.flush();
    expect(server.document('ann', 'tasks', 'a')).toBeUndefined();
    expect(await client.db.tasks.find()).toEqual([]);
  });

  it('has everything when it has synced once, though it follows and the news is on its way', async () => {
    const server = world();
    const { client } = await device(server);
    for (const n of [1, 2, 3]) {
      server.edit('ann', 'tasks', 't', { title: 'Milk', count: n });
      expect(await client.syncOnce()).toBe(true);
      expect(await client.db.tasks.get('t')).toMatchObject({ count: n });
    }
  });

  it('goes on from the cursor of a scope that was empty', async () => {
    const server = new FakeServer({ collections: ['tasks'] });
    const headers = { authorization: `Bearer ${server.token('ann')}` };
    const pull = async (since = '') => {
      const answer = await server.fetch(`http://server/sync/pull?${since}`, { method: 'GET', headers });
      return JSON.parse(await answer.text()) as PullPageResponse;
    };
    const { last_seq: empty } = await pull();
    server.edit('ann', 'tasks', 't', { title: 'Milk' });
    expect((await pull(`since=${empty}`)).changes).toMatchObject([{ doc_id: 't' }]);
  });

  it('loads everything again when the log is trimmed, and loses nothing of its own', async () => {
    const server = world({ pageSize: 2 });
    const { client, network } = await device(server);
    network.offline();
    await client.db.tasks.upsert('mine', { title: 'mine' });
    for (const id of ['a', 'b', 'c']) server.edit('ann', 'tasks', id, { title: id });
    server.trim('ann');
    network.online();
    network.cutSockets();
    await client.syncOnce({ deadlineMs: 60_000 });
    const titles = (await client.db.tasks.find()).map(({ title }) => title);
    expect(titles.toSorted()).toEqual(['a', 'b', 'c', 'mine']);
    expect(server.document('ann', 'tasks', 'mine')).toBeDefined();
  });
});
