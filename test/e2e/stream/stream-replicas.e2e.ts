import { ReplicaTrio } from '../../support/replica-trio';
import { startStreamApp, type StreamApp } from '../../support/stream-app';
import { eventually, upTo } from '../../support/stream-client';

describe('a stream on three members', () => {
  let trio: ReplicaTrio;
  let stream: StreamApp;

  beforeAll(async () => {
    trio = await ReplicaTrio.start();
    stream = await startStreamApp({ uri: trio.uri('stream'), serverSelectionTimeoutMS: 20_000 });
  }, 120_000);
  afterAll(async () => {
    await stream.app.close();
    await trio.stop();
  }, 120_000);

  it('gives what was written, but not confirmed, when its change stream was opened', async () => {
    await stream.writer.write('b1', ['tasks']);
    const second = await startStreamApp({
      uri: trio.uri('stream'),
      serverSelectionTimeoutMS: 20_000,
      // Opens its change stream with the first subscriber.
      extras: { stream: false },
    });
    await trio.stall(true);
    const written = stream.writer.write('b1', ['tasks'], '', 1);
    await written;
    const seqs: number[] = [];
    const stop = new AbortController();
    const reading = (async () => {
      const identity = { scopeId: 'b1', actorId: 'u1' };
      for await (const message of second.streams.subscribe(identity, {}, stop.signal)) {
        if (message.kind === 'change') seqs.push(message.seq);
      }
    })();
    await eventually('open', () => second.hub.seenUpTo !== undefined);
    await trio.stall(false);
    await eventually('both entries', () => seqs.length === 2);
    expect(seqs).toEqual([1, 2]);
    stop.abort();
    await reading;
    await second.app.close();
  }, 120_000);

  it('notices nothing but a delay when the primary dies while a writer writes', async () => {
    const clients = await Promise.all(upTo(5).map(() => stream.subscribe()));
    let writing = true;
    let last = 0;
    const writer = (async () => {
      while (writing) last = await stream.writer.write('b1', ['tasks', 'notes']).catch(() => last);
    })();
    await eventually('some entries', () => last > 50);
    await trio.killPrimary();
    const before = last;
    await eventually('more entries', () => last > before + 50);
    writing = false;
    await writer;
    for (const client of clients) {
      await client.untilSeq(last);
      expect(client.seqs).toEqual(upTo(client.seqs.length));
      expect(client.closeCode).toBeUndefined();
    }
  }, 120_000);
});
