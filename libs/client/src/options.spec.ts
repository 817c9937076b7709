import {
  collection,
  createSyncClient,
  memory,
  type ClientStorage,
  type Definitions,
  type SyncClientOptions,
  type TelemetryEvent,
} from './index.ts';
import { FakeServer, FaultyNetwork, VirtualTime } from './testing/index.ts';

interface Task {
  title: string;
}
const collections = { tasks: collection<Task>(), notes: collection<Task>({ coalesce: true }) };
const MINUTE = 60_000;

type Given = Partial<SyncClientOptions<typeof collections>>;

function device(options: Given = {}) {
  const time = new VirtualTime();
  const server = new FakeServer({ collections: ['tasks', 'notes'], now: () => time.now });
  const network = new FaultyNetwork(server);
  const client = createSyncClient({
    url: 'https://shop.example/sync',
    storage: memory(),
    auth: { token: () => server.token('ann') },
    collections,
    environment: { ...time.environment(), fetch: network.fetch, socket: network.socket },
    ...options,
  });
  const pushes = (): { doc_id: string }[][] =>
    server.requests.flatMap(({ path, body }) =>
      path === 'push' ? [(body as { changes: { doc_id: string }[] }).changes] : [],
    );
  return { time, server, network, client, pushes };
}

describe('options that cannot work', () => {
  const good = {
    url: 'https://shop.example/sync',
    storage: memory(),
    auth: { token: () => 'x' },
    collections: { tasks: collection<Task>() },
  };
  const tasks = (definition: unknown) => ({ collections: { tasks: definition } });
  const without = (name: string) => ({ [name]: undefined });

  it.each<[path: string, given: object, words: string | RegExp]>([
    ['colections', { colections: {} }, 'Did you mean collections?'],
    ['client_schema', { client_schema: 3 }, 'Did you mean clientSchema?'],
    ['offline', { offline: true }, 'There are: url, app, storage'],
    ['url', without('url'), 'It is missing'],
    ['url', { url: '/sync' }, 'begins with http:// or https://'],
    ['url', { url: 'shop.example/sync' }, 'begins with http:// or https://'],
    ['url', { url: 'https://' }, 'begins with http:// or https://'],
    ['url', { url: 'https://shop.example/sync?x=1' }, 'without a query'],
    ['app', { app: '' }, 'It is empty'],
    ['storage', { storage: memory }, /memory\(\).*It is of type function/],
    ['storage', { storage: { ...good.storage, open: undefined } }, 'memory()'],
    ['auth', { auth: 'secret' }, 'It is another text'],
    ['auth.token', { auth: { token: 'secret' } }, 'a function that gives an access token'],
    ['auth.tokens', { auth: { tokens: good.auth.token } }, 'Did you mean token?'],
    ['auth.identity', { auth: { ...good.auth, identity: 'user_id' } }, 'a function'],
    ['collections', { collections: [] }, 'It is a list'],
    ['collections.', { collections: { '': {} } }, 'not empty'],
    ['collections.a,b', { collections: { 'a,b': {} } }, 'no comma'],
    ['collections.tasks', tasks(null), 'It is null'],
    ['collections.tasks.index', tasks({ index: ['done'] }), 'Did you mean indexes?'],
    ['collections.tasks.indexes', tasks({ indexes: 'done' }), 'a list of fields'],
    ['collections.tasks.indexes', tasks({ indexes: [[]] }), 'a list of fields'],
    ['collections.tasks.indexes', tasks({ indexes: [''] }), 'a list of fields'],
    ['collections.tasks.indexes', tasks({ indexes: [['done', 'done']] }), 'a list of fields'],
    ['collections.tasks.fields', tasks({ fields: ['a', 'a'] }), 'each once'],
    ['collections.tasks.ids', tasks({ ids: 'uuidv4' }), "'uuid' or 'objectid'"],
    ['collections.tasks.coalesce', tasks({ coalesce: 1 }), 'true or false. It is 1.'],
    ['collections.tasks.version', tasks({ version: 0 }), '1 or more. It is 0.'],
    ['collections.tasks.version', tasks({ version: '2' }), '1 or more'],
    ['collections.tasks.migrate', tasks({ version: 2, migrate: { 2: 'x' } }), 'a function for each version'],
    ['collections.tasks.migrate', tasks({ version: 2, migrate: { 3: () => ({}) } }), 'leads to 3'],
    ['collections.tasks.migrate', tasks({ migrate: { 2: () => ({}) } }), 'version is 1'],
    ['collections.tasks.schema', tasks({ schema: { type: 'object' } }), 'Zod 4, Valibot'],
    ['collections.tasks.schema', tasks({ schema: { '~standard': { version: 1 } } }), 'Zod 4, Valibot'],
    ['stream', { stream: 'stream' }, 'ws:// or wss://'],
    ['coalesce', { coalesce: 'no' }, 'true or false'],
    ['clientSchema', { clientSchema: 1.5 }, '1 to 128 bytes'],
    ['clientSchema', { clientSchema: 'x'.repeat(129) }, '1 to 128 bytes'],
    ['limits.maxPushChanges', { limits: { maxPushChanges: 0 } }, '1 or more. It is 0.'],
    ['limits.maxPushBytes', { limits: { maxPushBytes: NaN } }, 'It is NaN'],
    ['limits.maxPushRows', { limits: { maxPushRows: 9 } }, 'Did you mean maxPushBytes?'],
    ['backoff.baseMs', { backoff: { baseMs: -1 } }, '1 to 600000'],
    ['backoff.maxMs', { backoff: { maxMs: 3_600_000 } }, '1 to 600000'],
    ['backoff.baseMs', { backoff: { baseMs: 5_000, maxMs: 1_000 } }, 'at most maxMs'],
    ['onEvent', { onEvent: {} }, 'a function'],
    ['environment.fetch', { environment: { fetch: 'fetch' } }, 'a function'],
    ['environment.tabs', { environment: { tabs: {} } }, 'lock, channel'],
  ])('are refused at once: %s %#', (path, given, words) => {
    const make = (): unknown => createSyncClient({ ...good, ...given });
    expect(make).toThrow(expect.objectContaining({ code: 'configuration', path }));
    expect(make).toThrow(words);
    expect(make).not.toThrow(/secret/);
  });

  it.each([undefined, null, 'https://shop.example', []])('are an object: %j', (options) => {
    expect(() => createSyncClient(options as never)).toThrow('has to be an object');
  });

  it('are not those that can', () => {
    const schema = Object.assign(() => 'as ArkType has it', {
      '~standard': { version: 1 as const, vendor: 'x', validate: (value: unknown) => ({ value }) },
    });
    const all: SyncClientOptions<Definitions> = {
      ...good,
      url: 'HTTP://localhost:3000/',
      app: 'shop',
      auth: { token: () => 'x', identity: undefined },
      collections: {
        tasks: collection<{ a: string; b: number }>({
          indexes: ['a', ['a', 'b']],
          fields: ['a'],
          ids: 'objectid',
          coalesce: false,
          version: 3,
          migrate: { 3: (doc) => doc },
        }),
        strict: { schema: schema as never },
      },
      stream: 'wss://shop.example/live',
      coalesce: false,
      clientSchema: 0,
      limits: { maxPushChanges: 1, maxTransactionBytes: 1 },
      backoff: { baseMs: 600_000, maxMs: 600_000 },
      onEvent: () => undefined,
      environment: { onWake: undefined, socket: undefined },
    };
    expect(createSyncClient(all).status.current.phase).toBe('closed');
  });
});

