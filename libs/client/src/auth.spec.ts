import {
  AuthError,
  collection,
  createSyncClient,
  inc,
  memory,
  type Fetch,
  type TokenReason,
} from './index.ts';
import { FakeServer, FaultyNetwork, VirtualTime } from './testing/index.ts';

interface Note {
  text?: string;
  n?: number;
}
const MINUTE = 60_000;

function world(stream = true) {
  const time = new VirtualTime();
  const server = new FakeServer({ collections: ['notes'], now: () => time.now, pageSize: 2 });
  const network = new FaultyNetwork(server);
  const asked: TokenReason[] = [];
  /** What `auth.token` does. */
  const app = { token: (): Promise<string> | string => server.token('ann') };
  let current = '';
  const client = createSyncClient({
    url: 'https://notes.example/sync',
    storage: memory(),
    auth: {
      token: async ({ reason }) => {
        asked.push(reason);
        return (current = await app.token());
      },
    },
    collections: { notes: collection<Note>() },
    stream,
    environment: {
      ...time.environment(),
      fetch: (url, request) => network.fetch(url, request),
      socket: (url) => network.socket(url),
    },
  });
  const dies = (): void => {
    server.revoke(current);
    server.closeSockets(4401);
  };
  return { time, server, network, client, asked, app, dies };
}

async function opened() {
  const all = world();
  await all.client.open();
  await all.time.pass(1_000);
  expect(all.client.status.current.phase).toBe('live');
  return all;
}

describe('a token that cannot be had', () => {
  it('because there is no network is no reason to log in again', async () => {
    const { time, network, client, app, asked, server, dies } = await opened();
    const fails = (): never => {
      throw new TypeError('Failed to fetch');
    };
    // The access token has ended while the device was away.
    dies();
    network.offline();
    app.token = fails;
    const phases: string[] = [];
    client.status.subscribe(({ phase }) => phases.push(phase));
    await client.db.notes.create({ _id: 'n', text: 'kept' });
    await time.pass(5 * MINUTE);
    expect(client.status.current).toMatchObject({
      phase: 'offline',
      pending: 1,
      error: { code: 'no_token' },
    });
    expect(client.status.current.retryAt! - time.now).toBeLessThanOrEqual(MINUTE);
    expect(phases).not.toContain('blocked');
    const before = asked.length;
    await time.pass(10 * MINUTE);
    expect(asked.length - before).toBeGreaterThanOrEqual(10);
    expect(asked.length - before).toBeLessThan(60);
    network.online();
    app.token = () => server.token('ann');
    await time.pass(2 * MINUTE);
    expect(client.status.current).toMatchObject({ phase: 'live', pending: 0, rejected: 0 });
  });

  it('at the start, for whatever reason: the client opens with what is here, and says that it is offline', async () => {
    const { client, time, app, server } = await opened();
    await client.db.notes.create({ _id: 'n', text: 'kept' });
    await client.close();
    app.token = () => Promise.reject(new Error('The login server is away.'));
    await client.open();
    await time.pass(MINUTE);
    expect(client.status.current).toMatchObject({ phase: 'offline' });
    expect(await client.db.notes.get('n')).toEqual({ _id: 'n', text: 'kept' });
    app.token = () => server.token('ann');
    await time.pass(2 * MINUTE);
    expect(client.status.current.phase).toBe('live');
  });

  it.each([
    ['the server has refused the last one', () => new Error('The session has ended.'), true],
    ['the app says so, by an AuthError', () => new AuthError('The session has ended.'), false],
  ])('because %s is for the user: log in again', async (_, error, isRefused) => {
    const { client, time, app, server, dies } = await opened();
    app.token = () => Promise.reject(error());
    if (isRefused) dies();
    else {
      await client.close();
      await client.open();
    }
    await client.db.notes.create({ _id: 'n', text: 'kept' });
    await time.pass(MINUTE);
    expect(client.status.current).toMatchObject({ phase: 'blocked', blockedBy: 'auth', pending: 1 });
    app.token = () => server.token('ann');
    await time.pass(2 * MINUTE);
    expect(client.status.current).toMatchObject({ phase: 'live', pending: 0 });
  });

  it('because the app never answers is given up after a minute, and asked for again', async () => {
    const { client, time, app, server, asked, dies } = await opened();
    app.token = () => new Promise(() => undefined);
    dies();
    await client.db.notes.create({ _id: 'n', text: 'kept' });
    const phases: string[] = [];
    client.status.subscribe(({ phase }) => phases.push(phase));
    await time.pass(2 * MINUTE + 1_000);
    expect(client.status.current.pending).toBe(1);
    expect(phases).toContain('offline');
    expect(phases).not.toContain('blocked');
    expect(asked.length).toBeGreaterThan(2);
    app.token = () => server.token('ann');
    await time.pass(3 * MINUTE);
    expect(client.status.current).toMatchObject({ phase: 'live', pending: 0 });
  });
});

it('a token that comes after its user has left is not used for the next one', async () => {
  const { client, time, app, server, dies } = await opened();
  let give: (token: string) => void = () => undefined;
  app.token = () => new Promise((resolve) => (give = resolve));
  dies();
  await time.pass(1_000);
  const leaving = client.logout();
  await time.pass(0);
  give(server.token('ann'));
  await time.pass(1_000);
  await leaving;
  app.token = () => server.token('bob');
  server.edit('ann', 'notes', 'a', { text: 'of ann' });
  server.edit('bob', 'notes', 'b', { text: 'of bob' });
  await client.open();
  await time.pass(1_000);
  expect(await client.db.notes.find()).toEqual([{ _id: 'b', text: 'of bob' }]);
});

describe.each([true, false])('C15, a token that dies is no verdict; with a socket: %s', (stream) => {
  /** @returns whether there were so many requests */
  async function run(step: number): Promise<boolean> {
    const { client, time, server, app, network, dies } = world(stream);
    server.edit('ann', 'notes', 'count', { n: 0 });
    for (const n of [1, 2, 3]) server.edit('ann', 'notes', `n${String(n)}`, { n });
    let [requests, fails] = [0, 0];
    const sound: Fetch = network.fetch;
    const strike = (): void => {
      requests += 1;
      if (requests !== step) return;
      dies();
      fails = 1 + (step % 2);
    };
    Object.assign(network, {
      fetch: ((url, request) => {
        strike();
        return sound(url, request);
      }) satisfies Fetch,
    });
    app.token = () => {
      if (fails === 0) return server.token('ann');
      fails -= 1;
      throw new AuthError('Log in again.');
    };
    await client.open();
    await time.pass(1_000);
    await client.db.notes.create({ _id: 'mine', text: 'kept' });
    await client.db.notes.upsert('count', { n: 1 });
    await time.pass(1_000);
    if (stream) strike();
    await client.db.notes.patch('count', { n: inc(1) });
    if (stream) strike();
    await client.transaction(async ({ notes }) => {
      await notes.patch('count', { n: inc(1) });
      await notes.create({ _id: 'both', text: 'kept' });
    });
    await time.pass(4 * MINUTE);
    expect([step, client.status.current]).toMatchObject([step, { pending: 0, rejected: 0 }]);
    const [mine, both, count] = ['mine', 'both', 'count'].map(
      (id) => server.document('ann', 'notes', id)?.data,
    );
    expect([step, mine, both, count]).toEqual([step, { text: 'kept' }, { text: 'kept' }, { n: 3 }]);
    await client.close();
    return requests >= step;
  }

  it('whenever it dies, every edit takes effect once', async () => {
    let step = 1;
    while (await run(step)) step += 1;
    expect(step).toBeGreaterThan(8);
  });
});
