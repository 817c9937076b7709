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
  await settle();
  for (const tab of [a, b]) {
    expect(tab.titles()).toEqual(['Milk']);
    expect(tab.status()).toMatchObject({ pending: 1, phase: 'offline' });
    expect(tab.client.db.items.sync(id)).toEqual({ pending: 1 });
  }
  const ended = Promise.all([a, b].map(({ client }) => client.settled(mutation!)));
  device.setOnline(true);
  await time.pass(60 * SECOND);
  expect(await ended).toMatchObject([{ status: 'accepted' }, { status: 'accepted' }]);
  for (const tab of [a, b]) expect(tab.status()).toMatchObject({ pending: 0, phase: 'live' });
  expect([...server.documents().values()]).toMatchObject([{ title: 'Milk' }]);
});