describe('limits', () => {
  it('are of a push and of a transaction', async () => {
    const limits = { maxPushChanges: 2, maxTransactionChanges: 3 };
    const { time, client, pushes, server } = device({ limits, stream: false });
    await client.open();
    await time.pass(MINUTE);
    await client.pause();
    for (let at = 0; at < 5; at++) await client.db.tasks.create({ _id: `t${String(at)}`, title: 'x' });
    const four = client.transaction(async ({ tasks }) => {
      for (let at = 0; at < 4; at++) await tasks.create({ title: 'x' });
    });
    await expect(four).rejects.toThrow('at most 3 edits');
    await client.resume();
    await time.pass(MINUTE);
    expect(pushes().map((changes) => changes.length)).toEqual([2, 2, 1]);
    expect(server.document('ann', 'tasks', 't4')).toBeDefined();
  });

  it('of bytes too', async () => {
    const limits = { maxPushBytes: 300, maxTransactionBytes: 300 };
    const { time, client, pushes } = device({ limits, stream: false });
    await client.open();
    await time.pass(MINUTE);
    await client.pause();
    for (const _id of ['a', 'b']) await client.db.tasks.create({ _id, title: 'x'.repeat(100) });
    const long = client.transaction(({ tasks }) => tasks.create({ title: 'x'.repeat(200) }));
    await expect(long).rejects.toThrow('at most 1000 edits and 0.00028');
    await client.resume();
    await time.pass(MINUTE);
    expect(pushes()).toHaveLength(2);
  });
});

