import { ClientDevice, type DeviceOptions } from '../../../test/support/fleet-client.ts';
import { FleetServer, type FleetCollection } from '../../../test/support/fleet-server.ts';
import { collection, type LiveRows, type Status } from './index.ts';
import { FakeTabs, settle, VirtualTime } from './testing/index.ts';

/** Tabs of one browser on one storage, against the server's own rules, by virtual time. */

const START = Date.UTC(2026, 4, 2);
const SECOND = 1_000;

interface Item {
  n?: number;
  title?: string;
}
const collections = { items: collection<Item>() };
const items: FleetCollection = {
  rules: { strategy: 'merge', deleteUpdatePolicy: 'resurrect_on_update' },
  refuses: (data) => (data['title'] === 'bad' ? 'no luck' : undefined),
};

async function browser(options: DeviceOptions = {}, count = 2) {
  const time = new VirtualTime(START);
  const server = new FleetServer(START, new Map([['items', items]]));
  const device = new ClientDevice('one', server, time, collections, { stream: true, ...options });
  const tabs = new FakeTabs();
  const open = async () => {
    const opened = await device.tab(tabs);
    const live = opened.client.db.items.live({ orderBy: 'title' });
    let rows: LiveRows<Item> = live.current;
    live.subscribe((now) => (rows = now));
    return {
      ...opened,
      titles: () => rows.rows.map((row) => row.title),
      status: () => opened.client.status.current,
    };
  };
  const all = [];
  for (let index = 0; index < count; index++) {
    all.push(await open());
    await time.pass(SECOND);
  }
  const [a, b] = all as [Awaited<ReturnType<typeof open>>, Awaited<ReturnType<typeof open>>];
  return { time, server, device, tabs, open, a, b, all };
}

const leaders = (all: readonly { status: () => Status }[]): boolean[] =>
  all.map(({ status }) => status().leader);

it('has one leader and one socket, whatever the tabs, and tells all how it stands', async () => {
  const { device, all } = await browser({}, 4);
  expect(leaders(all)).toEqual([true, false, false, false]);
  expect(all.map(({ status }) => status().phase)).toEqual(['live', 'live', 'live', 'live']);
  expect(device.socketCount).toBe(1);
});

it('shows an edit of any tab in all, with its counts and its end', async () => {
  const { time, server, device, a, b } = await browser();
  device.setOnline(false);
  await time.pass(SECOND);
  const { id, mutation } = await b.client.db.items.create({ title: 'Milk' });
  const standing = [a, b].map(({ client }) => client.db.items.sync(id));
  for (const each of standing) each.subscribe(() => undefined);
  await settle();
  for (const tab of [a, b]) {
    expect(tab.titles()).toEqual(['Milk']);
    expect(tab.status()).toMatchObject({ pending: 1, phase: 'offline' });
  }
  expect(standing.map(({ current }) => current.pending)).toEqual([1, 1]);
  const ended = Promise.all([a, b].map(({ client }) => client.settled(mutation!)));
  device.setOnline(true);
  await time.pass(60 * SECOND);
  expect(await ended).toMatchObject([{ status: 'accepted' }, { status: 'accepted' }]);
  for (const tab of [a, b]) expect(tab.status()).toMatchObject({ pending: 0, phase: 'live' });
  expect(standing.map(({ current }) => current.pending)).toEqual([0, 0]);
  expect([...server.documents().values()]).toMatchObject([{ title: 'Milk' }]);
});

it('passes the lead on when the leader crashes or closes, and shows what came before it could say so', async () => {
  const { time, server, device, all } = await browser({}, 3);
  const [a, b, c] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]];
  a.tab.crash();
  server.write('items', 'i', { title: 'Theirs' });
  await time.pass(SECOND);
  expect(leaders([b, c])).toEqual([true, false]);
  await b.client.close();
  await time.pass(SECOND);
  expect(c.status()).toMatchObject({ leader: true, phase: 'live' });
  expect(c.titles()).toEqual(['Theirs']);
  await c.client.db.items.create({ title: 'Ours' });
  await time.pass(SECOND);
  expect([...server.documents().values()]).toMatchObject([{ title: 'Theirs' }, { title: 'Ours' }]);
  expect(c.status().pending).toBe(0);
  // The one that crashed has closed nothing.
  expect(device.socketCount).toBeLessThanOrEqual(2);
});

