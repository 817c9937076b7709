import { openChangeStreams } from '../../support/change-streams';
import { testDatabase } from '../../support/database';
import { startStreamApp, type StreamApp } from '../../support/stream-app';
import { eventually, upTo } from '../../support/stream-client';

describe('a process that nobody listens to', () => {
  const database = testDatabase(__filename);
  const appName = database.name;
  let stream: StreamApp;

  beforeAll(async () => {
    stream = await startStreamApp({ uri: database.uri, appName, options: { pingIntervalMs: 200 } });
  });
  afterAll(() => stream.app.close());

  const open = async (): Promise<number> => (await openChangeStreams(stream.oplog.client, appName)).length;

  it('follows no change stream, and the next to listen misses nothing', async () => {
    await stream.writer.write('b1', ['tasks']);
    expect(await open()).toBe(0);
    for (const before of [1, 3, 5]) {
      const client = await stream.subscribe();
      await client.untilSeq(before);
      expect(await open()).toBe(1);
      await stream.writer.write('b1', ['tasks']);
      await client.untilSeq(before + 1);
      expect(client.seqs).toEqual(upTo(before + 1));
      client.socket.terminate();
      await eventually('the change stream closed', async () => (await open()) === 0);
      await stream.writer.write('b1', ['tasks']);
    }
    expect(stream.hub.reopened).toBe(0);
  });

  it('keeps its change stream for those who come back immediately', async () => {
    const first = await stream.subscribe();
    await first.untilSeq(1);
    const [id] = await openChangeStreams(stream.oplog.client, appName);
    first.socket.terminate();
    const second = await stream.subscribe();
    await second.untilSeq(1);
    expect(await openChangeStreams(stream.oplog.client, appName)).toEqual([id]);
  });
});
