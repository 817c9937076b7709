import { collection, createSyncClient, memory } from './index.ts';
import { FakeServer, VirtualTime } from './testing/index.ts';

const collections = { tasks: collection<{ n: number }>(), events: collection<{ n: number }>() };
const SECOND = 1_000;

async function device() {
  const time = new VirtualTime(Date.UTC(2026, 4, 2));
  const server = new FakeServer({
    ...{ collections: ['tasks', 'events'], withoutFull: ['events'], pageSize: 2 },
    now: () => time.now,
  });
  const event = (id: string, n: number | null) => server.edit('ann', 'events', id, n === null ? null : { n });
  for (const n of [1, 2, 3]) server.edit('ann', 'tasks', `t${String(n)}`, { n });
  for (const n of [1, 2, 3, 4, 5]) event(`e${String(n % 3)}`, n);
  const client = createSyncClient({
    url: 'https://shop.example/sync',
    storage: memory(),
    auth: { token: () => server.token('ann') },
    collections,
    environment: { ...time.environment(), fetch: server.fetch, socket: server.socket, onWake: undefined },
  });
  const incomplete: unknown[] = [];
  client.on('incomplete', (told) => incomplete.push(told));
  await client.open();
  const live = client.db.events.live();
  /** Each state that was shown, by id. */
  const seen: string[] = [];
  live.subscribe(({ rows, complete }) =>
    seen.push(
      `${rows
        .map(({ _id, n }) => `${String(_id)}=${String(n)}`)
        .sort()
        .join(' ')}${complete ? '' : ' …'}`,
    ),
  );
  await time.pass(5 * SECOND);
  return { time, server, client, event, incomplete, live, seen };
}

describe('a collection that gives no full resync', () => {
  it('is read from the beginning of its log, and all is complete when that has been read', async () => {
    const { client, seen, server, time, event, incomplete } = await device();
    expect(seen.at(-1)).toBe('e0=3 e1=4 e2=5');
    expect(seen.filter((each) => !each.endsWith('…'))).toEqual(['e0=3 e1=4 e2=5']);
    expect(await client.db.tasks.find()).toHaveLength(3);
    event('e9', 9);
    server.edit('ann', 'tasks', 't9', { n: 9 });
    await time.pass(SECOND);
    expect(seen.at(-1)).toBe('e0=3 e1=4 e2=5 e9=9');
    expect([await client.db.tasks.find(), incomplete]).toMatchObject([{ length: 4 }, []]);
    expect(client.status.current.phase).toBe('live');
  });

  it('keeps what it has when the log was trimmed, right and without what is gone, and tells that more may be missing', async () => {
    const { client, seen, server, time, event, incomplete } = await device();
    await client.pause();
    event('e0', null);
    event('e1', 7);
    event('new', 1);
    server.trim('ann');
    await client.resume();
    const from = seen.length;
    await time.pass(5 * SECOND);
    expect(seen.slice(from).filter((each) => each.endsWith('…'))).toEqual([]);
    // Never fewer than both the old and the new state have, and nothing older after something newer.
    for (const each of seen.slice(from)) expect(each).toMatch(/e1=[47] e2=5/);
    expect(seen.at(-1)).toBe('e1=7 e2=5');
    expect(incomplete).toEqual([{ collection: 'events' }]);
    await client.db.events.patch('e2', { n: 8 });
    event('e3', 3);
    await time.pass(5 * SECOND);
    expect(seen.at(-1)).toBe('e1=7 e2=8 e3=3');
    expect(client.status.current).toMatchObject({ phase: 'live', pending: 0 });
  });
});
