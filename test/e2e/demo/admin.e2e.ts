import type { NestExpressApplication } from '@nestjs/platform-express';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatHlc } from 'nest-offline-sync';
import type { Locator, Page } from 'playwright-core';
import { readEnvironment } from '../../../apps/demo/src/config/environment';
import { listen, portOf } from '../../../apps/demo/src/start/single';
import { barriersOf } from '../../support/accessibility';
import { BuiltPages } from '../../support/built-pages';
import { Chromium } from '../../support/chromium';
import { testDatabase } from '../../support/database';
import { keepScreenshots } from '../../support/screenshots';
import { until } from '../../support/until';

const variables = { MONGODB_URI: testDatabase(__filename).uri, PORT: '0', LOG_LEVEL: 'error' };
let pages: BuiltPages;
let app: NestExpressApplication;
let url: string;
let profile: string;
let browser: Chromium;
let page: Page;
const problems: string[] = [];
const picture = keepScreenshots(__filename, () => browser.context.pages());

beforeAll(async () => {
  pages = await BuiltPages.build();
  app = await listen(readEnvironment({ ...variables, PAGES_DIR: pages.folder }), true);
  url = `http://127.0.0.1:${String(portOf(app))}`;
  profile = await mkdtemp(join(tmpdir(), 'sync-admin-'));
  browser = await Chromium.start(profile);
  page = await browser.context.newPage();
  page.on('pageerror', ({ message }) => problems.push(message));
});
afterAll(async () => {
  await browser?.kill();
  await app?.close();
  await pages?.remove();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
});

async function post(path: string, body: object, token?: string): Promise<Response> {
  return fetch(`${url}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
}

async function tokenOf(user: string, more: object = {}): Promise<string> {
  const answer = await post('/auth/token', { user_id: user, business_id: 'corner-cafe', ...more });
  return ((await answer.json()) as { token: string }).token;
}

const panel = (name: string): Locator => page.getByRole('region', { name, exact: true });
/** No part of the page waits for an answer. */
const settled = (): Promise<void> => page.locator('[aria-busy=true]').first().waitFor({ state: 'hidden' });

describe('the routes of the demo’s operator', () => {
  it('are for operators alone', async () => {
    const ask = async (token?: string): Promise<number> => {
      const headers = { authorization: token === undefined ? '' : `Bearer ${token}` };
      return (await fetch(`${url}/admin/sync/status`, { headers })).status;
    };
    expect([await ask(), await ask('x.y.z'), await ask(await tokenOf('alice'))]).toEqual([401, 401, 403]);
    expect(await ask(await tokenOf('olga', { role: 'operator' }))).toBe(200);
    expect((await post('/auth/token', { user_id: 'a', business_id: 'b', role: 'owner' })).status).toBe(400);
  });
});

describe('the page of an operator', () => {
  it('asks who is there, and takes no other', async () => {
    await page.goto(`${url}/admin`);
    await page.getByLabel('Or paste a token').fill(await tokenOf('alice'));
    await page.keyboard.press('Enter');
    await panel('Sign in').getByRole('alert').getByText('does not let').waitFor();
    await picture(page, 'Alice is no operator');
  });

  it('shows a device and its refused change to an operator', async () => {
    const token = await tokenOf('alice');
    const push = (change: object) =>
      post('/sync/push', { client_id: 'alice-phone', scope: 'user:alice', changes: [change] }, token);
    const note = { collection: 'notes', doc_id: 'later' };
    // Of two writers of a note the later one wins.
    const hlc = formatHlc({ ms: Date.now() + 30_000, counter: 0, node: 'alice' });
    await push({ ...note, hlc, operation: 'patch', data: { done: true }, mutation_id: 'early' });
    await page.getByRole('button', { name: 'Sign in as Olga, an operator' }).click();
    const row = panel('Refused changes').getByRole('row', { name: /patch of notes.*later/s });
    // It is noted in the background.
    await until(async () => {
      await page.getByRole('button', { name: 'Refresh' }).click();
      await settled();
      return (await row.count()) > 0;
    });
    await row.getByText('document_missing').waitFor();
    await panel('Devices')
      .getByRole('rowheader', { name: /alice\s*alice-phone/ })
      .waitFor();
    await push({ ...note, operation: 'upsert', data: { text: 'Made meanwhile' } });
  });

  it('applies it again, when it is sure', async () => {
    const refused = panel('Refused changes');
    await refused.getByText('What was sent').click();
    await refused.getByText('"operation": "patch"').waitFor();
    await refused.getByRole('button', { name: 'Apply again' }).click();
    await picture(page, 'It asks before it applies a change again');
    await page.keyboard.press('Enter');
    await page.getByRole('status').getByText('later was applied.').waitFor();
    await refused.getByText(/^applied/).waitFor();
  });

  it('shows scopes and status, and verifies', async () => {
    await panel('Scopes').getByRole('rowheader', { name: 'corner-cafe' }).waitFor();
    await panel('Status').getByText('works').waitFor();
    await panel('Verify').getByRole('button', { name: 'Verify' }).click();
    await panel('Verify')
      .getByText(/^No differences in \d+ documents/)
      .waitFor();
  });

  it('knows the phones of the other page, which have all there is', async () => {
    const phones = await browser.context.newPage();
    await phones.goto(url);
    for (const who of ['Alice', 'Bob'])
      await phones
        .getByRole('article', { name: `Phone of ${who}`, exact: true })
        .getByRole('status')
        .getByText('Live')
        .waitFor();
    const devices = panel('Devices').getByRole('row').filter({ hasText: 'corner-cafe: has all' });
    await until(async () => {
      await page.getByRole('button', { name: 'Refresh' }).click();
      await settled();
      return (await devices.count()) >= 2;
    });
    await phones.close();
  });

  it('says what is wrong, and tries again', async () => {
    await page.route('**/admin/sync/devices*', (route) => route.abort());
    await page.getByRole('button', { name: 'Refresh' }).click();
    const alert = panel('Devices').getByRole('alert');
    await alert.getByText('The server cannot be reached.').waitFor();
    await picture(page, 'One part cannot be loaded');
    await page.unroute('**/admin/sync/devices*');
    await alert.getByRole('button', { name: 'Try again' }).click();
    await panel('Devices')
      .getByRole('rowheader', { name: /alice-phone/ })
      .waitFor();
  });

  it('is for everybody: narrow or wide, light or dark, by ear and by keyboard', async () => {
    expect(await barriersOf(page)).toEqual([]);
    await page.setViewportSize({ width: 360, height: 740 });
    await page.emulateMedia({ colorScheme: 'dark' });
    const table = panel('Devices').getByRole('table', { name: 'Devices' });
    expect(await table.getByRole('columnheader').count()).toBe(6);
    await picture(page, 'All parts');
    await page.getByRole('button', { name: 'Sign out' }).click();
    expect(await barriersOf(page)).toEqual([]);
    expect(problems).toEqual([]);
  });
});
