import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { barriersOf } from '../../support/accessibility';
import { BuiltPages } from '../../support/built-pages';
import { Chromium } from '../../support/chromium';
import { testDatabase } from '../../support/database';
import { startDemo, type DemoProcess } from '../../support/demo-process';
import { PageProblems } from '../../support/page-problems';
import { keepScreenshots } from '../../support/screenshots';

const database = testDatabase(__filename);
const problems = new PageProblems();
let pages: BuiltPages;
let demo: DemoProcess;
let profile: string;
let browser: Chromium;
let page: Page;

beforeAll(async () => {
  pages = await BuiltPages.build();
  demo = await startDemo({ MONGODB_URI: database.uri, PAGES_DIR: pages.folder }, 'source');
  profile = await mkdtemp(join(tmpdir(), 'sync-page-'));
  browser = await Chromium.start(profile);
  page = problems.watch(await browser.context.newPage());
  await page.goto(demo.url);
});
afterAll(async () => {
  await browser?.kill();
  await demo?.end('SIGTERM');
  await pages?.remove();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
});
afterEach(() => expect(problems.take()).toEqual([]));
const picture = keepScreenshots(__filename, () => browser.context.pages());

const phone = (of: string): Locator => page.getByRole('article', { name: `Phone of ${of}`, exact: true });
const press = (name: string): Promise<void> => page.getByRole('button', { name, exact: true }).click();
const says = (of: string, text: string): Promise<void> =>
  phone(of).getByRole('status').getByText(text).waitFor();
const left = (of: string): Promise<string> => phone(of).getByLabel('Cinnamon bun left').innerText();

