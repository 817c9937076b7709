import type { NestExpressApplication } from '@nestjs/platform-express';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEnvironment } from '../../../apps/demo/src/config/environment';
import { createServer } from '../../../apps/demo/src/server';
import { portOf } from '../../../apps/demo/src/start/single';
import { BrowserDevice } from '../../harness/devices/device';
import type { User } from '../../harness/devices/events';
import { Journal } from '../../harness/devices/journal';
import { judgeEqual, scopeOf } from '../../harness/devices/oracle';
import { ServerEye } from '../../harness/devices/server-state';
import { testDatabase } from '../../support/database';
import { demoClient } from '../../support/demo-client';
import { PageServer } from '../../support/page-server';
import { until } from '../../support/until';
import type { DeviceCalls } from './page/device';

/** The whole client in two profiles of a real browser, against the demo with MongoDB, through proxies that cut. */

const PING_MS = 1_000;
const BUSINESS = 'browsers';

let app: NestExpressApplication;
let page: PageServer;
let folder: string;
let eye: ServerEye;
let a: BrowserDevice;
let b: BrowserDevice;
let users: [User, User];
const journal = new Journal();

beforeAll(async () => {
  const environment = readEnvironment({
    MONGODB_URI: testDatabase(__filename).uri,
    ...{ PORT: '0', LOG_LEVEL: 'error', SYNC_PING_INTERVAL_MS: String(PING_MS) },
  });
  app = await createServer(environment);
  app.enableCors();
  await app.listen(0);
  const port = portOf(app);
  eye = new ServerEye(`http://127.0.0.1:${String(port)}`);
  const user = async (name: string): Promise<User> => {
    const { token } = await demoClient(`http://127.0.0.1:${String(port)}`, name, BUSINESS);
    return { name, business: BUSINESS, token };
  };
  users = [await user('ann'), await user('ben')];
  page = await PageServer.of(join(__dirname, 'page/device.ts'));
  folder = await mkdtemp(join(tmpdir(), 'sync-client-'));
  const device = async (name: string): Promise<BrowserDevice> => {
    await mkdir(join(folder, name));
    const made = new BrowserDevice({ name, folder: join(folder, name), journal, port }, page.url);
    await made.start();
    return made;
  };
  [a, b] = await Promise.all([device('a'), device('b')]);
  await Promise.all([a.call('open', a.url, users[0]), b.call('open', b.url, users[1])]);
});
afterAll(async () => {
  await Promise.all([a?.close(), b?.close()]);
  await page?.close();
  await app?.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

function ask<N extends keyof DeviceCalls>(
  device: BrowserDevice,
  name: N,
  ...args: Parameters<DeviceCalls[N]>
): Promise<Awaited<ReturnType<DeviceCalls[N]>>> {
  return device.page.evaluate(
    ([which, given]) => {
      const { calls } = globalThis as unknown as { calls: Record<string, (...of: unknown[]) => unknown> };
      return calls[which]?.(...given);
    },
    [name, args] as [string, unknown[]],
  ) as Promise<Awaited<ReturnType<DeviceCalls[N]>>>;
}

/** Both devices have what the server has, by the server's digest too. */
async function expectEqual(): Promise<void> {
  for (const device of [a, b, a]) expect((await device.call('calm', 60_000)).isCalm).toBe(true);
  const state = await eye.state(users[0], undefined);
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
