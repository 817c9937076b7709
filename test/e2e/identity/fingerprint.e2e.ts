import type { INestApplication } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { SyncModule } from 'nest-offline-sync';
import { OplogRepository } from '../../../libs/sync/src/log/oplog';
import { testDatabase } from '../../support/database';
import { inSeconds, testToken } from '../../support/jwt';
import { StreamClient, type Received } from '../../support/stream-client';

const SECRET = 'a secret of these tests that is long enough';
const database = testDatabase(__filename);
const elsewhere = testDatabase(`${__filename}.other`);

async function start(uri = database.uri, fastify = false): Promise<INestApplication> {
  const testing = await Test.createTestingModule({
    imports: [
      MongooseModule.forRoot(uri),
      SyncModule.forRoot({
        jwt: { secret: SECRET },
        scopeIdField: 'business_id',
        metricsEnabled: false,
        trimIntervalMs: 0,
        collections: [{ name: 'notes', freeForm: true, ids: 'scoped' }],
        scopes: {
          list: () => ['shared'],
          access: (_identity, scope) => (scope === 'shared' ? 'write' : 'none'),
        },
      }),
    ],
  }).compile();
  const app = fastify ? testing.createNestApplication(new FastifyAdapter()) : testing.createNestApplication();
  await app.listen(0, '127.0.0.1');
  return app;
}

const tokenOf = (business_id: string, user_id = 'ann'): string =>
  testToken({ payload: { business_id, user_id, exp: inSeconds(600) }, key: SECRET });

interface Told {
  readonly status: number;
  readonly identity: string | null;
  readonly body: Record<string, unknown>;
}