describe('the page of the demo', () => {
  it('loads at most 150 kB of JavaScript', async () => {
    const bytes = await pages.scriptBytes('index.html');
    expect(bytes).toBeGreaterThan(80_000);
    expect(bytes).toBeLessThan(150_000);
  });

  it('shows two phones that follow the server', async () => {
    for (const who of ['Alice', 'Bob']) {
      await says(who, 'Live');
      await phone(who).getByRole('textbox', { name: 'Title' }).first().waitFor();
    }
  });

  it('shows what one adds on the other', async () => {
    await phone('Bob').getByLabel('New task').fill('Water the plants');
    await phone('Bob').getByRole('button', { name: 'Add' }).click();
    await phone('Alice').getByLabel('Done: Water the plants').waitFor();
  });

  it('merges two edits of one task that were made offline', async () => {
    await press('Offline, and both edits stay');
    await press('Both go offline');
    await says('Alice', 'Offline');
    await press('Both edit the same task');
    await says('Alice', '1 waiting');
    await says('Bob', '1 waiting');
    await picture(page, 'Both are offline, and have edited the same task');
    await press('Both go online');
    const title = phone('Alice').getByLabel(/^Done: .*\(by /);
    await title.and(page.locator(':checked')).waitFor();
    await phone('Bob')
      .getByLabel(/^Done: .*\(by /)
      .and(page.locator(':checked'))
      .waitFor();
  });

  it('lets an edit that was made offline bring back what another phone has deleted', async () => {
    for (const who of ['Alice', 'Bob']) await phone(who).getByRole('switch').click();
    await phone('Alice').getByRole('button', { name: 'Delete Water the plants' }).click();
    await phone('Alice').getByLabel('Done: Water the plants').waitFor({ state: 'detached' });
    await phone('Bob').getByLabel('Done: Water the plants').click();
    await phone('Alice').getByRole('switch').click();
    await says('Alice', 'all sent');
    await phone('Bob').getByRole('switch').click();
    await phone('Alice').getByLabel('Done: Water the plants').and(page.locator(':checked')).waitFor();
    await says('Bob', 'all sent');
  });

  it('sells from one shelf on both', async () => {
    await press('One shelf, two sellers');
    expect([await left('Alice'), await left('Bob')]).toEqual(['12', '12']);
    await press('Both go offline');
    await press('Each sells one');
    await press('Both go online');
    for (const who of ['Alice', 'Bob'])
      await phone(who).getByLabel('Cinnamon bun left').filter({ hasText: /^10$/ }).waitFor();
  });

  it('hears of an order of the shop’s own service', async () => {
    await page.getByLabel('Goods').selectOption({ label: 'Cinnamon bun (10 left)' });
    await press('Place an order');
    await phone('Bob').getByLabel('Cinnamon bun left').filter({ hasText: /^9$/ }).waitFor();
    await page.getByText('Order placed: 3.80').waitFor();
  });

  it('keeps what was refused until somebody decides', async () => {
    await press('A person decides');
    await press('Bob goes offline, both decide');
    await press('Bob goes online');
    const refused = phone('Bob').getByRole('region', { name: 'Refused changes' });
    await refused.getByText('conflict_stale').waitFor();
    await refused.getByRole('table', { name: /^order of/ }).waitFor();
    await refused.getByRole('row', { name: 'state "cancelled"' }).waitFor();
    await picture(page, 'A refused change');
    // In the light and in the dark, at a desk and on a phone, with everything on the page that it can have.
    expect(await barriersOf(page)).toEqual([]);
    await refused.getByRole('button', { name: 'Keep mine' }).click();
    await phone('Alice').getByText('cancelled').waitFor();
    await says('Bob', 'all sent');
  });

  it('takes theirs when somebody gives way', async () => {
    await page.getByLabel('Goods').selectOption({ label: 'Cinnamon bun (9 left)' });
    await press('Place an order');
    await phone('Bob').getByText('placed').waitFor();
    await press('A person decides');
    await press('Bob goes offline, both decide');
    await press('Bob goes online');
    await phone('Bob').getByRole('button', { name: 'Take theirs' }).click();
    await phone('Bob').getByText('packed', { exact: true }).waitFor();
    await says('Bob', 'all sent');
  });

  it('places an order for the story when none is open any more', async () => {
    const cancel = phone('Alice').getByRole('button', { name: /^Cancel/ });
    for (let open = await cancel.count(); open > 0; open--) {
      await cancel.first().click();
      await cancel.nth(open - 1).waitFor({ state: 'detached' });
    }
    await says('Alice', 'all sent');
    for (const who of ['Alice', 'Bob'])
      await phone(who)
        .getByRole('button', { name: /^Cancel/ })
        .first()
        .waitFor({ state: 'detached' });
    await press('A person decides');
    await press('Bob goes offline, both decide');
    await press('Bob goes online');
    await phone('Bob').getByRole('button', { name: 'Take theirs' }).click();
    await phone('Bob').getByText('packed', { exact: true }).waitFor();
    await says('Bob', 'all sent');
  });

  it('loads a new phone, and shows another business nothing of this one', async () => {
    await press('A new phone for Alice');
    await phone('Alice’s new phone').getByLabel('Done: Water the plants').waitFor();
    await press('A phone of another business');
    await phone('Mei').getByLabel('Done: True the wheel of Mei').waitFor();
    expect(await phone('Mei').getByText('Water the plants').count()).toBe(0);
    expect(await phone('Mei').getByLabel('Done: Water the plants').count()).toBe(0);
    await phone('Alice’s new phone').getByRole('button', { name: 'Sign out and erase' }).click();
    await phone('Alice’s new phone').waitFor({ state: 'detached' });
  });

  it('shows each change in the log, and on the wire without a token', async () => {
    const log = page.getByRole('region', { name: 'Log of the café' });
    expect(await log.getByRole('row').count()).toBeGreaterThan(5);
    const panel = page.getByRole('region', { name: 'Wire' });
    await page.evaluate('for (const each of document.querySelectorAll("details")) each.open = true');
    await panel.locator('pre').first().waitFor();
    const wire = await panel.locator('pre').allTextContents();
    expect(wire.some((text) => text.includes('"mutation_id"'))).toBe(true);
    expect(wire.filter((text) => text.includes('eyJ'))).toEqual([]);
  });

  it('keeps a phone’s edits through a reload', async () => {
    await phone('Alice').getByRole('switch').click();
    await phone('Alice').getByRole('button', { name: 'Tasks' }).click();
    await phone('Alice').getByLabel('New task').fill('Sweep the floor');
    await phone('Alice').getByRole('button', { name: 'Add' }).click();
    await says('Alice', '1 waiting');
    await page.reload();
    await phone('Bob').getByLabel('Done: Sweep the floor').waitFor();
  });

  it('says on each phone that its data was removed, and loads it again', async () => {
    await phone('Bob').getByRole('switch').click();
    await phone('Bob').getByLabel('New task').fill('Water the ferns');
    await phone('Bob').getByRole('button', { name: 'Add' }).click();
    await says('Bob', '1 waiting');
    const other = await browser.open(`${demo.url}/health`);
    await other.evaluate(`indexedDB.databases().then((all) => Promise.all(all.map(({ name }) =>
      new Promise((resolve) => (indexedDB.deleteDatabase(name).onsuccess = resolve)))))`);
    await other.close();
    // A phone notices when it reads or sends next.
    for (const who of ['Alice', 'Bob']) {
      await phone(who).getByRole('switch').click();
      await phone(who).getByRole('alert').getByText('it was removed').waitFor();
    }
    await picture(page, 'The data of the phones was removed');
    await phone('Alice').getByRole('switch').click();
    for (const who of ['Alice', 'Bob']) {
      await phone(who).getByRole('button', { name: 'Open again' }).click();
      await phone(who).getByLabel('Done: Sweep the floor').waitFor();
    }
    await phone('Bob').getByRole('alert').getByText('1 change was not sent, and went with it.').waitFor();
    await phone('Bob').getByRole('button', { name: 'Close this message' }).click();
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  it('leads to what else there is', async () => {
    const found = await page.getByRole('link').all();
    const links = await Promise.all(found.map((link) => link.getAttribute('href')));
    expect(links).toEqual(['/app/', '/docs', '/health', '/metrics', '/admin/']);
    for (const link of links) expect((await fetch(new URL(link ?? '', page.url()))).status).toBe(200);
  });

  it('goes on when the server is killed, and sends what was made meanwhile', async () => {
    problems.isCut = true;
    await press('Kill the server');
    // Between two tries it says that it is offline. A try that comes before the next process is there is held until then.
    await phone('Alice').getByRole('status').getByText('Live').waitFor({ state: 'detached' });
    await phone('Alice').getByLabel('New task').fill('Feed the cat');
    await phone('Alice').getByRole('button', { name: 'Add' }).click();
    await phone('Alice')
      .getByText(/^(1 waiting|sending 1)$/)
      .waitFor();
    await picture(page, 'The server is dead');
    await demo.line(/Worker \d+ ended .SIGKILL/);
    // A phone waits up to a minute between two tries.
    await phone('Bob').getByLabel('Done: Feed the cat').waitFor({ timeout: 90_000 });
    for (const who of ['Alice', 'Bob']) await says(who, 'all sent');
    problems.isCut = false;
  }, 150_000);

  it('shows ten thousand products, and sells one of them', async () => {
    await press('10,000 products');
    await page.getByText('10,000 products are on the shelf').waitFor();
    for (const who of ['Alice', 'Bob']) {
      await phone(who).getByRole('button', { name: 'Stock' }).click();
      await phone(who).getByText('The first 100 by name').waitFor();
    }
    await phone('Alice').getByLabel('Sell one Product 00042').click();
    await phone('Bob').getByLabel('Product 00042 left').filter({ hasText: /^9$/ }).waitFor();
    await page.evaluate(`
      globalThis.seen = new Set();
      new MutationObserver(() => {
        for (const each of document.querySelectorAll('.phase')) seen.add(each.textContent);
      }).observe(document.body, { subtree: true, childList: true, characterData: true });
    `);
    await press('A new phone for Alice');
    const fresh = phone('Alice’s new phone');
    await fresh.getByRole('button', { name: 'Stock' }).click();
    await fresh.getByLabel('Product 00042 left').filter({ hasText: /^9$/ }).waitFor();
    await says('Alice’s new phone', 'all sent');
    const phases = await page.evaluate<string[]>('[...seen]');
    expect(phases).toContainEqual(expect.stringMatching(/^Loading \d+ of 100\d\d$/));
  });
});
