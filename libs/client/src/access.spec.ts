import { collection, createSyncClient, inc, memory, type ScopeClient } from './index.ts';
import { FakeServer, FaultyNetwork, VirtualTime } from './testing/index.ts';

const collections = {
  tasks: collection<{ title: string; n?: number }>(),
  notes: collection<{ title: string }>(),
};
type Scope = ScopeClient<typeof collections>;
const SECOND = 1_000;
const DAY = 86_400_000;

async function device() {
  const time = new VirtualTime(Date.UTC(2026, 4, 2));
  const server = new FakeServer({ collections: ['tasks', 'notes'], now: () => time.now });
  server.grant('ann', 'p', 'write');
  server.edit('p', 'tasks', 'a', { title: 'theirs' });
  server.edit('ann', 'tasks', 'a', { title: 'own' });
  const network = new FaultyNetwork(server);
  const storage = memory();
  /** The next answers to a push get lost. */
  const way = { losesPushes: 0 };
  const started = async () => {
    const client = createSyncClient({
      url: 'https://shop.example/sync',
      storage,
      auth: { token: () => server.token('ann') },
      collections,
      environment: {
        ...time.environment(),
        fetch: async (url, request) => {
          const answer = await network.fetch(url, request);
          if (!url.endsWith('/push') || way.losesPushes-- <= 0) return answer;
          throw new TypeError('The answer was lost.');
        },
        socket: network.socket,
        onWake: undefined,
      },
    });
    await client.open();
    const p = await client.scope('p');
    const lost: unknown[] = [];
    client.on('access-lost', (event) => lost.push({ of: 'client', ...event }));
    p.on('access-lost', (event) => lost.push({ of: 'p', ...event }));
    await time.pass(5 * SECOND);
    return { client, p, lost };
  };
  const titles = async (of: Scope) => (await of.db.tasks.find()).map(({ title }) => title).toSorted();
  return { time, server, network, way, titles, started, ...(await started()) };
}

describe('a scope that is taken away', () => {
  it('takes its documents along, after it was asked once more, and leaves what the user did for the user', async () => {
    const { server, client, p, lost, time, titles } = await device();
    server.grant('ann', 'p', 'none');
    await time.pass(5 * SECOND);
    await p.db.tasks.patch('a', { title: 'mine' });
    await p.db.notes.create({ title: 'also mine' });
    await time.pass(30 * SECOND);
    expect([await titles(p), lost]).toEqual([['mine'], []]);
    await time.pass(60 * SECOND);
    expect([await titles(p), await p.db.notes.find()]).toEqual([[], []]);
    expect(lost).toEqual([{ of: 'p', quarantined: 2 }]);
    const entries = await p.rejected.list();
    expect(entries.map(({ code, changes }) => [code, changes.length])).toEqual([
      ['scope_forbidden', 1],
      ['scope_forbidden', 1],
    ]);
    const [task] = entries.filter(({ changes }) => changes[0]?.collection === 'tasks');
    expect(task).toMatchObject({ changes: [{ mine: { title: 'mine' }, base: { title: 'theirs' } }] });
    expect((await p.export()).rejected).toHaveLength(2);
    await p.rejected.discard(entries[1]!.id);
    await time.pass(0);
    expect(p.status.current).toMatchObject({ pending: 0, rejected: 1, blockedBy: 'forbidden' });
    expect(await titles(client)).toEqual(['own']);
    expect(client.status.current.phase).toBe('live');
  });

  it('is loaded again when it is given back, and the edits can be tried again', async () => {
    const { server, p, lost, time, titles } = await device();
    server.grant('ann', 'p', 'none');
    await time.pass(5 * SECOND);
    await p.db.tasks.patch('a', { n: inc(1) });
    await time.pass(130 * SECOND);
    expect(await titles(p)).toEqual([]);
    server.edit('p', 'tasks', 'b', { title: 'meanwhile' });
    server.grant('ann', 'p', 'write');
    await time.pass(130 * SECOND);
    expect([await titles(p), p.status.current.phase]).toEqual([['meanwhile', 'theirs'], 'live']);
    await p.rejected.retry((await p.rejected.list())[0]!.id);
    await time.pass(5 * SECOND);
    expect(server.document('p', 'tasks', 'a')).toMatchObject({ data: { title: 'theirs', n: 1 } });
    expect([lost.length, p.status.current.rejected]).toEqual([1, 0]);
  });

  it('keeps everything if it was taken for a moment, or the server fails, or a token is refused', async () => {
    const { server, network, client, p, lost, time, titles } = await device();
    server.grant('ann', 'p', 'none');
    await time.pass(40 * SECOND);
    server.grant('ann', 'p', 'write');
    await time.pass(90 * SECOND);
    server.grant('ann', 'p', 'none');
    await time.pass(40 * SECOND);
    network.offline();
    await time.pass(90 * SECOND);
    server.grant('ann', 'p', 'write');
    network.online();
    await time.pass(90 * SECOND);
    expect([await titles(p), lost]).toEqual([['theirs'], []]);
    for (const [status, code] of [
      [503, 'unavailable'],
      [500, 'internal'],
      [401, 'unauthenticated'],
      [403, 'http_403'],
    ] as const) {
      server.fails = () => ({ status, code });
      server.closeSockets();
      await time.pass(400 * SECOND);
      expect([await titles(client), await titles(p), lost]).toEqual([['own'], ['theirs'], []]);
    }
    server.fails = undefined;
    await time.pass(700 * SECOND);
    expect([client, p].map((each) => each.status.current.phase)).toEqual(['live', 'live']);
  });

  it('counts from the first denial on, also if the app was closed in between', async () => {
    const { server, client, time, started, titles } = await device();
    server.grant('ann', 'p', 'none');
    await time.pass(5 * SECOND);
    await client.close();
    await time.pass(DAY);
    const { p } = await started();
    expect(await titles(p)).toEqual([]);
  });

  it('does not say of what was sent and not answered that it did nothing', async () => {
    const { server, way, p, time } = await device();
    server.closeSockets(1011);
    way.losesPushes = 1;
    await p.db.tasks.patch('a', { n: inc(1) });
    await time.pass(0);
    server.grant('ann', 'p', 'none');
    await p.db.tasks.patch('a', { n: inc(1) });
    await time.pass(130 * SECOND);
    const [entry] = await p.rejected.list();
    expect(entry).toMatchObject({ code: 'outcome_unknown' });
    expect(entry!.changes.map(({ code }) => code)).toEqual(['outcome_unknown', 'scope_forbidden']);
    expect(server.document('p', 'tasks', 'a')).toMatchObject({ data: { n: 1 } });
  });

  it('stays readable if only writing is taken away, and the edits are the user’s to decide about', async () => {
    const { server, p, lost, time, titles } = await device();
    server.grant('ann', 'p', 'read');
    await time.pass(5 * SECOND);
    await p.db.tasks.create({ title: 'mine' });
    await time.pass(130 * SECOND);
    expect([await titles(p), p.status.current.pending, lost]).toEqual([['theirs'], 0, []]);
    expect(await p.rejected.list()).toMatchObject([{ code: 'scope_forbidden' }]);
    server.edit('p', 'tasks', 'b', { title: 'more' });
    await time.pass(5 * SECOND);
    expect(await titles(p)).toEqual(['more', 'theirs']);
  });
});

