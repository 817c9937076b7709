import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { Chromium } from '../../support/chromium';
import { PageServer } from '../../support/page-server';

let server: PageServer;
let profile: string;
let browser: Chromium;
let page: Page;
/** What went wrong in the page. */
const problems: string[] = [];

beforeAll(async () => {
  server = await PageServer.of(join(__dirname, 'page/react.ts'));
  profile = await mkdtemp(join(tmpdir(), 'sync-client-'));
  browser = await Chromium.start(profile);
  page = await browser.context.newPage();
  page.on('pageerror', ({ message }) => problems.push(message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  await page.goto(server.url);
});
afterAll(async () => {
  await browser?.kill();
  await server?.close();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
});

/** Calls a function of page/react.ts. */
function call(name: string, ...args: readonly unknown[]): Promise<unknown> {
  return page.evaluate(
    ([which, given]) =>
      (globalThis as unknown as { calls: Record<string, (...of: unknown[]) => unknown> }).calls[which]?.(
        ...given,
      ),
    [name, args] as [string, unknown[]],
  );
}

const shows = (text: string): Promise<void> => page.getByText(text, { exact: true }).waitFor();

describe('a list in React', () => {
  it('shows how the sync stands, from before it is opened on', async () => {
    await shows('closed, 0 pending');
    await call('open');
    await shows('live, 0 pending');
    await shows('complete');
  });

  it('shows what the user does at once, without the network too, and what others do', async () => {
    await call('online', false);
    await call('create', 'Milk', false);
    await shows('Milk');
    await page.getByText('1 pending').waitFor();
    await call('online', true);
    await shows('live, 0 pending');
    await call('theirs', 'bread', 'Bread');
    await shows('Bread');
    expect(await page.locator('li').allTextContents()).toEqual(['Bread', 'Milk']);
  });

  it('shows another query when what it is made of changes', async () => {
    await call('create', 'Tea', true);
    await page.getByRole('button').click();
    await shows('Tea');
    expect(await page.locator('li').allTextContents()).toEqual(['Tea']);
  });

  it('makes no error in the page', () => {
    expect(problems).toEqual([]);
  });
});
