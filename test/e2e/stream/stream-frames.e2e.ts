import { WsAdapter } from '@nestjs/platform-ws';
import { testDatabase } from '../../support/database';
import { startStreamApp, type StreamApp, type StreamAppOptions } from '../../support/stream-app';
import type { StreamClient } from '../../support/stream-client';

/** An app's adapter that turns compression on for every path. */
class DeflatingWsAdapter extends WsAdapter {
  override create(port: number, options?: Record<string, unknown>): unknown {
    return super.create(port, { ...options, perMessageDeflate: true } as never) as unknown;
  }
}

const WAYS: [string, string, Partial<StreamAppOptions>][] = [
  ['as frames that all sockets share', '', {}],
  [
    'message by message, with an extension',
    'permessage-deflate',
    { prepare: (app) => app.useWebSocketAdapter(new DeflatingWsAdapter(app)) },
  ],
];

describe.each(WAYS)('entries of many subscribers, %s', (_, extensions, way) => {
  const database = testDatabase(__filename);
  let stream: StreamApp;
  let scopes = 0;
  let scope: string;

  beforeAll(async () => {
    stream = await startStreamApp({
      uri: database.uri,
      // A buffer that some of the messages fill.
      options: { pingIntervalMs: 2_000, socketBufferBytes: 32 << 10 },
      ...way,
    });
  });
  beforeEach(() => {
    scopes += 1;
    scope = `frames${String(scopes)}`;
  });
  afterEach(() => stream.hangUp());
  afterAll(() => stream.app.close());

  const subscribe = (message: object = {}): Promise<StreamClient> =>
    stream.subscribe({ token: stream.token({ business_id: scope }), ack: true, ...message });
  const logged = async (...collections: string[]): Promise<string[]> => {
    const rows = await stream.oplog.entries.find({ scope }).sort({ seq: 1 }).toArray();
    return rows.filter(({ collection }) => collections.includes(collection)).map(({ wire }) => wire);
  };

  it('are one message each, the text of the log byte for byte, whatever each of them requested', async () => {
    const all = await Promise.all(Array.from({ length: 12 }, () => subscribe()));
    const tasks = await Promise.all(Array.from({ length: 12 }, () => subscribe({ collections: ['tasks'] })));
    const both = await Promise.all(
      Array.from({ length: 12 }, () => subscribe({ collections: ['orders', 'notes'] })),
    );
    for (const client of [...all, ...tasks, ...both]) await client.until('subscribed');
    expect(all[0]?.socket.extensions).toBe(extensions);
    let last = 0;
    // Lengths around those at which a frame's header changes.
    for (const length of [0, 1, 65_200, 3, 200_000, 5, 70_000])
      last = await stream.push(
        scope,
        ['tasks', 'notes', 'orders', 'tasks', 'tasks', 'notes'],
        'ü'.repeat(length / 2),
      );
    await stream.push(scope, ['tasks', 'notes']);
    for (const client of all) await client.untilSeq(last + 2);
    for (const client of tasks) await client.untilSeq(last + 1);
    for (const client of both) await client.untilSeq(last + 2);
    for (const client of all) expect(client.texts).toEqual(await logged('tasks', 'notes', 'orders'));
    for (const client of tasks) expect(client.texts).toEqual(await logged('tasks'));
    for (const client of both) expect(client.texts).toEqual(await logged('notes', 'orders'));
    for (const client of [...all, ...tasks, ...both]) expect(client.closeCode).toBeUndefined();
  });

  it('stay intact between pongs and answers, while the client sends and subscribes again', async () => {
    const client = await subscribe();
    await client.until('subscribed');
    let writing = true;
    const writer = (async () => {
      let last = 0;
      while (writing) last = await stream.push(scope, ['tasks', 'notes', 'tasks'], 'x'.repeat(20_000));
      return last;
    })();
    for (let round = 2; round < 12; round += 1) {
      client.socket.ping('?'.repeat(125));
      client.say({ type: 'subscribe', since: client.entries.at(-1)?.version, ack: true });
      await client.until('subscribed', round);
    }
    writing = false;
    const last = await writer;
    await client.untilSeq(last);
    expect(client.closeCode).toBeUndefined();
    const texts = await logged('tasks', 'notes');
    expect(new Set(client.texts)).toEqual(new Set(texts));
  });
});