describe('a collection that may not be read any more', () => {
  it('goes after it was asked for once more, all others go on, and it is loaded again when it is given back', async () => {
    const { server, client, lost, time, titles } = await device();
    server.edit('ann', 'notes', 'n', { title: 'note' });
    await time.pass(5 * SECOND);
    server.open('ann', 'tasks', false);
    await time.pass(5 * SECOND);
    server.edit('ann', 'notes', 'm', { title: 'another' });
    await time.pass(5 * SECOND);
    expect(client.status.current.phase).toBe('live');
    expect([await titles(client), (await client.db.notes.find()).length, lost]).toEqual([['own'], 2, []]);
    await client.db.tasks.patch('a', { title: 'mine' });
    await time.pass(5 * SECOND);
    expect(await client.rejected.list()).toMatchObject([{ code: 'forbidden' }]);
    await time.pass(60 * SECOND);
    expect(await titles(client)).toEqual([]);
    // The collection is closed to her in all scopes.
    expect(lost).toEqual(['client', 'p'].map((of) => ({ of, collections: ['tasks'], quarantined: 0 })));
    server.edit('ann', 'tasks', 'b', { title: 'meanwhile' });
    server.open('ann', 'tasks', true);
    await time.pass(700 * SECOND);
    expect([await titles(client), client.status.current.phase]).toEqual([['meanwhile', 'own'], 'live']);
    expect(await client.db.notes.find()).toHaveLength(2);
  });

  it('misses nothing if it comes back before that', async () => {
    const { server, client, lost, time, titles } = await device();
    server.open('ann', 'tasks', false);
    await time.pass(5 * SECOND);
    server.edit('ann', 'tasks', 'b', { title: 'meanwhile' });
    server.edit('ann', 'notes', 'n', { title: 'note' });
    await time.pass(5 * SECOND);
    server.open('ann', 'tasks', true);
    await time.pass(130 * SECOND);
    expect([await titles(client), lost]).toEqual([['meanwhile', 'own'], []]);
  });
});

describe('an edit that was sent so long ago that its answer may be forgotten', () => {
  it('is never sent again, and takes what stands on it along', async () => {
    const { server, network, way, client: before, time, started } = await device();
    server.closeSockets(1011);
    way.losesPushes = 1;
    await before.db.tasks.patch('a', { n: inc(1) });
    await time.pass(0);
    network.offline();
    await before.db.tasks.patch('a', { n: inc(1) });
    await before.db.tasks.create({ _id: 'b', title: 'apart' });
    await before.close();
    await time.pass(61 * DAY);
    network.online();
    const { client } = await started();
    await time.pass(130 * SECOND);
    expect(server.document('ann', 'tasks', 'a')).toMatchObject({ data: { n: 1 } });
    expect(server.document('ann', 'tasks', 'b')).toMatchObject({ data: { title: 'apart' } });
    const [entry, ...more] = await client.rejected.list();
    expect(more).toEqual([]);
    expect(entry).toMatchObject({ code: 'outcome_unknown', message: expect.stringContaining('twice') });
    expect(entry!.changes.map(({ code }) => code)).toEqual(['outcome_unknown', null]);
    await client.rejected.retry(entry!.id);
    await time.pass(130 * SECOND);
    expect(server.document('ann', 'tasks', 'a')).toMatchObject({ data: { n: 3 } });
  });
});
