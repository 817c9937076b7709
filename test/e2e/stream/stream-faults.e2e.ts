import { NoMetrics } from '../../../libs/sync/src/metrics/metrics';
import { testDatabase } from '../../support/database';
import { FailPoints } from '../../support/fail-point';
import { startStreamApp, type StreamApp } from '../../support/stream-app';
import { eventually, StreamClient, upTo } from '../../support/stream-client';

/** Not resumable: the driver gives the stream up. */
const HISTORY_LOST = 286;
const INTERRUPTED_AT_SHUTDOWN = 11600;

class Gauges extends NoMetrics {
  open = 0;
  live = 0;
  override sockets(open?: number): void {
    this.open = open ?? 0;
  }
  override subscribers(live?: number): void {
    this.live = live ?? 0;
  }
}

describe('a stream whose database or clients fail', () => {
  const appName = 'stream-faults';
  const gauges = new Gauges();
  let stream: StreamApp;
  let faults: FailPoints;
  let scopes = 0;
  let scope: string;

  beforeAll(async () => {
    faults = await FailPoints.start();
    stream = await startStreamApp({
      uri: faults.uri(appName),
      appName,
      metrics: gauges,
      options: { pingIntervalMs: 60_000, socketBufferBytes: 64 << 10 },
    });
  });
  afterEach(async () => {
    await faults.off();
    stream.hangUp();
    await eventually('all clients gone', () => gauges.open === 0 && gauges.live === 0);
  });
  afterAll(async () => {
    await stream.app.close();
    await faults.close();
  });
  beforeEach(() => {
    scopes += 1;
    scope = `f${String(scopes)}`;
  });

  const subscribe = (message: object = {}): Promise<StreamClient> =>
    stream.subscribe({ token: stream.token({ business_id: scope }), ...message });
  const write = (note = ''): Promise<number> => stream.writer.write(scope, ['tasks', 'notes'], note);

  it('loses nothing when the change stream is lost, and a late subscriber waits for the next one', async () => {
    const client = await subscribe();
    await write();
    await client.untilSeq(2);
    const before = stream.hub.reopened;
    await faults.set({ commands: ['getMore', 'aggregate'], appName, errorCode: HISTORY_LOST });
    await eventually('loss', () => !stream.hub.alive);
    for (let i = 0; i < 5; i += 1) await write();
    const late = await subscribe();
    await faults.off();
    await client.untilSeq(12);
    await late.untilSeq(12);
    await write();
    await client.untilSeq(14);
    await late.untilSeq(14);
    expect(client.seqs).toEqual(upTo(14));
    expect(late.seqs).toEqual(upTo(14));
    expect(stream.hub.reopened).toBe(before + 1);
    expect(stream.hub.alive).toBe(true);
  });

  it('loses nothing when the stream breaks again and again while a writer writes', async () => {
    const clients = await Promise.all([subscribe(), subscribe({ collections: ['notes'] })]);
    let writing = true;
    const writer = (async () => {
      let last = 0;
      while (writing) last = await write();
      return last;
    })();
    const before = stream.hub.reopened;
    for (let breaks = 1; breaks <= 5; breaks += 1) {
      await faults.set({ commands: ['getMore'], appName, errorCode: HISTORY_LOST, times: 1 });
      await eventually('reopened', () => stream.hub.reopened >= before + breaks);
    }
    writing = false;
    const last = await writer;
    for (const client of clients) await client.untilSeq(last);
    expect(clients[0]?.seqs).toEqual(upTo(last));
    expect(clients[1]?.seqs).toEqual(upTo(last).filter((seq) => seq % 2 === 0));
  });

  it('opens another change stream when the one that it has falls silent', async () => {
    const client = await subscribe();
    await write();
    await client.untilSeq(2);
    const before = stream.hub.reopened;
    const hangs = await faults.set({
      commands: ['getMore'],
      appName,
      blockTimeMS: 10_000,
      times: 1,
    });
    await hangs();
    await write();
    await client.untilSeq(4);
    expect(client.seqs).toEqual(upTo(4));
    expect(stream.hub.reopened).toBe(before + 1);
  });

  it('loses nothing when the server forgets the cursor', async () => {
    const client = await subscribe();
    await write();
    await client.untilSeq(2);
    const cursors = await faults.changeStreams(appName);
    expect(cursors).toHaveLength(1);
    await faults.killCursors(appName, 'sync_oplog', cursors);
    await write();
    await client.untilSeq(4);
    expect(client.seqs).toEqual(upTo(4));
  });

  it.each([
    ['broken connections', { closeConnection: true }],
    ['a server that goes down', { errorCode: INTERRUPTED_AT_SHUTDOWN }],
  ])('reads the backlog through %s', async (_, fault) => {
    await write();
    await faults.set({ commands: ['find'], appName, times: 6, ...fault });
    const client = await subscribe();
    await client.untilSeq(2);
    expect(client.seqs).toEqual([1, 2]);
  });

  it('closes with 1011 and says nothing more when the log cannot be read at all', async () => {
    await write();
    const logged = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
    const errors = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    await faults.set({ commands: ['find'], appName, errorCode: 13 });
    const client = await subscribe();
    expect(await client.untilClosed()).toBe(1011);
    expect(client.ofType('error')).toEqual([
      { type: 'error', code: 'internal', message: 'Something went wrong in the server.' },
    ]);
    logged.mockRestore();
    errors.mockRestore();
  });

  it('does not let a socket that reads nothing for a while delay others, and catches it up', async () => {
    const slow = await subscribe();
    const quick = await subscribe();
    await write();
    await slow.untilSeq(2);
    slow.socket.pause();
    const note = 'x'.repeat(200_000);
    for (let i = 0; i < 60; i += 1) {
      const seq = await write(note);
      await quick.untilSeq(seq);
    }
    expect(quick.seqs).toEqual(upTo(122));
    expect(slow.seqs).toEqual([1, 2]);
    slow.socket.resume();
    await slow.untilSeq(122);
    expect(slow.seqs).toEqual(upTo(122));
    await write();
    await slow.untilSeq(124);
  });

  it('serves 200 concurrent subscribers, live', async () => {
    await write();
    const clients = await Promise.all(upTo(200).map(() => subscribe()));
    for (let i = 0; i < 20; i += 1) await write();
    for (const client of clients) {
      await client.untilSeq(42);
      expect(client.seqs).toEqual(upTo(42));
    }
  });

  it('forgets clients that are gone', async () => {
    const clients = await Promise.all(upTo(20).map(() => subscribe()));
    await write();
    for (const client of clients) await client.untilSeq(2);
    expect(gauges).toMatchObject({ open: 20, live: 20 });
    for (const [index, client] of clients.entries()) {
      if (index % 2 === 0) client.socket.terminate();
      else client.say({ type: 'unsubscribe' });
    }
    await eventually('gone', () => gauges.open === 10 && gauges.live === 0);
  });
});

