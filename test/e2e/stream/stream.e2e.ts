import { SyncService } from '../../../libs/sync/src/sync.service';
import { testDatabase } from '../../support/database';
import { eventually, type StreamClient, upTo } from '../../support/stream-client';
import { startStreamApp, type StreamApp } from '../../support/stream-app';

describe('stream', () => {
  const database = testDatabase(__filename);
  let stream: StreamApp;
  let scopes = 0;
  let scope: string;

  beforeAll(async () => {
    stream = await startStreamApp({
      uri: database.uri,
      options: { pingIntervalMs: 1_000, subscribeTimeoutMs: 1_500 },
    });
  });
  afterEach(() => stream.hangUp());
  afterAll(() => stream.app.close());
  beforeEach(() => {
    scopes += 1;
    scope = `s${String(scopes)}`;
  });

  const subscribe = (message: object = {}): Promise<StreamClient> =>
    stream.subscribe({ token: stream.token({ business_id: scope }), ...message });
  const write = (...collections: string[]): Promise<number> => stream.push(scope, collections);

  it('sends the backlog over several pages and then what follows, while a writer writes', async () => {
    for (let i = 0; i < 10; i += 1) await stream.push(scope, Array<string>(100).fill('tasks'));
    let writing = true;
    const writer = (async () => {
      let last = 0;
      while (writing) last = await write('tasks', 'tasks', 'tasks');
      return last;
    })();
    const client = await subscribe();
    await client.untilSeq(1_100);
    writing = false;
    const last = await writer;
    await client.untilSeq(last);
    expect(client.seqs).toEqual(upTo(last));
  });

  it('sends each entry as pull gives it, byte for byte', async () => {
    await write('tasks', 'notes');
    const client = await subscribe();
    await client.untilSeq(2);
    await write('tasks');
    await client.untilSeq(3);
    const rows = await stream.oplog.entries.find({ scope }).sort({ seq: 1 }).toArray();
    expect(client.texts).toEqual(rows.map(({ wire }) => wire));
  });

  it('starts above the cursor, and sends only the asked collections', async () => {
    await write('tasks', 'notes', 'tasks');
    const first = await subscribe();
    await first.untilSeq(3);
    const client = await subscribe({ since: first.entries[0]?.version, collections: ['tasks'] });
    await client.untilSeq(3);
    await write('notes', 'orders', 'tasks');
    await client.untilSeq(6);
    expect(client.seqs).toEqual([3, 6]);
  });

  it('sends nothing of another scope', async () => {
    const other = await stream.subscribe({ token: stream.token({ business_id: `${scope}-other` }) });
    const client = await subscribe();
    await write('tasks');
    await client.untilSeq(1);
    await stream.push(`${scope}-other`, ['notes']);
    await other.untilSeq(1);
    expect(other.entries).toHaveLength(1);
    expect(other.entries[0]).toMatchObject({ collection: 'notes' });
  });

  it('pings with a cursor that moves with collections that were not asked', async () => {
    const client = await subscribe({ collections: ['notes'] });
    const last = await write('tasks', 'tasks');
    await eventually('a ping at the head', () => client.ofType('ping').at(-1)?.seq === last);
    const head = await stream.oplog.readHead(scope);
    expect(client.ofType('ping').at(-1)).toEqual({
      type: 'ping',
      last_seq: head?.version,
      seq: last,
      server_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as unknown,
    });
    expect(client.entries).toEqual([]);
    const again = await subscribe({ since: head?.version });
    await write('notes');
    await again.untilSeq(3);
    expect(again.seqs).toEqual([3]);
  });

  it('confirms a subscription only on request', async () => {
    await write('tasks');
    const client = await subscribe({ ack: true, collections: ['notes', 'tasks'] });
    await client.untilSeq(1);
    expect(client.messages[0]).toEqual({
      type: 'subscribed',
      collections: ['notes', 'tasks'],
      identity: expect.any(String) as string,
    });
    const quiet = await subscribe();
    await quiet.untilSeq(1);
    expect(quiet.ofType('subscribed')).toEqual([]);
  });

  it('changes its subscription with a later subscribe message', async () => {
    const client = await subscribe({ collections: ['tasks'], ack: true });
    await client.until('subscribed');
    await write('tasks', 'notes');
    await client.untilSeq(1);
    client.say({ type: 'subscribe', collections: ['notes'], since: client.entries[0]?.version, ack: true });
    await client.until('subscribed', 2);
    await client.untilSeq(2);
    await write('tasks', 'notes');
    await client.untilSeq(4);
    expect(client.seqs).toEqual([1, 2, 4]);
  });

  it('lets the last of many subscribe messages win, however fast they come', async () => {
    await write('tasks', 'notes', 'orders');
    const client = await stream.connect();
    const token = stream.token({ business_id: scope });
    for (const collections of [['tasks'], ['notes'], ['tasks', 'notes'], ['orders']])
      client.say({ type: 'subscribe', token, collections });
    await client.untilSeq(3);
    await write('tasks', 'notes', 'orders');
    await client.untilSeq(6);
    expect(client.seqs).toEqual([3, 6]);
  });

  it('stops at unsubscribe and keeps the socket for another subscription', async () => {
    const client = await subscribe();
    await write('tasks');
    await client.untilSeq(1);
    client.say({ type: 'unsubscribe' });
    await eventually('a ping without a cursor', () => client.ofType('ping').at(-1)?.last_seq === undefined);
    await write('tasks');
    const watcher = await subscribe();
    await watcher.untilSeq(2);
    expect(client.seqs).toEqual([1]);
    client.say({ type: 'subscribe', since: client.entries[0]?.version });
    await client.untilSeq(2);
    expect(client.seqs).toEqual([1, 2]);
  });

  it('asks for a full resync with an unknown cursor, and closes', async () => {
    await write('tasks');
    const client = await subscribe({ since: '20200101T000000.000Z-0000-nobody', collections: ['tasks'] });
    expect(await client.until('full_resync_required')).toEqual({
      type: 'full_resync_required',
      collections: ['tasks'],
      reason: 'unknown_cursor',
    });
    expect(await client.untilClosed()).toBe(1000);
  });

  it('asks for a full resync when the log was trimmed above the cursor', async () => {
    await write('tasks', 'tasks', 'tasks');
    const rows = await stream.oplog.entries.find({ scope }).sort({ seq: 1 }).toArray();
    await stream.oplog.heads.updateOne({ _id: scope }, { $set: { floor: rows[1]?.version, floorSeq: 2 } });
    const client = await subscribe({ since: rows[0]?.version });
    expect(await client.until('full_resync_required')).toMatchObject({ reason: 'too_old' });
    const atFloor = await subscribe({ since: rows[1]?.version });
    await atFloor.untilSeq(3);
    expect(atFloor.seqs).toEqual([3]);
  });

  it('starts above a seq as above its version', async () => {
    await write('tasks', 'notes', 'tasks');
    const client = await subscribe({ since_seq: 1, ack: true });
    expect(await client.until('subscribed')).toMatchObject({ seq: 1 });
    await client.untilSeq(3);
    await write('tasks');
    await client.untilSeq(4);
    expect(client.seqs).toEqual([2, 3, 4]);
    const atHead = await subscribe({ since_seq: 4 });
    await write('tasks');
    await atHead.untilSeq(5);
    expect(atHead.seqs).toEqual([5]);
    const beyond = await subscribe({ since_seq: 9 });
    expect(await beyond.until('full_resync_required')).toMatchObject({ reason: 'unknown_cursor' });
    const rows = await stream.oplog.entries.find({ scope }).sort({ seq: 1 }).toArray();
    await stream.oplog.heads.updateOne({ _id: scope }, { $set: { floor: rows[1]?.version, floorSeq: 2 } });
    const below = await subscribe({ since_seq: 1 });
    expect(await below.until('full_resync_required')).toMatchObject({ reason: 'too_old' });
    const both = await subscribe({ since_seq: 1, since: rows[1]?.version });
    expect(await both.untilClosed()).toBe(4400);
    expect(both.ofType('error')).toEqual([expect.objectContaining({ path: 'since_seq' })]);
  });

  it('takes the token from the query and from the Authorization header', async () => {
    await write('tasks');
    const token = stream.token({ business_id: scope });
    const byQuery = await stream.connect(`/sync/stream?token=${token}`);
    const byHeader = await stream.connect(undefined, { headers: { authorization: `Bearer ${token}` } });
    for (const client of [byQuery, byHeader]) {
      client.say({ type: 'subscribe' });
      await client.untilSeq(1);
    }
  });

  describe('closes', () => {
    const refused = async (client: StreamClient, code: number, error?: object): Promise<void> => {
      expect(await client.untilClosed()).toBe(code);
      if (error) expect(client.ofType('error')).toEqual([expect.objectContaining(error)]);
      expect(client.entries).toEqual([]);
    };

    it.each(['', 'nonsense', '[]', '{"type":"what"}', '{"type":"subscribe","since":"x"}'])(
      'with 4400 after the text %j',
      async (text) => {
        const client = await stream.connect();
        client.socket.send(text);
        await refused(client, 4400, { type: 'error' });
      },
    );

    it('with 4400 after a binary message', async () => {
      const client = await stream.connect();
      client.socket.send(Buffer.from('{"type":"pong"}'), { binary: true });
      await refused(client, 4400, { code: 'malformed_request' });
    });

    it('with 4400 for an unknown collection', async () => {
      const client = await subscribe({ collections: ['nowhere'] });
      await refused(client, 4400, { code: 'unknown_collection' });
    });

    it.each([
      ['no token', {}],
      ['nonsense', { token: 'nonsense' }],
      ['a token with spaces', { token: 'a b' }],
    ])('with 4401 for %s', async (_, credentials) => {
      const client = await stream.connect();
      client.say({ type: 'subscribe', ...credentials });
      await refused(client, 4401, { code: 'unauthenticated' });
    });

    it('with 4401 for an expired token', async () => {
      const client = await subscribe({ token: stream.token({ business_id: scope }, -10) });
      await refused(client, 4401);
    });

    it('with 4403 for the scope of another', async () => {
      const client = await subscribe({ scope_id: 'not-mine' });
      await refused(client, 4403, { code: 'forbidden', path: 'scope_id' });
      const own = await subscribe({ scope_id: scope });
      await write('tasks');
      await own.untilSeq(1);
    });

    it('with 4403 for a token without a scope', async () => {
      const client = await subscribe({ token: stream.token({ business_id: undefined }) });
      await refused(client, 4403, { code: 'scope_missing' });
    });

    it('with 4408 without a subscribe message', async () => {
      const client = await stream.connect();
      client.say({ type: 'pong' });
      client.say({ type: 'unsubscribe' });
      client.say({ type: 'token', token: stream.token({ business_id: scope }) });
      await refused(client, 4408);
    });

    it('with 1009 after a message that is too large', async () => {
      const client = await stream.connect();
      client.say({ type: 'subscribe', token: 'x'.repeat(1 << 20) });
      await refused(client, 1009);
    });

    it('with 4429 after too many messages', async () => {
      const client = await subscribe();
      for (let i = 0; i < 100; i += 1) client.say({ type: 'pong' });
      await refused(client, 4429);
    });
  });

  describe('credentials that end', () => {
    it('close the socket with 4401', async () => {
      const client = await subscribe({ token: stream.token({ business_id: scope }, 2) });
      await write('tasks');
      await client.untilSeq(1);
      expect(await client.untilClosed()).toBe(4401);
      expect(client.ofType('error')).toEqual([expect.objectContaining({ code: 'unauthenticated' })]);
    });

    it.each(['token', 'subscribe'])('are renewed by a %s message', async (type) => {
      const client = await subscribe({ token: stream.token({ business_id: scope }, 2) });
      await write('tasks');
      await client.untilSeq(1);
      const since = client.entries[0]?.version;
      client.say({ type, since, token: stream.token({ business_id: scope }, 4) });
      const short = await subscribe({ token: stream.token({ business_id: scope }, 2) });
      expect(await short.untilClosed()).toBe(4401);
      expect(client.closeCode).toBeUndefined();
      await write('tasks');
      await client.untilSeq(2);
      expect(client.seqs).toEqual([1, 2]);
      expect(await client.untilClosed()).toBe(4401);
    });

    it.each([
      ['scope', { business_id: 'another' }],
      ['user', { user_id: 'another' }],
    ])('are not renewed by a token of another %s', async (_, claims) => {
      const client = await subscribe({ ack: true });
      await client.until('subscribed');
      client.say({ type: 'token', token: stream.token({ business_id: scope, ...claims }) });
      expect(await client.untilClosed()).toBe(4403);
    });
  });

  it('shows the same order to the subscribers of two processes while many push to both', async () => {
    const other = await startStreamApp({ uri: database.uri });
    const apps = [stream, other];
    const subscribed = apps.flatMap((app) =>
      upTo(4).map(() => app.subscribe({ token: app.token({ business_id: scope }) })),
    );
    const clients = await Promise.all(subscribed);
    const versions = await Promise.all(
      upTo(8).map(async (pusher) => {
        const sync = apps[pusher % 2]?.app.get(SyncService);
        const accepted: unknown[] = [];
        for (const round of upTo(15)) {
          const doc_id = `${scope}-${String(pusher)}-${String(round)}`;
          const changes = ['tasks', 'notes'].map((collection) => ({
            collection,
            operation: 'upsert',
            doc_id,
            data: { round },
          }));
          const answer = await sync?.push({ scopeId: scope, actorId: 'u1' }, { client_id: 'd', changes });
          accepted.push(...(answer?.results ?? []).map(({ new_version }) => new_version));
        }
        return accepted;
      }),
    );
    const all = versions.flat().sort();
    for (const client of clients) {
      await client.untilSeq(240);
      expect(client.seqs).toEqual(upTo(240));
      expect(client.entries.map(({ version }) => version)).toEqual(all);
    }
    other.hangUp();
    await other.app.close();
  });

  it('drops a peer that answers no pings', async () => {
    const mute = await stream.connect(undefined, { autoPong: false });
    mute.say({ type: 'subscribe', token: stream.token({ business_id: scope }) });
    expect(await mute.untilClosed()).toBe(1006);
  });
});
