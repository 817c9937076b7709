import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { BuiltPages } from '../test/support/built-pages';
import { startDemo } from '../test/support/demo-process';

/** The demo from the current source, on a database of its own, and Chromium: for scripts that look at its pages. */
export async function withDemo(
  work: (demo: {
    readonly url: string;
    readonly pages: BuiltPages;
    readonly browser: Browser;
  }) => Promise<void>,
): Promise<void> {
  const data = await mkdtemp(join(tmpdir(), 'demo-browser-'));
  const pages = await BuiltPages.build();
  const demo = await startDemo({ DATA_DIR: data, PAGES_DIR: pages.folder }, 'source');
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  try {
    await work({ url: demo.url, pages, browser });
  } finally {
    await browser.close();
    await demo.end('SIGTERM');
    await pages.remove();
    await rm(data, { recursive: true, force: true, maxRetries: 5 });
  }
}
