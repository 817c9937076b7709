import type { NestExpressApplication } from '@nestjs/platform-express';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { readEnvironment } from '../../../apps/demo/src/config/environment';
import { listen, portOf } from '../../../apps/demo/src/start/single';
import { Chromium } from '../../support/chromium';
import { testDatabase } from '../../support/database';

const database = testDatabase(__filename);
const environment = readEnvironment({ MONGODB_URI: database.uri, PORT: '0', LOG_LEVEL: 'error' });
let app: NestExpressApplication;
let profile: string;
let browser: Chromium;
let page: Page;
/** What went wrong in the page. */
const problems: string[] = [];

beforeAll(async () => {
  execFileSync('npm', ['run', '--silent', 'build:web'], {
    cwd: join(__dirname, '../../..'),
    env: { ...process.env, NODE_ENV: 'production' },
  });
  app = await listen(environment, true);
  profile = await mkdtemp(join(tmpdir(), 'sync-page-'));
  browser = await Chromium.start(profile);
  page = await browser.context.newPage();
  page.on('pageerror', ({ message }) => problems.push(message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  await page.goto(`http://127.0.0.1:${String(portOf(app))}/`);
});
afterAll(async () => {
  await browser?.kill();
  await app?.close();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
});

const phone = (of: string): Locator => page.getByRole('article', { name: `Phone of ${of}`, exact: true });
const press = (name: string): Promise<void> => page.getByRole('button', { name, exact: true }).click();
const says = (of: string, text: string): Promise<void> =>
  phone(of).getByRole('status').getByText(text).waitFor();
const left = (of: string): Promise<string> => phone(of).getByLabel('Cinnamon bun left').innerText();

describe('the page of the demo', () => {
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
    await press('Both go online');
    const title = phone('Alice').getByLabel(/^Done: .*\(by /);
    await title.and(page.locator(':checked')).waitFor();
    await phone('Bob')
      .getByLabel(/^Done: .*\(by /)
      .and(page.locator(':checked'))
      .waitFor();
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
    await refused.getByRole('row', { name: 'state "cancelled"' }).waitFor();
    await refused.getByRole('button', { name: 'Keep mine' }).click();
    await phone('Alice').getByText('cancelled').waitFor();
    await says('Bob', 'all sent');
  });

  it('loads a new phone, and shows another business nothing of this one', async () => {
    await press('A new phone for Alice');
    await phone('Alice’s new phone').getByLabel('Done: Water the plants').waitFor();
    await press('A phone of another business');
    await phone('Mei').getByLabel('Done: True the wheel of Mei').waitFor();
    expect(await phone('Mei').getByText('Water the plants').count()).toBe(0);
    expect(await phone('Mei').getByLabel('Done: Water the plants').count()).toBe(0);
  });

  it('shows each change in the log, and on the wire without a token', async () => {
    const log = page.getByRole('region', { name: 'Log of the café' });
    expect(await log.getByRole('row').count()).toBeGreaterThan(5);
    const wire = await page.getByRole('region', { name: 'Wire' }).locator('pre').allTextContents();
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

  it('leads to what else there is', async () => {
    const found = await page.getByRole('link').all();
    const links = await Promise.all(found.map((link) => link.getAttribute('href')));
    expect(links).toEqual(['/docs', '/health', '/metrics', '/admin/']);
    for (const link of links) expect((await fetch(new URL(link ?? '', page.url()))).status).toBe(200);
  });

  it('has nothing to complain about', () => {
    expect(problems).toEqual([]);
  });
});
