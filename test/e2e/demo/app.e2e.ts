import { randomBytes } from 'node:crypto';
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { gzipSync } from 'node:zlib';
import { barriersOf } from '../../support/accessibility';
import { Chromium } from '../../support/chromium';
import { testDatabase } from '../../support/database';
import { keepScreenshots } from '../../support/screenshots';
import { add, press, says, ShopApp, signIn, task } from '../../support/shop-app';
import { until } from '../../support/until';

const database = testDatabase(__filename);
let shop: ShopApp;
let page: Page;

beforeAll(async () => {
  shop = await ShopApp.start(database.uri);
  page = await shop.open();
});
afterAll(() => shop?.end());
afterEach(() => expect(shop.problems.take()).toEqual([]));
const picture = keepScreenshots(__filename, () => shop.openPages());

describe('the installable app', () => {
  it('is small: page and service worker load at most 100 kB of JavaScript', async () => {
    const page = await shop.pages.scriptBytes('app/index.html');
    const worker = gzipSync(await readFile(join(shop.pages.folder, 'app/service-worker.js'))).length;
    expect(page).toBeGreaterThan(40_000);
    expect(page + worker).toBeLessThan(100_000);
  });

  it('is served so that a new version is seen, and what does not change is not asked for again', async () => {
    const [script = ''] = /\/app\/assets\/[^"]+\.js/.exec(await (await fetch(shop.url)).text()) ?? [];
    const headers = async (path: string) => (await fetch(new URL(path, shop.url))).headers;
    const caching = async (path: string) => (await headers(path)).get('cache-control');
    expect(await caching(script)).toBe('public, max-age=31536000, immutable');
    for (const path of ['/app/', '/app/service-worker.js', '/app/manifest.webmanifest'])
      expect(await caching(path)).toBe('no-cache');
    expect((await headers('/app/service-worker.js')).get('service-worker-allowed')).toBe('/app');
  });

  it('can be installed', async () => {
    const devtools = await shop.browser.devtools(page);
    const { errors } = await devtools.send('Page.getAppManifest');
    expect(errors).toEqual([]);
    const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors');
    expect(installabilityErrors).toEqual([]);
  });

  it('lets somebody in, and loads the shop', async () => {
    expect(await barriersOf(page)).toEqual([]);
    await picture(page, 'Sign-in');
    await signIn(page, 'alice');
    await task(page, 'Clean the grinder');
    await says(page, 'all sent');
    await page.evaluate('navigator.serviceWorker.ready.then(() => undefined)');
    for (const list of ['Stock', 'Orders', 'Tasks']) {
      await press(page, list);
      expect(await barriersOf(page)).toEqual([]);
      await picture(page, list);
    }
  });

  it('starts without the server, keeps edits through reloads, and sends them when it is back', async () => {
    shop.cut();
    await page.reload();
    await task(page, 'Clean the grinder');
    await page.getByText('You are offline').waitFor();
    await add(page, 'Order cups');
    await says(page, '1 waiting');
    // Also by its address without the last stroke.
    await page.goto(shop.url.slice(0, -1));
    await task(page, 'Order cups');
    await says(page, '1 waiting');
    expect(await shop.titlesOnServer()).not.toContain('Order cups');
    await press(page, 'Try now');
    await page.getByText('1 change waits on this device').waitFor();
    await picture(page, 'Offline, with something that waits');
    await shop.connect(page);
    expect(await shop.titlesOnServer()).toContain('Order cups');
  });

  it('sends what waits after the last page is closed, when the browser tells its service worker', async () => {
    const devtools = await shop.browser.devtools(await shop.browser.context.newPage());
    const registered = new Promise<string>((resolve) =>
      devtools.on('ServiceWorker.workerRegistrationUpdated', ({ registrations: [first] }) => {
        if (first) resolve(first.registrationId);
      }),
    );
    await devtools.send('ServiceWorker.enable');
    shop.cut();
    await page.getByText('You are offline').waitFor();
    const ofPage = await shop.browser.devtools(page);
    await ofPage.send('Network.enable');
    const conditions = { offline: true, latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
    await ofPage.send('Network.emulateNetworkConditions', conditions);
    await add(page, 'Lock the door');
    // Without network the browser is asked to tell when there is one.
    const tags = 'navigator.serviceWorker.ready.then(({ sync }) => sync.getTags())';
    await until(async () => (await page.evaluate<string[]>(tags)).includes('outbox'));
    await page.close();
    shop.answer();
    await devtools.send('ServiceWorker.dispatchSyncEvent', {
      origin: shop.origin,
      registrationId: await registered,
      tag: 'outbox',
      lastChance: false,
    });
    await until(async () => (await shop.titlesOnServer()).includes('Lock the door'));
    page = await shop.open();
    await task(page, 'Lock the door');
    await says(page, 'all sent');
    shop.problems.isCut = false;
  });

  it('shows in one tab what is edited in another, also offline', async () => {
    const second = await shop.open();
    await add(second, 'Sort the receipts');
    await task(page, 'Sort the receipts');
    for (const each of [page, second]) await says(each, 'all sent');
    shop.cut();
    await add(page, 'Count the till');
    await task(second, 'Count the till');
    for (const each of [page, second]) await says(each, '1 waiting');
    await shop.connect(second);
    await says(page, 'all sent');
    await second.close();
  });

  it('asks before it signs out with changes that were not sent, and keeps them for who made them', async () => {
    const second = await shop.open();
    await task(second, 'Count the till');
    shop.cut();
    await add(page, 'Call the plumber');
    await press(page, 'Sign out');
    const dialog = page.getByRole('dialog', { name: 'One change is not on the server' });
    expect(await barriersOf(page)).toEqual([]);
    await picture(page, 'Signing out with something that waits');
    await dialog.getByRole('button', { name: 'Stay signed in' }).click();
    await task(page, 'Call the plumber');
    await press(page, 'Sign out');
    await dialog.getByRole('button', { name: 'Keep on this device until I am back' }).click();
    for (const each of [page, second]) await each.getByRole('button', { name: 'Sign in' }).waitFor();
    await press(page, 'Sign in');
    await page.getByText('Sign in when you are online').waitFor();
    await picture(page, 'Sign-in without network');
    shop.answer();

    await signIn(second, 'carol');
    await task(second, 'Clean the grinder');
    expect(await second.getByLabel('Done: Call the plumber').count()).toBe(0);
    await press(second, 'Sign out');
    await signIn(second, 'alice');
    await task(page, 'Call the plumber');
    await says(page, 'all sent');
    shop.problems.isCut = false;
    expect(await shop.titlesOnServer()).toContain('Call the plumber');
    await second.close();
  });

  it('throws away only what it was told to throw away', async () => {
    shop.cut();
    await add(page, 'A mistake');
    await press(page, 'Sign out');
    await press(page, 'Send, then sign out');
    await page.getByText('They could not be sent').waitFor();
    await press(page, 'Throw away');
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    shop.answer();
    await signIn(page, 'alice');
    await task(page, 'Call the plumber');
    await says(page, 'all sent');
    shop.problems.isCut = false;
    expect(await page.getByLabel('Done: A mistake').count()).toBe(0);
    expect(await shop.titlesOnServer()).not.toContain('A mistake');
  });

  it('says when there is a new version, and goes to it when the user wants it', async () => {
    const second = await shop.open();
    await task(second, 'Call the plumber');
    await appendFile(join(shop.pages.folder, 'app/service-worker.js'), '\n// The next version.\n');
    await page.reload();
    const notice = (on: Page) => on.getByText('A new version of the app is here');
    for (const each of [page, second]) await notice(each).waitFor();
    await picture(page, 'A new version');
    // A user who is typing goes on: only the tab where it is asked for is loaded again.
    await second.getByLabel('New task').fill('Half a sen');
    await Promise.all([page.waitForEvent('load'), press(page, 'Update')]);
    await task(page, 'Call the plumber');
    expect(await notice(page).count()).toBe(0);
    expect(await second.getByLabel('New task').inputValue()).toBe('Half a sen');
    await Promise.all([second.waitForEvent('load'), press(second, 'Update')]);
    await task(second, 'Call the plumber');
    expect(await notice(second).count()).toBe(0);
    await second.close();
  });

  it('says when the device is full, keeps what was typed, and goes on when there is room', async () => {
    // For a while Chromium goes on with the room that it has found before, whatever the quota is now: so it starts with this one.
    await shop.browser.kill();
    shop.browser = await Chromium.start(shop.profile);
    const devtools = await shop.browser.devtools(await shop.browser.context.newPage());
    const { origin } = shop;
    const { usage } = await devtools.send('Storage.getUsageAndQuota', { origin });
    await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: usage + 300_000 });
    page = await shop.open();
    await task(page, 'Call the plumber');
    for (let n = 0; n < 8; n++) {
      const tags = [randomBytes(150_000).toString('base64')];
      const data = { title: `Large ${String(n)}`, done: false, tags };
      await shop.other.push({ collection: 'tasks', operation: 'upsert', doc_id: `large-${String(n)}`, data });
    }
    await page.getByText('This device is full', { exact: false }).first().waitFor();
    await picture(page, 'The device is full');
    await devtools.send('Storage.overrideQuotaForOrigin', { origin });
    await add(page, 'Small');
    await task(page, 'Large 7');
    await says(page, 'all sent');
  });
});
