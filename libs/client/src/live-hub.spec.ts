import type { ClientSocket } from './environment.ts';
import { environment } from './environment.ts';
import { collection, createSyncClient, memory, type ScopeClient } from './index.ts';
import { LiveSocket, type SocketEvent } from './live-socket.ts';
import { FakeServer, FaultyNetwork, VirtualTime } from './testing/index.ts';

const collections = { tasks: collection<{ title: string }>() };
const SECOND = 1_000;

async function device() {
  const time = new VirtualTime(Date.UTC(2026, 4, 2));
  const server = new FakeServer({ collections: ['tasks'], now: () => time.now });
  for (const scope of ['p1', 'p2']) server.grant('ann', scope, 'write');
  const network = new FaultyNetwork(server);
  let opened = 0;
  const client = createSyncClient({
    url: 'https://shop.example/sync',
    storage: memory(),
    auth: { token: () => server.token('ann') },
    collections,
    environment: {
      now: () => time.now,
      random: () => 0.5,
      timer: (ms, call) => time.timer(ms, call),
      fetch: network.fetch,
      socket: (url) => {
        opened += 1;
        return network.socket(url);
      },
      onWake: undefined,
    },
  });
  await client.open();
  await time.pass(SECOND);
  const scope = async (name: string) => {
    const made = await client.scope(name);
    await time.pass(SECOND);
    return made;
  };
  const titles = async (of: ScopeClient<typeof collections>) =>
    (await of.db.tasks.find()).map(({ title }) => title).toSorted();
  return { time, server, network, client, scope, titles, opened: () => opened };
}

describe('the socket of a client', () => {
  it('is shared by all scopes, also by those that come later, and mixes nothing up', async () => {
    const { server, client, scope, titles, time, opened } = await device();
    server.edit('ann', 'tasks', 'a', { title: 'own, before' });
    const p1 = await scope('p1');
    server.edit('ann', 'tasks', 'b', { title: 'own, after' });
    server.edit('p1', 'tasks', 'a', { title: 'first' });
    const p2 = await scope('p2');
    for (const name of ['p2', 'ann', 'p1', 'p1', 'ann', 'p2'])
      server.edit(name, 'tasks', `${name} ${String(server.sockets)}`, { title: `of ${name}` });
    await time.pass(SECOND);
    expect([client, p1, p2].map((each) => each.status.current.phase)).toEqual(['live', 'live', 'live']);
    expect([opened(), server.sockets]).toEqual([1, 1]);
    expect(await titles(client)).toEqual(['of ann', 'own, after', 'own, before']);
    expect(await titles(p1)).toEqual(['first', 'of p1']);
    expect(await titles(p2)).toEqual(['of p2']);
  });

  it('takes the pushes of each scope to that scope', async () => {
    const { server, client, scope, time } = await device();
    const p1 = await scope('p1');
    const before = server.requests.length;
    await client.db.tasks.upsert('t', { title: 'mine' });
    await p1.db.tasks.upsert('t', { title: 'ours' });
    await time.pass(SECOND);
    expect(server.document('ann', 'tasks', 't')).toMatchObject({ data: { title: 'mine' } });
    expect(server.document('p1', 'tasks', 't')).toMatchObject({ data: { title: 'ours' } });
    expect(server.requests.length).toBe(before);
    expect([client, p1].map((each) => each.status.current.pending)).toEqual([0, 0]);
  });

  it('stands on when one scope reads again, or is lost', async () => {
    const { server, client, scope, time, titles, opened } = await device();
    const [p1, p2] = [await scope('p1'), await scope('p2')];
    const once = p1.syncOnce();
    await time.pass(SECOND);
    expect(await once).toBe(true);
    expect(p1.status.current.phase).toBe('live');
    server.grant('ann', 'p2', 'none');
    server.edit('p1', 'tasks', 'a', { title: 'still' });
    server.edit('ann', 'tasks', 'a', { title: 'here' });
    await time.pass(SECOND);
    expect(p2.status.current).toMatchObject({ phase: 'blocked', blockedBy: 'forbidden' });
    expect([client, p1].map((each) => each.status.current.phase)).toEqual(['live', 'live']);
    expect([await titles(client), await titles(p1)]).toEqual([['here'], ['still']]);
    expect([opened(), server.sockets]).toEqual([1, 1]);
  });

  it('is opened once again for all after silence', async () => {
    const { server, network, client, scope, time, titles, opened } = await device();
    const p1 = await scope('p1');
    network.offline();
    server.edit('p1', 'tasks', 'a', { title: 'missed' });
    server.edit('ann', 'tasks', 'a', { title: 'missed as well' });
    await time.pass(80 * SECOND);
    expect(client.status.current.phase).toBe('offline');
    expect(p1.status.current.phase).toBe('offline');
    network.online();
    await time.pass(80 * SECOND);
    expect([client, p1].map((each) => each.status.current.phase)).toEqual(['live', 'live']);
    expect([await titles(client), await titles(p1)]).toEqual([['missed as well'], ['missed']]);
    expect(server.sockets).toBe(1);
    expect(opened()).toBeLessThanOrEqual(4);
  });

  it('is the same for the own scope by its name', async () => {
    const { client } = await device();
    expect(await client.scope('ann')).toBe(client);
  });
});

