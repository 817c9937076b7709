import { connect, type Socket } from 'node:net';
import { Schema } from 'mongoose';
import { testDatabase } from '../../support/database';
import { startHttpApp, upsert, type Device, type HttpApp } from '../../support/http-app';
import { until } from '../../support/until';

const CODES = new Schema({ _id: String, code: String }, { versionKey: false });
CODES.index(
  { _sync_scope_id: 1, code: 1 },
  { unique: true, partialFilterExpression: { _sync_deleted: false } },
);

describe('while one tenant floods the server, another', () => {
  let app: HttpApp;
  let alice: Device;
  let bob: Device;
  let wanted = 0;
  const held: Socket[] = [];

  beforeAll(async () => {
    app = await startHttpApp(testDatabase(__filename).uri, {
      stream: true,
      models: [{ name: 'Code', schema: CODES, collection: 'codes' }],
      options: {
        // One transaction at a time: each request waits for all that are before it.
        lanes: 1,
        collections: [{ name: 'notes', freeForm: true, ids: 'scoped' }, 'codes'],
        maxFullLimit: 10_000,
      },
    });
    alice = app.as('a', 'alice');
    bob = app.as('b', 'bob');
    await Promise.all([alice, bob].map((device) => device.one(upsert('notes', 'first', {}))));
  });
  afterEach(() => {
    for (const socket of held.splice(0)) socket.destroy();
  });
  afterAll(() => app.close());

  const identity = (scopeId: string) => ({ scopeId, actorId: 'x', user: {} });
  const batch = (name: string, count: number, size = 20): object[] =>
    Array.from({ length: count }, (_, n) =>
      upsert('notes', `${name}-${String(n)}`, { text: 'x'.repeat(size) }),
    );
  /** A's next push: of another document each time. */
  const push = async (): Promise<void> => {
    const { status } = await alice.one(upsert('notes', `a-${String(wanted++)}`, { n: wanted }));
    expect(status).toBe('accepted');
  };

  /**
   * Pushes of B are handed to the queue, all before A's; how many of them are answered before A is.
   * Counted and not timed: the machine's load makes everything slower, and changes no order.
   */
  async function answeredBefore(flood: readonly object[][]): Promise<number> {
    let answered = 0;
    const all = flood.map((changes) =>
      app.sync.push(identity('b'), { client_id: 'flood', atomic: 'batch', changes }).then(() => answered++),
    );
    // Checks of the data need no I/O: by now all of them wait in the queue.
    await new Promise(setImmediate);
    const already = answered;
    await app.sync.push(identity('a'), { client_id: 'a', changes: [upsert('notes', 'queued', {})] });
    const before = answered - already;
    await Promise.all(all);
    expect(answered).toBe(flood.length);
    return before;
  }

  it('waits in the queue for one transaction that runs and one that fills up, and no more', async () => {
    // The first transaction is under way when A comes. The next one is full of B's changes, so A does not fit into
    // it; then it is A's turn. A queue in the order of arrival would answer all five before.
    const full = Array.from({ length: 5 }, (_, n) => batch(`full-${String(n)}`, 1000));
    expect(await answeredBefore(full)).toBeLessThanOrEqual(2);
    // Small pushes share a transaction of a thousand changes: two transactions are two thousand pushes.
    const small = Array.from({ length: 2600 }, (_, n) => batch(`small-${String(n)}`, 1));
    expect(await answeredBefore(small)).toBeLessThanOrEqual(2001);
  });

  it('is not held up by pushes that break the transactions that they share', async () => {
    await bob.one(upsert('codes', 'taken', { code: 'taken' }));
    const bad = Array.from({ length: 30 }, (_, n) => [
      upsert('codes', `bad-${String(n)}`, { code: 'taken' }),
    ]);
    // A's first transaction may be broken by the first of them. From then on B's scope goes alone.
    expect(await answeredBefore(bad)).toBeLessThanOrEqual(2);
  });

  /**
   * B sends one request after another on each connection. Between A's request and its answer each connection is served
   * some times: that many rounds A waits. Counted in B's own answers and not in time, so that a slow machine changes
   * nothing: three times as busy a machine gave the same numbers.
   *
   * A push goes to the database and back about eight times, and the process serves every connection that has something
   * at most once or so in between. So a dozen rounds are a fair share, and more would be a place where B comes first.
   *
   * @returns the median over A's pushes
   */
  async function roundsUnder(connections: number, request: (n: number) => Promise<unknown>): Promise<number> {
    let answered = 0;
    let over = false;
    const loops = Array.from({ length: connections }, async (_, n) => {
      for (; !over; answered++) await request(n);
    });
    await until(() => answered >= connections);
    const rounds: number[] = [];
    for (let n = 0; n < 7; n++) {
      const start = answered;
      await push();
      rounds.push((answered - start) / connections);
    }
    over = true;
    await Promise.all(loops);
    return rounds.toSorted((a, b) => a - b)[3]!;
  }

  it('waits few rounds of large pushes that contend for the same documents', async () => {
    const { new_version: parent_version } = await bob.one(upsert('notes', 'n-0', {}));
    const changes = Array.from({ length: 200 }, (_, n) =>
      upsert('notes', `n-${String(n % 20)}`, { text: 'x'.repeat(100) }, { parent_version }),
    );
    expect(await roundsUnder(6, () => bob.tryPush(changes, { atomic: 'mutation' }))).toBeLessThanOrEqual(3);
  });

  it('waits few rounds of requests that are refused', async () => {
    const refused = ['{"client_id":', '[]', JSON.stringify({ client_id: 'b', changes: [{}, 1, null] })];
    const ask = (n: number): Promise<unknown> =>
      n % 4 === 3 ? bob.send('/sync/full?cursor=x') : bob.send('/sync/push', refused[n % 4]);
    expect(await roundsUnder(20, ask)).toBeLessThanOrEqual(12);
  });

  it('waits few rounds of reads of large pages', async () => {
    await bob.push(batch('read', 100, 200));
    expect(await roundsUnder(10, () => bob.send('/sync/pull?limit=100'))).toBeLessThanOrEqual(12);
  });

  /** A connection that sends this, and takes nothing of what comes back. */
  function hold(text: string): void {
    const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.pause();
    socket.write(text);
    held.push(socket);
  }

  it('is served while dozens of connections of B are held open, unread or half sent', async () => {
    for (let n = 0; n < 4; n++) await bob.push(batch(`held-${String(n)}`, 250, 4_000));
    const head = (line: string, more: string): string =>
      `${line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bob.token}\r\n${more}\r\n`;
    const upgrade =
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
    const subscribe = Buffer.from('{"type":"subscribe"}');
    // Masked with zeros.
    const frame = Buffer.concat([
      Buffer.from([0x81, 0x80 | subscribe.length, 0, 0, 0, 0]),
      subscribe,
    ]).toString('latin1');
    for (let n = 0; n < 60; n++) {
      if (n < 8) hold(head('GET /sync/full?limit=0', ''));
      hold(
        `${head('POST /sync/push', 'Content-Type: application/json\r\nContent-Length: 9000\r\n')}{"client_id":`,
      );
      if (n < 16) hold(head('GET /sync/stream', upgrade) + frame);
    }
    await until(() => held.every((socket) => socket.bytesWritten > 0 && !socket.connecting));
    // They stay as they are: whatever they keep from A (a connection to the database, a lane, a turn) they keep for as
    // long as this test runs. So no time is measured: a push that is blocked is refused with 503 at its own deadline, or
    // never answered.
    for (let n = 0; n < 20; n++) await push();
    // The flood was one to the end: what nobody reads is not read from the database either.
    const { metrics } = (await app.db.admin().serverStatus()) as {
      metrics: { cursor: { open: { total: number } } };
    };
    expect(metrics.cursor.open.total).toBeGreaterThanOrEqual(8);
    expect((await alice.pull('limit=1000')).changes.length).toBeGreaterThanOrEqual(20);
  }, 120_000);
});