it.each([
  ['late', false],
  ['never', true],
])(
  'takes the lead from a leader that is frozen, if the user sees the tab; that one follows when it is thawed, and hears %s',
  async (_, losesMessages) => {
    const { time, server, device, a, b } = await browser();
    b.tab.isShown = false;
    a.tab.freeze({ losesMessages });
    await time.pass(60 * SECOND);
    expect(b.status().leader).toBe(false);
    const { mutation } = await b.client.db.items.create({ title: 'Milk' });
    b.tab.isShown = true;
    await time.pass(20 * SECOND);
    expect(b.status()).toMatchObject({ leader: true, phase: 'live', pending: 0 });
    expect(await b.client.settled(mutation!)).toMatchObject({ status: 'accepted' });
    a.tab.thaw();
    await time.pass(SECOND);
    expect(leaders([a, b])).toEqual([false, true]);
    expect(a.status()).toMatchObject({ phase: 'live', pending: 0 });
    expect(a.titles()).toEqual(['Milk']);
    await time.pass(600 * SECOND);
    expect(leaders([a, b])).toEqual([false, true]);
    expect(device.socketCount).toBe(1);
    expect([...server.documents().values()]).toMatchObject([{ title: 'Milk' }]);
  },
);

it('comes to the right end when a leader is thawed in the middle of a push that another one has made meanwhile', async () => {
  const { time, server, a, b } = await browser({ stream: false, latencyMs: 200 });
  const { id } = await a.client.db.items.create({ title: 'Milk' });
  await time.pass(100);
  // The request is on its way.
  a.tab.freeze();
  await time.pass(20 * SECOND);
  expect(b.status()).toMatchObject({ leader: true, pending: 0 });
  await b.client.db.items.patch(id, { title: 'Oat milk' });
  await time.pass(5 * SECOND);
  a.tab.thaw();
  await time.pass(60 * SECOND);
  for (const tab of [a, b]) {
    expect(tab.status()).toMatchObject({ pending: 0, rejected: 0 });
    expect(tab.titles()).toEqual(['Oat milk']);
  }
  expect([...server.documents().values()]).toMatchObject([{ title: 'Oat milk' }]);
});

it('tells all tabs what was refused, lets one of them decide, and only once', async () => {
  const { time, a, b } = await browser();
  await b.client.db.items.create({ title: 'bad' });
  await time.pass(SECOND);
  for (const { client } of [a, b]) expect(client.rejected.live().current).toHaveLength(1);
  const [entry] = await b.client.rejected.list();
  const retried = await Promise.allSettled(
    [a, b].map(({ client }) => client.rejected.retry(entry!.id, { title: 'good' })),
  );
  expect(retried.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  await time.pass(SECOND);
  for (const tab of [a, b]) {
    expect(tab.client.rejected.live().current).toEqual([]);
    expect(tab.titles()).toEqual(['good']);
  }
});

it('pauses for all tabs, and syncs once from any of them', async () => {
  const { time, server, a, b } = await browser();
  await b.client.pause();
  await time.pass(SECOND);
  expect([a.status().phase, b.status().phase]).toEqual(['paused', 'paused']);
  server.write('items', 'i', { title: 'Theirs' });
  await b.client.db.items.create({ title: 'Ours' });
  const synced = b.client.syncOnce();
  await time.pass(5 * SECOND);
  expect(await synced).toBe(true);
  expect(b.titles()).toEqual(['Ours', 'Theirs']);
  expect(server.documents().size).toBe(2);
  expect(a.status().phase).toBe('paused');
  await a.client.resume();
  await time.pass(SECOND);
  expect(b.status().phase).toBe('live');
});

it('makes transactions of two tabs one after another: none builds on what the other has changed', async () => {
  const { time, server, a, b } = await browser();
  const { id } = await a.client.db.items.create({ n: 0 });
  await time.pass(SECOND);
  const adds = ({ client }: typeof a) =>
    client.transaction(async ({ items: all }) => {
      const row = await all.get(id);
      await all.patch(id, { n: (row?.n ?? 0) + 1 });
    });
  await Promise.all([a, b, a, b, a, b].map(adds));
  await time.pass(5 * SECOND);
  expect([...server.documents().values()]).toMatchObject([{ n: 6 }]);
});

it('ends in all tabs with a logout, for a frozen one when it is thawed', async () => {
  const { time, device, all } = await browser({}, 3);
  const [a, b, c] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]];
  const ended: unknown[] = [];
  for (const { client } of all) client.on('ended', (error) => ended.push((error as { code: string }).code));
  await b.client.db.items.create({ title: 'Milk' });
  await time.pass(SECOND);
  a.tab.freeze();
  const leaving = b.client.logout();
  await time.pass(5 * SECOND);
  await leaving;
  expect(c.status().phase).toBe('closed');
  const before = device.requests.length;
  a.tab.thaw();
  await time.pass(120 * SECOND);
  expect(ended).toEqual(['logged_out', 'logged_out']);
  expect(a.titles()).toEqual([]);
  expect(device.requests).toHaveLength(before);
  expect(device.socketCount).toBe(0);
  await expect(a.client.db.items.create({ title: 'late' })).rejects.toMatchObject({ code: 'usage' });
});