describe('backoff', () => {
  it('begins and ends as it says', async () => {
    const waits: number[] = [];
    const onEvent = (event: TelemetryEvent): void => {
      if (event.type === 'failure') waits.push(event.retryMs);
    };
    const { time, network, client } = device({ backoff: { baseMs: 100, maxMs: 400 }, onEvent });
    network.offline();
    await client.open();
    await time.pass(2_000);
    // Chance is 0.5 here.
    expect(waits.slice(0, 5)).toEqual([50, 100, 200, 200, 200]);
  });
});

describe('clientSchema', () => {
  const said = ({ path, body }: { path: string; body: unknown }): unknown =>
    (body as { client_schema?: unknown } | undefined)?.client_schema ??
    new URLSearchParams(path.split('?')[1]).get('client_schema');

  it('goes with every request and message', async () => {
    const { time, client, server } = device({ clientSchema: 7 });
    const asked: unknown[] = [];
    server.outdated = (schema) => {
      asked.push(schema);
      return false;
    };
    await client.open();
    await time.pass(MINUTE);
    expect(client.status.current.phase).toBe('live');
    await client.db.tasks.create({ title: 'over the socket' });
    await time.pass(1_000);
    server.closeSockets();
    await client.db.tasks.create({ title: 'over HTTP' });
    await time.pass(MINUTE);
    expect(server.requests.map(said)).toEqual(server.requests.map(() => '7'));
    expect(new Set(server.requests.map(({ path }) => path.split('?')[0]))).toEqual(
      new Set(['info', 'full', 'pull', 'push']),
    );
    expect(new Set(asked)).toEqual(new Set(['7']));
  });

  it('and so does the id of the installation, the same in all of them', async () => {
    const { time, client, server } = device({});
    await client.open();
    await client.db.tasks.create({ title: 'a' });
    await time.pass(MINUTE);
    const ids = server.requests.map(
      ({ path, body }) =>
        (body as { client_id?: unknown } | undefined)?.client_id ??
        new URLSearchParams(path.split('?')[1]).get('client_id'),
    );
    expect(ids.length).toBeGreaterThan(2);
    expect(new Set(ids).size).toBe(1);
    expect(typeof ids[0]).toBe('string');
  });

  it.each([true, false])('that is too old blocks, and drops nothing; by socket: %s', async (stream) => {
    const { time, client, server } = device({ clientSchema: 'v1', stream });
    await client.open();
    await time.pass(MINUTE);
    server.outdated = (schema) => schema === 'v1';
    server.closeSockets();
    await client.db.tasks.create({ _id: 't', title: 'kept' });
    await time.pass(MINUTE);
    expect(client.status.current).toMatchObject({
      phase: 'blocked',
      blockedBy: 'outdated',
      error: { code: 'client_outdated', message: 'This version of the app is too old: update it.' },
      pending: 1,
      rejected: 0,
    });
    server.outdated = undefined;
    await time.pass(11 * MINUTE);
    expect(server.document('ann', 'tasks', 't')).toBeDefined();
    expect(client.status.current).toMatchObject({ pending: 0 });
  });
});

describe('coalesce: false', () => {
  it('is for all collections that do not say otherwise', async () => {
    const { time, client, pushes } = device({ coalesce: false, stream: false });
    await client.open();
    await time.pass(MINUTE);
    await client.pause();
    for (const name of ['tasks', 'notes'] as const) {
      await client.db[name].create({ _id: name, title: '1' });
      await client.db[name].patch(name, { title: '2' });
    }
    await client.resume();
    await time.pass(MINUTE);
    const ids = pushes().flatMap((changes) => changes.map((each) => each.doc_id));
    expect(ids.sort()).toEqual(['notes', 'tasks', 'tasks']);
  });
});

