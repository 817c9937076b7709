import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { portOf } from '../../../apps/demo/src/start/single';
import { barriersOf } from '../../support/accessibility';
import { Chromium } from '../../support/chromium';
import { testDatabase } from '../../support/database';
import { keepScreenshots } from '../../support/screenshots';
import { add, press, says, serve, ShopApp, signIn, task } from '../../support/shop-app';

const database = testDatabase(__filename);
let shop: ShopApp;
let page: Page;

beforeAll(async () => {
  shop = await ShopApp.start(database.uri);
});
afterAll(() => shop?.end());

/** Each on a device of its own. */
beforeEach(async () => {
  shop.answer();
  page = await shop.open(await shop.newContext());
});
afterEach(() => expect(shop.problems.take()).toEqual([]));
const picture = keepScreenshots(__filename, () => shop.openPages());
afterEach(() => page.context().close());

const alert = (text: string | RegExp): Promise<void> => page.getByRole('alert').getByText(text).waitFor();

/**
 * Somebody is signed in, and something waits because the network is gone.
 *
 * @returns a page of the same origin without the app
 */
async function withSomethingThatWaits(title: string): Promise<Page> {
  await signIn(page, 'alice');
  await task(page, 'Clean the grinder');
  await says(page, 'all sent');
  const other = await page.context().newPage();
  await other.goto(`${shop.origin}/health`);
  shop.cut();
  await page.getByText('You are offline').waitFor();
  await add(page, title);
  await says(page, '1 waiting');
  return other;
}

/** What browsers do when they need room, and users when they clear the data of a site: but for where the app notes who was here. */
async function clearDatabases(): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Storage.clearDataForOrigin', { origin: shop.origin, storageTypes: 'indexeddb' });
}

const OURS = `indexedDB.databases().then((all) =>
  all.map(({ name }) => name).filter((name) => name.startsWith('nest-offline-sync:')))`;

describe('the app, when', () => {
  it('the browser removes all data under it: it says so, and what was lost, and begins again', async () => {
    await withSomethingThatWaits('Water the ferns');
    await clearDatabases();
    await alert(
      'The browser has removed the data of this device, and your sign-in with it. 1 change was not sent',
    );
    expect(await barriersOf(page)).toEqual([]);
    await picture(page, 'The data of this device was removed');
    shop.answer();
    await press(page, 'Sign in');
    await task(page, 'Clean the grinder');
    await says(page, 'all sent');
    shop.problems.isCut = false;
    expect(await page.getByLabel('Done: Water the ferns').count()).toBe(0);
    await alert('1 change was not sent, and went with it.');
    await press(page, 'Close this message');
    await page.getByRole('alert').waitFor({ state: 'detached' });
  });

  it('the data of its lists alone is removed: they come again, and what is being typed stays', async () => {
    const other = await withSomethingThatWaits('Feed the fish');
    await page.getByLabel('New task').fill('Half a sen');
    await other.evaluate(`${OURS}.then((names) => Promise.all(names.map((name) => new Promise((resolve) => {
      indexedDB.deleteDatabase(name).onsuccess = resolve;
    }))))`);
    await alert('The browser has removed the data of this device. 1 change was not sent, and went with it.');
    await page.getByText('The tasks are not on this device yet').waitFor();
    await picture(page, 'The data of the lists was removed, without network');
    await shop.connect(page);
    await task(page, 'Clean the grinder');
    expect(await page.getByLabel('New task').inputValue()).toBe('Half a sen');
  });

  it('the browser has removed the data between two visits: it says so, and knows who was here', async () => {
    const other = await withSomethingThatWaits('Call the baker');
    await page.close();
    page = other;
    await clearDatabases();
    page = await shop.open(other.context());
    await alert('The browser has removed the data of this device, and your sign-in with it.');
    expect(await page.getByLabel('Your name').inputValue()).toBe('alice');
    shop.answer();
    await press(page, 'Sign in');
    await alert('1 change was not sent, and went with it.');
    await task(page, 'Clean the grinder');
    shop.problems.isCut = false;
  });

  it('a newer version has changed the database: it says that nothing is lost, and touches nothing', async () => {
    const other = await withSomethingThatWaits('Polish the spoons');
    const waiting = await other.evaluate<number>(`${OURS}.then((names) => Promise.all(names.map((name) =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open(name, 2);
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const counting = opening.result.transaction('outbox').objectStore('outbox').count();
          counting.onsuccess = () => resolve(counting.result);
        };
      })
    ))).then((counts) => counts.reduce((all, count) => all + count, 0))`);
    expect(waiting).toBe(1);
    await alert('A newer version of the app has been here');
    expect(await barriersOf(page)).toEqual([]);
    await picture(page, 'A newer version has changed the database');
    shop.answer();
    await Promise.all([page.waitForEvent('load'), press(page, 'Reload the app')]);
    await alert('A newer version of the app has been here');
    shop.problems.isCut = false;
  });

  it('the server takes the sign-in no more: the data stays, and what waits is sent after the next one', async () => {
    await withSomethingThatWaits('Count the cups');
    // Of production: it knows other tokens, and gives none away.
    const strict = await serve(database.uri, shop.pages, {
      NODE_ENV: 'production',
      JWT_SECRET: 'another secret of at least thirty-two bytes',
    });
    shop.problems.expect(/status of 40[14]/);
    shop.proxy.aim(portOf(strict));
    await page.evaluate("dispatchEvent(new Event('online'))");
    await alert('The server does not take your sign-in any more.');
    await task(page, 'Count the cups');
    await says(page, 'Signed out');
    await says(page, '1 waiting');
    expect(await barriersOf(page)).toEqual([]);
    await picture(page, 'Signed out by the server');
    // Also after a reload nothing is asked of a person who only wants to read.
    await page.reload();
    await task(page, 'Count the cups');
    await press(page, 'Sign in again');
    await page.getByText('what waits on this device is sent then').waitFor();
    await press(page, 'Sign in');
    await alert('it gives no tokens away');
    await picture(page, 'Sign-in after the server has refused');
    shop.answer();
    shop.proxy.cutAll();
    await strict.close();
    await press(page, 'Sign in');
    await task(page, 'Count the cups');
    await says(page, 'all sent');
    shop.problems.isCut = false;
    shop.problems.expect(undefined);
    expect(await shop.titlesOnServer()).toContain('Count the cups');
  });

  it('the browser has no IndexedDB: it says so, and what to do', async () => {
    await page.addInitScript('delete Window.prototype.indexedDB; delete window.indexedDB;');
    await page.reload();
    await alert('This browser keeps nothing');
    await alert(/Open the app in an ordinary window/);
    expect(await barriersOf(page)).toEqual([]);
  });

  it('the browser forbids data of the site: it says so, and what to do', async () => {
    const profile = await mkdtemp(join(tmpdir(), 'sync-app-'));
    await mkdir(join(profile, 'Default'));
    const preferences = { profile: { default_content_setting_values: { cookies: 2 } } };
    await writeFile(join(profile, 'Default', 'Preferences'), JSON.stringify(preferences));
    const strict = await Chromium.start(profile);
    try {
      page = await shop.open(strict.context);
      await alert('This browser keeps nothing');
      await page.getByRole('button', { name: 'Reload the app' }).waitFor();
      await picture(page, 'The browser keeps nothing');
    } finally {
      await strict.kill();
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    }
  });
});