async function ask(app: INestApplication, token: string, path: string, body?: object): Promise<Told> {
  const response = await fetch(`${await app.getUrl()}/sync/${path}`, {
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  return {
    status: response.status,
    identity: response.headers.get('x-sync-identity'),
    body: JSON.parse(isJson ? text : '{}') as Record<string, unknown>,
  };
}

const push = (more: object = {}): object => ({
  client_id: 'phone',
  changes: [{ collection: 'notes', operation: 'upsert', doc_id: 'n', data: { text: 'mine' } }],
  ...more,
});

describe.each([
  ['Express', false],
  ['Fastify', true],
])('X-Sync-Identity, on %s', (name, fastify) => {
  let app: INestApplication;
  const scope = name.toLowerCase();
  const token = tokenOf(scope);
  beforeAll(async () => {
    app = await start(database.uri, fastify);
  });
  afterAll(() => app.close());

  it('is on every answer whose identity is known, errors too, and always the same', async () => {
    const answers = [
      await ask(app, token, 'push', push()),
      await ask(app, token, 'pull'),
      await ask(app, token, 'full'),
      await ask(app, token, 'scopes'),
      await ask(app, token, 'pull?scope=shared'),
      await ask(app, token, 'push', push({ scope: 'shared' })),
      await ask(app, token, 'pull?since=x'),
      await ask(app, token, 'full?cursor=x'),
      await ask(app, token, 'push', {}),
      await ask(app, token, 'pull?scope=hidden'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200, 400, 400, 400, 403]);
    const [first] = answers;
    expect(new Set(answers.map(({ identity }) => identity))).toEqual(new Set([first?.identity]));
    expect(first?.identity).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect((await ask(app, 'nonsense', 'pull')).identity).toBeNull();
  });

  it('refuses what is meant for another identity, and neither reads nor writes', async () => {
    const { identity } = await ask(app, token, 'pull');
    const others = [tokenOf(scope, 'bob'), tokenOf(`${scope}-2`), tokenOf(`${scope}-2`, 'bob')];
    const refused = { statusCode: 409, code: 'identity_changed', path: 'expected_identity' };
    for (const other of others) {
      const query = `expected_identity=${String(identity)}`;
      const answers = [
        await ask(app, other, 'push', push({ expected_identity: identity })),
        await ask(app, other, 'push', push({ expected_identity: identity, scope: 'shared' })),
        await ask(app, other, `pull?${query}`),
        await ask(app, other, `full?${query}`),
        await ask(app, other, `digest?${query}`),
        await ask(app, other, `documents?${query}&collection=tasks&ids=["a"]`),
        await ask(app, other, `info?${query}`),
      ];
      for (const answer of answers) {
        expect(answer).toMatchObject({ status: 409, body: refused });
        expect(answer.identity).not.toBe(identity);
      }
    }
    const written = await app
      .get(OplogRepository)
      .entries.distinct('actor', { scope: { $in: [scope, `${scope}-2`] } });
    expect(written).toEqual(['ann']);
    const query = `expected_identity=${String(identity)}`;
    expect((await ask(app, token, 'push', push({ expected_identity: identity }))).status).toBe(200);
    expect((await ask(app, token, `pull?${query}`)).status).toBe(200);
    expect((await ask(app, token, `full?${query}&scope=shared`)).status).toBe(200);
    expect((await ask(app, token, `documents?collection=notes&ids=n&${query}`)).status).toBe(200);
  });

  it.each([
    'pull?expected_identity=',
    'pull?expected_identity=a&expected_identity=b',
    'full?expected_identity=',
    'digest?expected_identity=',
    'documents?collection=notes&ids=n&expected_identity=',
  ])('is malformed in %s', async (path) => {
    const { status, body } = await ask(app, token, path);
    expect({ status, body }).toMatchObject({
      status: 400,
      body: { code: 'malformed_request', path: 'expected_identity' },
    });
  });

  it.each(['', 7, ['a'], {}])('is malformed as %j in a push', async (expected_identity) => {
    const { status, body } = await ask(app, token, 'push', push({ expected_identity }));
    expect({ status, path: body['path'] }).toEqual({ status: 400, path: 'expected_identity' });
  });
});

describe('the identity that clients know', () => {
  it('is the same in processes that start at once and after a restart, and differs by scope, actor and database', async () => {
    const apps = await Promise.all([start(elsewhere.uri), start(elsewhere.uri), start(elsewhere.uri)]);
    const ids = ['a', 'b'].flatMap((scope) => ['ann', 'bob'].map((actor) => tokenOf(scope, actor)));
    const told = async (app: INestApplication): Promise<unknown[]> =>
      Promise.all(ids.map(async (token) => (await ask(app, token, 'pull')).identity));
    const [first, ...others] = await Promise.all(apps.map(told));
    expect(new Set(first).size).toBe(4);
    for (const other of others) expect(other).toEqual(first);
    await Promise.all(apps.map((app) => app.close()));
    const again = await start(elsewhere.uri);
    expect(await told(again)).toEqual(first);
    const foreign = await start();
    for (const identity of await told(foreign)) expect(first).not.toContain(identity);
    await again.close();
    await foreign.close();
  });

  it('is not made of two texts that could be divided elsewhere', async () => {
    const app = await start();
    const of = async (scope: string, actor: string): Promise<unknown> =>
      (await ask(app, tokenOf(scope, actor), 'pull')).identity;
    expect(await of('ab', 'c')).not.toBe(await of('a', 'bc'));
    expect(await of('a","b', 'c')).not.toBe(await of('a', 'b","c'));
    await app.close();
  });
});

describe('over the socket', () => {
  let app: INestApplication;
  let known: string | null;
  const clients: StreamClient[] = [];
  beforeAll(async () => {
    app = await start();
    known = (await ask(app, tokenOf('socket'), 'pull')).identity;
  });
  afterEach(() => clients.splice(0).forEach(({ socket }) => socket.terminate()));
  afterAll(() => app.close());
  const connect = async (token: string): Promise<StreamClient> => {
    const url = `${(await app.getUrl()).replace('http', 'ws')}/sync/stream?token=${token}`;
    const client = await StreamClient.open(url);
    clients.push(client);
    return client;
  };

  it('it is in subscribed, and a subscription of another identity closes the socket', async () => {
    const own = await connect(tokenOf('socket'));
    own.say({ type: 'subscribe', ack: true, expected_identity: known });
    expect(await own.until('subscribed')).toMatchObject({ identity: known });
    const other = await connect(tokenOf('socket', 'bob'));
    other.say({ type: 'subscribe', ack: true, expected_identity: known });
    expect(await other.untilClosed()).toBe(4403);
    expect(other.messages).toEqual([
      expect.objectContaining({ type: 'error', code: 'identity_changed', path: 'expected_identity' }),
    ]);
  });

  it('a push of another identity is refused, is not made, and leaves the socket open', async () => {
    const client = await connect(tokenOf('socket', 'bob'));
    client.say({ type: 'push', id: 1, ...push({ expected_identity: known }) });
    expect(await client.until('push_failed')).toMatchObject({ id: 1, code: 'identity_changed' });
    client.say({ type: 'push', id: 2, ...push() });
    const answer: Received = await client.until('pushed');
    expect(answer['id']).toBe(2);
    const oplog = app.get(OplogRepository);
    expect(await oplog.entries.countDocuments({ scope: 'socket' })).toBe(1);
  });
});
