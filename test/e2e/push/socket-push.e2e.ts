import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { testDatabase } from '../../support/database';
import { startStreamApp, type StreamApp } from '../../support/stream-app';
import { eventually, upTo, type Received, type StreamClient } from '../../support/stream-client';

/** What holds pushes up between their check and their commit, while it is closed. */
class Gate {
  /** Pushes that stand before it. */
  waiting = 0;
  most = 0;
  private opened: Promise<void> = Promise.resolve();
  private open: () => void = () => undefined;

  shut(): void {
    this.opened = new Promise((resolve) => (this.open = resolve));
    this.most = 0;
  }

  lift(): void {
    this.open();
  }

  async pass(): Promise<true> {
    this.waiting += 1;
    this.most = Math.max(this.most, this.waiting);
    await this.opened;
    this.waiting -= 1;
    return true;
  }
}

/** Each test has its own scope, and with it its own ids. */
const collections = ['tasks', 'notes', 'orders'].map(
  (name) => ({ name, freeForm: true, ids: 'scoped' }) as const,
);

describe('pushes over the socket', () => {
  const database = testDatabase(__filename);
  const gate = new Gate();
  let stream: StreamApp;
  let scopes = 0;
  let scope: string;
  const connections = new Set<Socket>();

  beforeAll(async () => {
    stream = await startStreamApp({
      uri: database.uri,
      options: {
        collections,
        // Two processes write one scope: on a loaded machine they may be in each other's way for long.
        retryDeadlineMs: 60_000,
        // A client that shares its process with the server has to come to answer within it, also on a loaded machine.
        pingIntervalMs: 1_000,
        subscribeTimeoutMs: 1_500,
        socketBufferBytes: 64 << 10,
        limits: {
          maxSocketPushes: 4,
          maxPushBytes: 1 << 20,
          maxSocketMessageBytes: 64 << 10,
          maxChanges: 10,
        },
        authorizer: (_identity, collection, action) =>
          action === 'upsert' && collection === 'orders' ? gate.pass() : action !== 'delete',
      },
    });
    (stream.app.getHttpServer() as Server).on('connection', (socket) => connections.add(socket));
  });
  afterEach(() => {
    gate.lift();
    stream.hangUp();
  });
  afterAll(() => stream.app.close());
  beforeEach(() => {
    scopes += 1;
    scope = `s${String(scopes)}`;
  });

  const token = (claims: object = {}, seconds?: number): string =>
    stream.token({ business_id: scope, ...claims }, seconds);
  const upsert = (doc_id: string, more: object = {}): object => ({
    collection: 'tasks',
    operation: 'upsert',
    doc_id,
    data: { title: doc_id },
    ...more,
  });
  const push = (id: unknown, changes: unknown = [upsert(`d-${String(id)}`)], more: object = {}): object => ({
    type: 'push',
    id,
    client_id: 'phone',
    changes,
    ...more,
  });
  const held = (id: unknown): object => push(id, [upsert(`h-${String(id)}`, { collection: 'orders' })]);
  /** A socket that has credentials and no subscription. */
  async function signedIn(): Promise<StreamClient> {
    const client = await stream.connect();
    client.say({ type: 'token', token: token() });
    return client;
  }
  const answers = (client: StreamClient): Received[] =>
    client.messages.filter(({ type }) => type === 'pushed' || type === 'push_failed');
  async function answerTo(client: StreamClient, id: unknown): Promise<Received> {
    const find = (): Received | undefined => answers(client).find((answer) => answer['id'] === id);
    await eventually(
      () => `an answer to ${String(id)}; closed with ${String(client.closeCode)}`,
      () => find() !== undefined,
    );
    return find() ?? {};
  }
  async function overHttp(path: string, body?: object): Promise<{ status: number; body: Received }> {
    const response = await fetch(`${stream.url.replace('ws:', 'http:').replace('/stream', '')}${path}`, {
      headers: { authorization: `Bearer ${token()}`, 'content-type': 'application/json' },
      ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
    });
    return { status: response.status, body: (await response.json()) as Received };
  }
  const written = async (): Promise<string[]> =>
    (await stream.oplog.entries.find({ scope }).sort({ seq: 1 }).toArray()).map(
      ({ wire }) => (JSON.parse(wire) as { doc_id: string }).doc_id,
    );

  it('are answered as over HTTP, with the id that was sent, and reach the subscribers', async () => {
    const client = await stream.subscribe({ token: token() });
    client.say(push(1, [upsert('a', { mutation_id: 'm1' }), upsert('b')]));
    client.say(
      push('1', [upsert('a', { parent_version: '20200101T000000.000Z-0000-x' })], { atomic: 'mutation' }),
    );
    const [first, second] = [await answerTo(client, 1), await answerTo(client, '1')];
    const again = await overHttp('/push', {
      client_id: 'phone',
      changes: [upsert('a', { mutation_id: 'm1' })],
    });
    await client.untilSeq(2);
    const versions = client.entries.map(({ version }) => version);
    const accepted = (doc_id: string, version: unknown): object => ({
      doc_id,
      status: 'accepted',
      new_version: version,
      server_version: null,
      code: null,
      error: null,
    });
    expect(first).toMatchObject({
      type: 'pushed',
      results: [{ ...accepted('a', versions[0]), mutation_id: 'm1' }, accepted('b', versions[1])],
    });
    expect(again.body).toMatchObject({ results: [{ ...accepted('a', versions[0]), replayed: true }] });
    expect(second).toMatchObject({
      type: 'pushed',
      results: [{ doc_id: 'a', status: 'rejected', code: 'conflict_stale', server_version: versions[0] }],
    });
  });

  it('ask the authorizer as over HTTP', async () => {
    const client = await signedIn();
    const changes = [{ collection: 'tasks', operation: 'delete', doc_id: 'a' }];
    client.say(push(1, changes));
    const { results } = await answerTo(client, 1);
    expect(results).toEqual([expect.objectContaining({ status: 'rejected', code: 'forbidden' })]);
    expect(results).toEqual((await overHttp('/push', { client_id: 'phone', changes })).body['results']);
  });

  it('need no subscription: with a token message, with the URL, with the header of the upgrade', async () => {
    const ways = [
      signedIn,
      () => stream.connect(`/sync/stream?token=${token()}`),
      () => stream.connect(undefined, { headers: { authorization: `Bearer ${token()}` } }),
    ];
    for (const [index, open] of ways.entries()) {
      const client = await open();
      client.say(push(index));
      expect(await answerTo(client, index)).toMatchObject({ type: 'pushed' });
      // Longer than a socket may stay without having said anything.
      const pings = client.ofType('ping').length;
      await eventually(
        'many pings',
        () => client.ofType('ping').length > pings + 2 || client.closeCode !== undefined,
      );
      expect(client.closeCode).toBeUndefined();
    }
    expect((await written()).sort()).toEqual(['d-0', 'd-1', 'd-2']);
  });

  it('are refused without credentials, and the socket can have some afterwards', async () => {
    const client = await stream.connect();
    client.say(push(1));
    expect(await answerTo(client, 1)).toMatchObject({ type: 'push_failed', code: 'unauthenticated' });
    client.say({ type: 'token', token: token() });
    client.say(push(1));
    await eventually('the second answer', () => answers(client).length === 2);
    expect(answers(client)[1]).toMatchObject({ type: 'pushed', id: 1 });
    expect(await written()).toEqual(['d-1']);
  });

  it('without credentials keep no socket open, and cost at most so many checks', async () => {
    const quiet = await stream.connect();
    quiet.say(push(1));
    expect(await quiet.untilClosed()).toBe(4408);
    const loud = await stream.connect();
    for (const id of upTo(100)) loud.say(push(id));
    expect(await loud.untilClosed()).toBe(4429);
    expect(await written()).toEqual([]);
  });

  it.each([
    ['no changes', {}, { code: 'malformed_request', path: 'changes' }],
    ['no client', { client_id: '' }, { code: 'malformed_request', path: 'client_id' }],
    ['too many changes', { changes: upTo(11).map((n) => ({ n })) }, { code: 'too_many_changes' }],
    ['an unknown atomicity', { atomic: 'all' }, { code: 'malformed_request', path: 'atomic' }],
  ])('leave the socket open when they are refused: %s', async (_, fields, told) => {
    const client = await signedIn();
    client.say({ type: 'push', id: 'bad', client_id: 'phone', ...fields });
    client.say(push('good'));
    expect(await answerTo(client, 'bad')).toMatchObject({ type: 'push_failed', ...told });
    expect(await answerTo(client, 'good')).toMatchObject({ type: 'pushed' });
    expect(await written()).toEqual(['d-good']);
  });

  it('may be as large as over HTTP, and are refused by their id when they are larger', async () => {
    const client = await signedIn();
    const large = (bytes: number): object[] => [
      upsert('x', { data: { text: 'x'.repeat(bytes / 2) } }),
      upsert('y', { data: { text: 'x'.repeat(bytes / 2) } }),
    ];
    client.say(push('fits', large((1 << 20) - 1_000)));
    expect(await answerTo(client, 'fits')).toMatchObject({ type: 'pushed' });
    client.say(push('more', large((1 << 20) + 1_000)));
    expect(await answerTo(client, 'more')).toMatchObject({ type: 'push_failed', code: 'payload_too_large' });
    client.say({ type: 'subscribe', token: 'x'.repeat(64 << 10) });
    expect(await client.untilClosed()).toBe(1009);
    const another = await signedIn();
    another.say(push('much more', large(3 << 20)));
    expect(await another.untilClosed()).toBe(1009);
    expect(await written()).toEqual(['x', 'y']);
  });

  it('close the socket without an id that could be given back', async () => {
    const client = await signedIn();
    client.say(push(undefined));
    expect(await client.untilClosed()).toBe(4400);
    expect(client.ofType('error')).toEqual([
      expect.objectContaining({ code: 'malformed_request', path: 'id' }),
    ]);
    expect(await written()).toEqual([]);
  });

  it('refuse the id of a push that has no answer yet, and that one goes on', async () => {
    gate.shut();
    const client = await signedIn();
    client.say(held('a'));
    await eventually('the first push', () => gate.waiting === 1);
    client.say(push('a', [upsert('other')]));
    expect(await answerTo(client, 'a')).toMatchObject({
      type: 'push_failed',
      code: 'push_id_in_use',
      path: 'id',
    });
    gate.lift();
    await eventually('its own answer', () => answers(client).length === 2);
    expect(answers(client)[1]).toMatchObject({ type: 'pushed', id: 'a' });
    client.say(push('a', [upsert('third')]));
    await eventually('the third answer', () => answers(client).length === 3);
    expect(answers(client)[2]).toMatchObject({ type: 'pushed', id: 'a' });
    expect(await written()).toEqual(['h-a', 'third']);
  });

  it('are only so many at a time, without a limit a second, and hold nothing else up', async () => {
    gate.shut();
    const client = await stream.subscribe({ token: token() });
    for (const id of upTo(60)) client.say(held(id));
    await eventually('as many as may be under way', () => gate.waiting === 4);
    // A socket that is not read from is not taken for dead, and gets what others write.
    await stream.push(scope, ['tasks']);
    await client.untilSeq(1);
    const pings = client.ofType('ping').length;
    await eventually('more pings', () => client.ofType('ping').length > pings + 1);
    gate.lift();
    for (const id of upTo(60)) expect(await answerTo(client, id)).toMatchObject({ type: 'pushed' });
    expect(gate.most).toBe(4);
    await client.untilSeq(61);
    expect(client.seqs).toEqual(upTo(61));
  });

  it('are not begun for a client that does not read its answers', async () => {
    const before = new Set(connections);
    const client = await signedIn();
    const server = [...connections].find((socket) => !before.has(socket));
    // Each answer brings the whole document along.
    client.say(push('seed', [upsert('large', { data: { text: 'x'.repeat(400_000) } })]));
    await answerTo(client, 'seed');
    client.socket.pause();
    const stale = upsert('large', { data: {}, parent_version: '20200101T000000.000Z-0000-x' });
    for (const id of upTo(200)) client.say(push(id, [stale]));
    await eventually(
      'a server that reads nothing more',
      () => server?.isPaused() === true && server.writableLength > 0,
    );
    expect(server?.writableLength).toBeLessThan(5 * 410_000);
    client.socket.resume();
    for (const id of upTo(200))
      expect(await answerTo(client, id)).toMatchObject({
        type: 'pushed',
        results: [{ code: 'conflict_stale', server_document: { deleted: false } }],
      });
  });

  it('are refused once the token has ended, and the socket closes', async () => {
    const client = await stream.connect();
    // Ends are whole seconds: one of a single second may end at once.
    client.say({ type: 'token', token: token({}, 2) });
    client.say(push('in time'));
    expect(await answerTo(client, 'in time')).toMatchObject({ type: 'pushed' });
    let sent = 0;
    await eventually('the end of the token', () => {
      if (client.closeCode === undefined) client.say(push((sent += 1)));
      return client.closeCode !== undefined;
    });
    expect(client.closeCode).toBe(4401);
    const failed = client.ofType('push_failed');
    expect(new Set(failed.map(({ code }) => code))).toEqual(
      new Set(failed.length > 0 ? ['unauthenticated'] : []),
    );
    const accepted = client.ofType('pushed').map(({ id }) => `d-${String(id)}`);
    expect(await written()).toEqual(expect.arrayContaining(accepted));
    const late = failed.map(({ id }) => `d-${String(id)}`);
    expect((await written()).filter((doc) => late.includes(doc))).toEqual([]);
  });

  it.each([
    ['scope', { business_id: 'another' }],
    ['user', { user_id: 'another' }],
  ])(
    'behind a token of another %s are nobody’s: the socket closes and they are not made',
    async (_, claims) => {
      const client = await signedIn();
      client.say(push('mine'));
      await answerTo(client, 'mine');
      client.say({ type: 'token', token: token(claims) });
      for (const id of upTo(10)) client.say(push(id));
      expect(await client.untilClosed()).toBe(4403);
      expect(answers(client).filter(({ type }) => type === 'pushed')).toHaveLength(1);
      // Whatever had got into the queue of the scope would be written before this one.
      await overHttp('/push', { client_id: 'phone', changes: [upsert('d-later')] });
      expect(await written()).toEqual(['d-mine', 'd-later']);
    },
  );

  it('reach the subscribers of another process, from sockets of both, in one order', async () => {
    const start = (): Promise<StreamApp> =>
      startStreamApp({ uri: database.uri, options: { collections, retryDeadlineMs: 60_000 } });
    const both = [await start(), await start()];
    const readers = await Promise.all(
      both.map((app) => app.subscribe({ token: app.token({ business_id: scope }) })),
    );
    const writers = await Promise.all(
      both.map(async (app) => {
        const client = await app.connect();
        client.say({ type: 'token', token: app.token({ business_id: scope }) });
        return client;
      }),
    );
    for (const id of upTo(30))
      for (const [at, client] of writers.entries())
        client.say(push(id, [upsert(`${String(at)}-${String(id)}`)]));
    const versions: unknown[] = [];
    for (const client of writers)
      for (const id of upTo(30)) {
        const answer = await answerTo(client, id);
        expect(answer).toMatchObject({ type: 'pushed', results: [{ status: 'accepted' }] });
        versions.push((answer['results'] as { new_version: string }[])[0]?.new_version);
      }
    for (const reader of readers) {
      await reader.untilSeq(60);
      expect(reader.seqs).toEqual(upTo(60));
      expect(reader.entries.map(({ version }) => version)).toEqual(versions.toSorted());
    }
    for (const app of both) {
      app.hangUp();
      await app.app.close();
    }
  });

  describe('of a process that stops', () => {
    let stopping: StreamApp;
    let closed: Promise<void> | undefined;
    beforeEach(async () => {
      closed = undefined;
      stopping = await startStreamApp({
        uri: database.uri,
        options: { collections, limits: { maxSocketPushes: 2 }, authorizer: () => gate.pass() },
      });
    });
    afterEach(async () => {
      gate.lift();
      await (closed ?? stopping.app.close());
    });
    const open = async (): Promise<StreamClient> => {
      const client = await stopping.connect();
      client.say({ type: 'token', token: stopping.token({ business_id: scope }) });
      return client;
    };

    it('are answered before the socket closes, when they have begun', async () => {
      const client = await open();
      client.say(push('first'));
      await answerTo(client, 'first');
      // Holds the commits of the scope up.
      const session = stream.oplog.client.startSession();
      session.startTransaction();
      await stream.oplog.heads.updateOne({ _id: scope }, { $set: { reserved: 'x' } }, { session });
      gate.shut();
      for (const id of [1, 2]) client.say(push(id));
      await eventually('two pushes under way', () => gate.waiting === 2);
      gate.lift();
      await eventually('both in the queue', () => gate.waiting === 0);
      closed = stopping.app.close();
      client.say(push(3));
      expect(await answerTo(client, 3)).toMatchObject({
        type: 'push_failed',
        code: 'shutting_down',
        retry_after: 2,
      });
      expect(client.closeCode).toBeUndefined();
      await session.abortTransaction();
      await session.endSession();
      expect(await client.untilClosed()).toBe(1012);
      expect(answers(client).map(({ type, id }) => [type, id])).toEqual([
        ['pushed', 'first'],
        ['push_failed', 3],
        ['pushed', 1],
        ['pushed', 2],
      ]);
      expect(await written()).toEqual(['d-first', 'd-1', 'd-2']);
    });

    it('are refused when they wait, and answered when they are still being checked', async () => {
      gate.shut();
      const [client, idle] = [await open(), await open()];
      for (const id of upTo(4)) client.say(push(id));
      await eventually('two pushes under way', () => gate.waiting === 2);
      closed = stopping.app.close();
      expect(await idle.untilClosed()).toBe(1012);
      for (const id of [3, 4]) expect(await answerTo(client, id)).toMatchObject({ code: 'shutting_down' });
      expect(client.closeCode).toBeUndefined();
      gate.lift();
      expect(await client.untilClosed()).toBe(1012);
      // Whether the queue still takes them depends on the order in which Nest ends its providers.
      const made = client.ofType('pushed').map(({ id }) => `d-${String(id)}`);
      const refused = client.ofType('push_failed').map(({ id, code }) => [id, code]);
      expect(made.length + refused.length).toBe(4);
      expect(refused.every(([, code]) => code === 'shutting_down')).toBe(true);
      expect((await written()).sort()).toEqual(made.sort());
    });
  });
});