describe('a stream whose log is dropped', () => {
  // The cursor is gone then, and the driver would say so at once however often it is asked: the process would hang.
  it('opens another change stream', async () => {
    const stream = await startStreamApp({ uri: testDatabase(__filename).uri });
    try {
      const client = await stream.subscribe();
      await stream.writer.write('b1', ['tasks']);
      await client.untilSeq(1);
      await stream.oplog.entries.drop();
      await eventually('another', () => stream.hub.reopened > 0);
    } finally {
      await stream.app.close();
    }
  });
});

describe('a stream that is used in the process', () => {
  let stream: StreamApp;
  const gauges = new Gauges();
  const identity = { scopeId: 'b1', actorId: 'u1' };

  beforeAll(async () => {
    stream = await startStreamApp({ uri: testDatabase(__filename).uri, metrics: gauges });
  });
  afterAll(() => stream.app.close());

  it('ends with its signal and with a break, and leaves nothing behind', async () => {
    await stream.writer.write('b1', ['tasks', 'notes']);
    const stop = new AbortController();
    const seen: number[] = [];
    const reading = (async () => {
      for await (const message of stream.streams.subscribe(identity, {}, stop.signal)) {
        if (message.kind === 'change') seen.push(message.seq);
      }
    })();
    await eventually('both', () => seen.length === 2);
    expect(gauges.live).toBe(1);
    stop.abort();
    await reading;
    for await (const message of stream.streams.subscribe(identity)) {
      if (message.kind === 'change' && message.seq === 2) break;
    }
    expect(gauges.live).toBe(0);
  });

  it('yields a resync for an unknown cursor, and ends', async () => {
    const messages: unknown[] = [];
    const since = '20200101T000000.000Z-0000-nobody';
    for await (const message of stream.streams.subscribe(identity, { since, collections: ['tasks'] })) {
      messages.push(message);
    }
    expect(messages).toEqual([{ kind: 'resync', reason: 'unknown_cursor', collections: ['tasks'] }]);
  });

  it('counts an entry in its position only when the consumer comes back for more', async () => {
    await stream.writer.write('b1', ['tasks']);
    const subscription = await stream.streams.open(identity, {}, new AbortController().signal);
    const seqs: [number, number | undefined][] = [];
    for await (const message of subscription) {
      if (message.kind !== 'change') break;
      seqs.push([message.seq, subscription.position?.seq]);
      if (message.seq === 3) break;
    }
    expect(seqs).toEqual([
      [1, undefined],
      [2, 1],
      [3, 2],
    ]);
  });

  it.each([
    [{ since: 'x' }, 'invalid_cursor'],
    [{ collections: ['nowhere'] }, 'unknown_collection'],
  ])('refuses %j', async (request, code) => {
    await expect(stream.streams.subscribe(identity, request).next()).rejects.toMatchObject({ code });
  });
});
