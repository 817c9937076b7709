import { memory } from 'nest-offline-sync-client';
import { storageContract } from 'nest-offline-sync-client/testing';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { Chromium } from '../../support/chromium';
import { PageServer } from '../../support/page-server';
import type { StorageCalls } from './page/storage';

/** Bytes. */
const SMALL_QUOTA = 5_000_000;

let server: PageServer;
let profile: string;
let browser: Chromium;
let page: Page;

beforeAll(async () => {
  server = await PageServer.of(join(__dirname, 'page/storage.ts'));
  profile = await mkdtemp(join(tmpdir(), 'sync-client-'));
  browser = await Chromium.start(profile);
  page = await browser.open(server.url);
});
afterAll(async () => {
  await browser?.kill();
  await server?.close();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
});

interface CallsInPage {
  readonly calls: Readonly<Record<string, (...given: unknown[]) => Promise<unknown>>>;
}

/** Calls a function of page/storage.ts in a page. */
function call<Name extends keyof StorageCalls>(
  tab: Page,
  name: Name,
  ...args: Parameters<StorageCalls[Name]>
): ReturnType<StorageCalls[Name]> {
  return tab.evaluate(([which, given]) => (globalThis as unknown as CallsInPage).calls[which]?.(...given), [
    name,
    args,
  ] as [string, unknown[]]) as ReturnType<StorageCalls[Name]>;
}

async function restart(): Promise<void> {
  await browser.kill();
  browser = await Chromium.start(profile);
  page = await browser.open(server.url);
}

const nothing = async () => undefined;

describe('the contract of storages in Chromium', () => {
  beforeAll(async () => {
    const devtools = await browser.devtools(page);
    const { origin } = new URL(server.url);
    await page.exposeFunction('clearDevice', () =>
      devtools.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' }),
    );
  });

  it.each(storageContract({ storage: memory, disconnect: nothing, clear: nothing }))(
    '$name',
    async ({ name }) => {
      expect(await call(page, 'check', name)).toBeUndefined();
    },
  );
});

it('keeps the contract where there is no room', async () => {
  const full = storageContract({ storage: memory, fill: async () => nothing }).find(({ name }) =>
    name.includes('no room'),
  );
  // Another origin, so that nothing was asked of its quota yet.
  const url = server.url.replace('127.0.0.1', 'localhost');
  const tab = await browser.open(url);
  const devtools = await browser.devtools(tab);
  await devtools.send('Storage.overrideQuotaForOrigin', {
    origin: new URL(url).origin,
    quotaSize: SMALL_QUOTA,
  });
  expect(await call(tab, 'check', full!.name)).toBeUndefined();
  await tab.close();
});

it('counts right from two tabs', async () => {
  const other = await browser.open(server.url);
  await Promise.all([call(page, 'add', 'tabs', 60), call(other, 'add', 'tabs', 60)]);
  expect(await call(page, 'counted', 'tabs')).toEqual({ n: 120, rows: 120 });
  expect(await call(other, 'counted', 'tabs')).toEqual({ n: 120, rows: 120 });
  await other.close();
});

it('tells the other tab of a removal, and does not wait for it', async () => {
  const other = await browser.open(server.url);
  await call(other, 'put', 'removed', 'write', 1);
  const lost = call(other, 'lost', 'removed');
  await call(page, 'remove', 'removed');
  expect(await lost).toBe('storage_lost');
  expect(await call(other, 'refusal', 'removed')).toBe('storage_lost');
  expect(await call(page, 'list')).not.toContain('removed');
  await other.close();
});

it('makes room for a newer version, and then says what is the matter', async () => {
  await call(page, 'put', 'newer', 'write', 1);
  const lost = call(page, 'lost', 'newer');
  expect(await call(page, 'upgrade', 'newer')).toBe('upgraded');
  expect(await lost).toBe('storage_lost');
  expect(await call(page, 'openRefusal', 'newer')).toBe('storage_outdated');
});

it('tells of the room that there is', async () => {
  expect(await call(page, 'persistence', 'room')).toEqual({ persisted: false, usage: true, quota: true });
});

it.each(['durable', 'write'] as const)(
  'keeps each %s that resolved when the browser is killed',
  async (mode) => {
    const name = `killed ${mode}`;
    for (let key = 1; key <= 30; key++) await call(page, 'put', name, mode, key);
    // One more is on its way: it is there as a whole or not at all.
    const late = call(page, 'put', name, mode, 31).catch(() => undefined);
    await restart();
    await late;
    const { outbox, base } = await call(page, 'keys', name);
    expect(outbox.slice(0, 30)).toEqual(Array.from({ length: 30 }, (_, at) => at + 1));
    expect(base).toEqual(outbox);
    await call(page, 'put', name, mode, 40);
    expect((await call(page, 'keys', name)).outbox.at(-1)).toBe(40);
  },
);