describe('a subscription', () => {
  function raw() {
    const time = new VirtualTime(0);
    const said: Record<string, unknown>[] = [];
    const socket: ClientSocket = {
      ...{ onopen: null, onmessage: null, onclose: null, onerror: null },
      send: (text) => said.push(JSON.parse(text) as Record<string, unknown>),
      close: () => undefined,
    };
    const place = environment({ now: () => time.now, timer: (ms, call) => time.timer(ms, call) });
    const live = new LiveSocket(socket, 75 * SECOND, place, () => undefined);
    const tell = (message: object): void => socket.onmessage?.({ data: JSON.stringify(message) });
    const subscribe = (scope: string | undefined, since: string) => {
      const events: SocketEvent[] = [];
      const channel = live.subscribe(
        {
          token: 't',
          scope,
          since,
          collections: ['tasks'],
          identity: undefined,
          clientSchema: undefined,
          clientId: 'phone',
        },
        (event) => events.push(event),
      );
      return { channel, events, kinds: () => events.map(({ kind }) => kind) };
    };
    return { time, said, tell, subscribe, open: () => socket.onopen?.(undefined as never) };
  }
  const entry = (version: string) => ({ version, seq: 1, collection: 'tasks', doc_id: 'a' });

  it('hears nothing of the one before it on the same scope', () => {
    const { open, tell, subscribe } = raw();
    open();
    const own = subscribe(undefined, 'o1');
    const before = subscribe('x', 'v1');
    tell({ type: 'subscribed', scope: 'own', last_seq: 'o1' });
    before.channel.close();
    const after = subscribe('x', 'v5');
    tell({ type: 'subscribed', scope: 'x', last_seq: 'v1' });
    tell({ type: 'scope', scope: 'x' });
    tell(entry('v2'));
    tell({ type: 'subscribed', scope: 'x', last_seq: 'v5' });
    tell(entry('v6'));
    expect(before.kinds()).toEqual(['closed']);
    expect(after.events).toEqual([{ kind: 'subscribed' }, { kind: 'entry', entry: entry('v6') }]);
    expect(own.kinds()).toEqual(['subscribed']);
  });

  it('gets no entry and no position of a scope that is not followed any more', () => {
    const { open, tell, subscribe } = raw();
    open();
    const own = subscribe(undefined, 'o1');
    const other = subscribe('x', 'v1');
    tell({ type: 'subscribed', scope: 'own', last_seq: 'o1' });
    tell({ type: 'subscribed', scope: 'x', last_seq: 'v1' });
    other.channel.close();
    tell({ type: 'scope', scope: 'x' });
    tell(entry('v2'));
    tell({ type: 'ping', scopes: { x: { last_seq: 'v9' } } });
    expect(own.kinds()).toEqual(['subscribed']);
    tell({ type: 'ping', last_seq: 'v9', scopes: { own: { last_seq: 'o7' } } });
    expect(own.events.at(-1)).toEqual({ kind: 'position', cursor: 'o7' });
  });

  it('ends when the server does not answer it, or knows nothing of it, though the socket is alive', async () => {
    const { open, tell, subscribe, time, said } = raw();
    open();
    const own = subscribe(undefined, 'o1');
    const unanswered = subscribe('x', 'v1');
    const forgotten = subscribe('y', 'v1');
    tell({ type: 'subscribed', scope: 'own', last_seq: 'o1' });
    tell({ type: 'subscribed', scope: 'y', last_seq: 'v1' });
    for (let ping = 0; ping < 3; ping++) {
      await time.pass(30 * SECOND);
      tell({ type: 'ping', scopes: { own: { last_seq: 'o1' } } });
    }
    expect(unanswered.kinds()).toEqual(['closed']);
    expect(forgotten.kinds().at(-1)).toBe('closed');
    expect(own.kinds()).not.toContain('closed');
    expect(said.filter(({ type }) => type === 'unsubscribe').map(({ scope }) => scope)).toEqual(['x', 'y']);
  });
});