describe('onEvent', () => {
  async function life(listener: (event: TelemetryEvent) => unknown) {
    const onEvent: (event: TelemetryEvent) => void = listener;
    const { time, client, server, network } = device({ onEvent });
    server.edit('ann', 'tasks', 'known', { title: 'theirs' });
    server.refuses = ({ doc_id }) => (doc_id === 'bad' ? 'validation_failed' : undefined);
    await client.open();
    await time.pass(MINUTE);
    await client.pause();
    await client.db.tasks.create({ _id: 'good', title: 'mine' });
    await client.db.tasks.create({ _id: 'bad', title: 'mine' });
    server.edit('ann', 'tasks', 'known', { title: 'newer' });
    network.next('cut');
    await client.resume();
    await time.pass(2 * MINUTE);
    expect(client.status.current).toMatchObject({ phase: 'live', pending: 0, rejected: 1 });
    await client.close();
  }

  it('tells what has happened, in numbers and codes', async () => {
    const events: TelemetryEvent[] = [];
    await life((event) => events.push(event));
    const of = (type: TelemetryEvent['type']) => events.filter((each) => each.type === type);
    expect(of('token')[0]).toEqual({ type: 'token', reason: 'first', isGiven: true, ms: 0 });
    expect(of('load')).toEqual([{ type: 'load', rows: 1 }]);
    expect(of('push')).toEqual([
      { type: 'push', changes: 2, accepted: 1, resolved: 0, rejected: 1, isRetry: false, ms: 0 },
    ]);
    expect(of('pull')).toMatchObject([{ changes: 2 }]);
    expect(of('stream')[0]).toEqual({ type: 'stream', wasLive: true, after: 'at-once' });
    expect(of('failure')).toEqual([{ type: 'failure', of: 'read', code: 'network', retryMs: 500 }]);
    const phases = of('phase').map((each) => each.type === 'phase' && each.phase);
    expect(phases).toEqual(expect.arrayContaining(['loading', 'live', 'paused', 'offline', 'catching-up']));
    expect(JSON.stringify(events)).not.toMatch(/ann|mine|theirs|newer|known|good|fake|tasks/);
  });

  it.each([
    ['throws', () => breaks()],
    ['rejects', async () => breaks()],
  ])('harms nothing when it %s', async (_, fails) => {
    calls = 0;
    await life(fails);
    expect(calls).toBeGreaterThan(10);
  });

  let calls = 0;
  function breaks(): never {
    calls += 1;
    throw new Error('a listener that is broken');
  }
});

describe('what the app’s functions give', () => {
  const claims = (id: string) => `x.${Buffer.from(JSON.stringify({ user_id: id })).toString('base64url')}.x`;

  async function opened(auth: Given['auth'], storage: ClientStorage = memory()) {
    const { client, time } = device({ auth, storage, stream: false });
    const open = client.open();
    open.catch(() => undefined);
    await time.pass(2 * MINUTE);
    return { client, open };
  }

  it.each([
    ['nothing', () => undefined],
    ['a text', () => 'ann'],
    ['a number', () => ({ scope: 1, actor: 1 })],
    ['half', () => ({ scope: 'ann' })],
    ['empty texts', () => ({ scope: '', actor: '' })],
    ['a promise', async () => ({ scope: 'ann', actor: 'ann' })],
    [
      'an error',
      () => {
        throw new Error('no claim');
      },
    ],
  ])(
    'is never somebody if auth.identity gives %s: the last user’s data stays closed',
    async (_, identity) => {
      const storage = memory();
      const first = await opened({ token: () => claims('ann') }, storage);
      await first.open;
      await first.client.db.tasks.create({ title: 'ann’s' });
      await first.client.close();
      const { client, open } = await opened(
        { token: () => claims('bob'), identity: identity as never },
        storage,
      );
      await expect(open).rejects.toMatchObject({ code: 'configuration', path: 'auth.identity' });
      expect(client.status.current.phase).toBe('closed');
    },
  );

  it('is never somebody if the token is no JWT', async () => {
    const storage = memory();
    const first = await opened({ token: () => claims('ann') }, storage);
    await first.open;
    await first.client.close();
    const { open } = await opened({ token: () => 'opaque' }, storage);
    await expect(open).rejects.toMatchObject({ code: 'auth', message: expect.stringContaining('JWT') });
  });

  it.each([undefined, null, '', 7, true, {}, 'a b', 'a\n', 'a.b.ü'])(
    'is never a token if it is %j',
    async (token) => {
      const { client, open } = await opened({ token: () => token as never });
      await expect(open).rejects.toMatchObject({ code: 'auth', isPassing: false });
      expect(client.status.current.phase).toBe('closed');
    },
  );
});

it('a logout in a way that there is not does nothing', async () => {
  const { client, time, network } = device({ stream: false });
  await client.open();
  network.offline();
  await client.db.tasks.create({ _id: 't', title: 'kept' });
  await expect(client.logout({ unsent: 'kepp' as never })).rejects.toThrow('refuse, flush, keep, discard');
  expect(client.status.current.pending).toBe(1);
  network.online();
  await time.pass(2 * MINUTE);
  expect(client.status.current).toMatchObject({ pending: 0 });
});
