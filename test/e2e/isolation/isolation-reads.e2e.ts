import { upsert, type HttpAnswer } from '../../support/http-app';
import { GLOBAL, useTwoTenants } from '../../support/isolation-app';
import { StreamClient } from '../../support/stream-client';

describe('a tenant that reads', () => {
  const given = useTwoTenants(__filename);
  const sockets: StreamClient[] = [];
  afterEach(() => {
    for (const { socket } of sockets.splice(0)) socket.terminate();
  });

  /** Bob's socket; what it gets counts as received. */
  async function connect(message: object): Promise<StreamClient> {
    const { app, bob } = given();
    const client = await StreamClient.open(`${app.url.replace('http', 'ws')}/sync/stream`);
    sockets.push(client);
    client.socket.on('message', (data: Buffer) => bob.received.push(data.toString()));
    client.socket.on('close', (_code, reason) => bob.received.push(reason.toString()));
    client.say({ type: 'subscribe', token: bob.token, ...message });
    return client;
  }
  const everything = (answer: HttpAnswer): string[] =>
    answer.text.split('\n').filter((line) => line !== '' && !line.startsWith('{"end":true,'));

  it('gets from pull and full what is its own, in whatever collections', async () => {
    const { bob } = given();
    await bob.push([
      upsert('shared', 'b-one', { title: 'mine' }),
      upsert('notes', 'live', { title: 'mine' }),
    ]);
    const ids = ['b-one', 'live'];
    const { changes } = await bob.pull();
    expect(changes.map(({ doc_id }) => doc_id)).toEqual(ids);
    expect(changes.every(({ data }) => data?.['title'] === 'mine')).toBe(true);
    for (const name of GLOBAL.slice(1)) {
      expect((await bob.pull(`collections=${name}`)).changes).toEqual([]);
      expect(everything(await bob.send(`/sync/full?collections=${name}`))).toEqual([]);
    }
    for (const limit of [0, 1, 1000]) {
      const lines = everything(await bob.send(`/sync/full?limit=${String(limit)}`));
      expect(lines).toHaveLength(limit === 1 ? 1 : 2);
    }
  });

  it('cannot tell another’s cursor from one that nobody was ever given', async () => {
    const { alice, bob } = given();
    const { changes, last_seq } = await alice.pull();
    const never = '20250101T000000.000Z-0000-nobody';
    const told = async (since: string): Promise<string> => (await bob.send(`/sync/pull?since=${since}`)).text;
    const unknown = await told(never);
    expect(JSON.parse(unknown)).toMatchObject({ full_resync_required: true, reason: 'unknown_cursor' });
    for (const since of [last_seq, changes[0]?.version ?? '', changes.at(-2)?.version ?? ''])
      expect(await told(since)).toBe(unknown);
  });

  it('cannot go on from another’s page, nor make a page token that leads there', async () => {
    const { alice, bob } = given();
    const token = (await alice.send('/sync/full?limit=1')).headers.get('x-sync-cursor') ?? '';
    const inside = JSON.parse(Buffer.from(token, 'base64url').toString()) as object;
    const forged = (more: object): string =>
      Buffer.from(JSON.stringify({ ...inside, ...more })).toString('base64url');
    const garbage = (await bob.send('/sync/full?cursor=garbage')).text;
    expect((await bob.send(`/sync/full?cursor=${token}`)).text).toBe(garbage);
    for (const cursor of [
      forged({ scope: bob.scope }),
      forged({ scope: bob.scope, collections: ['sync_oplog'] }),
      forged({ scope: bob.scope, from: { $minKey: 1 } }),
      forged({ scope: { $ne: '' } }),
      forged({ scope: bob.scope, collections: ['notes'], from: JSON.stringify([alice.scope, 'live']) }),
    ]) {
      const answer = await bob.send(`/sync/full?cursor=${cursor}`);
      expect([200, 400]).toContain(answer.status);
      if (answer.status === 200)
        for (const line of everything(answer))
          expect(JSON.parse(line)).toMatchObject({ data: { title: 'mine' } });
    }
  });

  it('hears nothing of another on the stream, live or from the backlog', async () => {
    const { alice, bob, secret, settle } = given();
    const client = await connect({ ack: true });
    await client.until('subscribed');
    const busy = Array.from({ length: 10 }, (_, n) => `n${String(n)}`);
    await Promise.all(
      busy.flatMap((id) => [
        alice.one(upsert('notes', id, { title: secret() })),
        bob.one(upsert('notes', id, { title: 'mine' })),
      ]),
    );
    await settle();
    const { seq } = await bob.pull();
    await client.untilSeq(seq);
    const late = await connect({});
    await late.untilSeq(seq);
    for (const { entries } of [client, late])
      expect(new Set(entries.map(({ data }) => (data as { title: string }).title))).toEqual(
        new Set(['mine']),
      );
  });

  it('is refused another’s scope on the stream as one that does not exist', async () => {
    const { alice } = given();
    const theirs = await connect({ scope_id: alice.scope });
    const nobodys = await connect({ scope_id: 'nobody' });
    expect(await theirs.untilClosed()).toBe(4403);
    expect(await nobodys.untilClosed()).toBe(4403);
    expect(theirs.messages).toEqual(nobodys.messages);
  });

  it('is sent to a full resync by another’s cursor on the stream', async () => {
    const { alice, secret, settle } = given();
    // Versions are drawn for each scope by itself: two that write in one millisecond may get the same one.
    const { new_version: since } = await alice.one(upsert('notes', 'later', { title: secret() }));
    await settle();
    const client = await connect({ since });
    expect(await client.untilClosed()).toBe(1000);
    expect(client.entries).toEqual([]);
    expect(client.ofType('full_resync_required')).toMatchObject([{ reason: 'unknown_cursor' }]);
  });

  it('finds its own scope and name in no log and no metric either', async () => {
    const { app, bob } = given();
    await bob.one(upsert('shared', 'live', { title: 'mine' }));
    const metrics = await app.registry.metrics();
    expect(metrics).toContain('sync_push_total');
    expect(metrics).not.toMatch(/"b"|bob/);
    expect(app.logs.join('\n')).not.toMatch(/\bbob\b/);
  });
});
