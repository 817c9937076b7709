import { randomBytes } from 'node:crypto';
import type { BrowserDevice } from '../../harness/devices/device';
import type { User } from '../../harness/devices/events';
import { judgeEqual, scopeOf } from '../../harness/devices/oracle';
import { until } from '../../support/until';
import { ask, BrowserWorld } from './browser-world';

/** The whole client in two profiles of a real browser, against the demo with MongoDB, through proxies that cut. */

const PING_MS = 1_000;
const BUSINESS = 'browsers';

let world: BrowserWorld;
let a: BrowserDevice;
let b: BrowserDevice;
let users: [User, User];

beforeAll(async () => {
  world = await BrowserWorld.start(__filename, { SYNC_PING_INTERVAL_MS: String(PING_MS) });
  users = [await world.user('ann', BUSINESS), await world.user('ben', BUSINESS)];
  [a, b] = await Promise.all([world.device('a'), world.device('b')]);
  await Promise.all([a.call('open', a.url, users[0]), b.call('open', b.url, users[1])]);
});
afterAll(() => world?.close());

/** Both devices have what the server has, by the server's digest too. */
async function expectEqual(): Promise<void> {
  for (const device of [a, b, a]) expect((await device.call('calm', 60_000)).isCalm).toBe(true);
  const state = await world.eye.state(users[0], undefined);
  for (const device of [a, b]) {
    const { databases } = await device.call('held');
    const own = databases.find((each) => scopeOf(each) === BUSINESS);
    expect(judgeEqual(device.name, own!, state)).toEqual([]);
  }
}

it('brings two devices together that were both edited offline', async () => {
  await ask(a, 'task', 'shared', 'Milk');
  await ask(a, 'until', { phase: 'live', pending: 0 });
  await until(async () => (await ask(b, 'getTask', 'shared')) !== undefined);
  for (const device of [a, b]) device.setOnline(false);
  await Promise.all([a, b].map((device) => ask(device, 'until', { phase: 'offline' })));
  await ask(a, 'patchTask', 'shared', { title: 'Oat milk' });
  await ask(b, 'patchTask', 'shared', { done: true });
  for (const [device, name] of [
    [a, 'a'],
    [b, 'b'],
  ] as const)
    for (let n = 0; n < 20; n++) await ask(device, 'task', `${name}-${String(n)}`, `${name} ${String(n)}`);
  for (const device of [a, b]) device.setOnline(true);
  await expectEqual();
  expect(await ask(b, 'getTask', 'shared')).toMatchObject({ title: 'Oat milk', done: true });
  expect(await ask(a, 'getTask', 'b-19')).toBeDefined();
});

it.each(['tab', 'process'] as const)(
  'loses and doubles nothing of what was promised when the %s dies in the middle of pushes',
  async (how) => {
    const id = `counter-${how}`;
    await ask(a, 'counter', id);
    const promised: string[] = [];
    const counting = (async () => {
      for (let n = 0; ; n++) {
        const mark = `${how}-${String(n)}`;
        await ask(a, 'count', id, mark);
        promised.push(mark);
      }
    })().catch(() => undefined);
    a.proxy.loseAnswerTo('/sync/push', 2);
    await until(() => promised.length >= 15);
    a.proxy.cutInMidMessage('answers', 1);
    await until(() => promised.length >= 25);
    await a.crash(how);
    await counting;
    a.setOnline(false);
    await a.restart();
    await a.call('open', a.url, users[0]);
    // Before anything can come from the server.
    expect((await ask(a, 'counted', id)).marks).toEqual(expect.arrayContaining(promised));
    a.setOnline(true);
    await expectEqual();
    const { n, marks } = await ask(b, 'counted', id);
    expect(marks).toEqual(expect.arrayContaining(promised));
    expect(n).toBe(marks.length);
  },
);

it('notices by the silence that a connection is dead, and reads what it has missed', async () => {
  await ask(a, 'until', { phase: 'live' });
  const devtools = await a.devtools();
  await devtools.send('Network.enable');
  const network = (offline: boolean) =>
    devtools.send('Network.emulateNetworkConditions', {
      ...{ offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 },
    });
  // The open socket stays open, and goes silent.
  await network(true);
  await ask(b, 'task', 'missed', 'Made meanwhile');
  await ask(a, 'until', { phase: 'offline' });
  await network(false);
  // The same without any word of the browser.
  await ask(a, 'until', { phase: 'live' });
  a.proxy.hold(true);
  await ask(b, 'task', 'missed too', 'Made meanwhile');
  await until(async () => (await ask(a, 'status')).phase !== 'live');
  a.proxy.hold(false);
  await expectEqual();
  expect(await ask(a, 'getTask', 'missed too')).toBeDefined();
});

it('stops reading where there is no room, says so, keeps no edit that it has no room for, and goes on', async () => {
  // For a while Chromium goes on with the room that it has found before, whatever the quota is now: so it starts with this one.
  await b.crash('process');
  await b.restart();
  const devtools = await b.devtools();
  const { origin } = new URL(world.page.url);
  const { usage } = await devtools.send('Storage.getUsageAndQuota', { origin });
  const quota = (quotaSize?: number) =>
    devtools.send('Storage.overrideQuotaForOrigin', { origin, ...(quotaSize ? { quotaSize } : {}) });
  await quota(usage + 400_000);
  await b.call('open', b.url, users[1]);
  await ask(b, 'until', { phase: 'live' });
  // At random: the browser packs what it stores, and counts that.
  for (let n = 0; n < 12; n++)
    await ask(a, 'note', `large-${String(n)}`, randomBytes(150_000).toString('base64'));
  await ask(b, 'until', { blockedBy: 'storage' });
  expect(await ask(b, 'note', 'too large', 'y'.repeat(4_000_000))).toBe('storage_full');
  expect(await ask(b, 'hasNote', 'too large')).toBe(false);
  expect((await ask(b, 'status')).storage).toMatchObject({ kind: 'indexeddb' });
  await quota();
  expect(await ask(b, 'note', 'small', 'y')).toBe('kept');
  await ask(b, 'until', { phase: 'live', pending: 0 });
  await expectEqual();
});

it('tells what was lost when the user clears the data, and begins again', async () => {
  b.setOnline(false);
  await ask(b, 'until', { phase: 'offline' });
  for (const id of ['lost-1', 'lost-2', 'lost-3'])
    expect(await ask(b, 'note', id, 'never sent')).toBe('kept');
  const devtools = await b.devtools();
  await devtools.send('Storage.clearDataForOrigin', {
    origin: new URL(world.page.url).origin,
    storageTypes: 'indexeddb',
  });
  await until(() => world.journal.wrong.some((what) => what.includes('storage_lost')));
  b.setOnline(true);
  await b.call('open', b.url, users[1]);
  expect(world.journal.wrong).toContain('b: storage-lost with 3 edits');
  await expectEqual();
  expect(await ask(b, 'hasNote', 'lost-1')).toBe(false);
});
