import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import type { Calls } from './page/device';
import type { Limits } from './page/limits';

/** What the pages offer. */
interface InPage {
  readonly calls: Calls;
  readonly limits: Limits;
}

/** A page, and calls of what its script offers. */
export class Tab {
  constructor(readonly page: Page) {}

  calls<Name extends keyof Calls>(
    name: Name,
    ...given: Parameters<Calls[Name]>
  ): Promise<Awaited<ReturnType<Calls[Name]>>> {
    return this.call('calls', name, given);
  }

  limits<Name extends keyof Limits>(
    name: Name,
    ...given: Parameters<Limits[Name]>
  ): Promise<Awaited<ReturnType<Limits[Name]>>> {
    return this.call('limits', name, given);
  }

  /** Bytes of JavaScript objects, after a collection of garbage. */
  async heap(): Promise<number> {
    const devtools = await this.page.context().newCDPSession(this.page);
    for (let time = 0; time < 2; time += 1) await devtools.send('HeapProfiler.collectGarbage');
    const { usedSize } = await devtools.send('Runtime.getHeapUsage');
    await devtools.detach();
    return usedSize;
  }

  async close(): Promise<void> {
    await this.page.close();
  }

  private call<T>(object: keyof InPage, name: string, given: unknown[]): Promise<T> {
    return this.page.evaluate(
      ([where, which, values]) =>
        (globalThis as unknown as Record<string, Record<string, (...values: unknown[]) => Promise<T> | T>>)[
          where
        ]?.[which]?.(...values) as Promise<T>,
      [object, name, given] as [string, string, unknown[]],
    );
  }
}

/** A device: a browser with a profile of its own on the disk. */
export class Profile {
  private constructor(
    private readonly folder: string,
    private readonly context: BrowserContext,
    private readonly url: string,
  ) {}

  /** @param url where the pages are */
  static async start(url: string): Promise<Profile> {
    const folder = mkdtempSync(join(tmpdir(), 'bench-client-'));
    const context = await chromium.launchPersistentContext(folder, {
      executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
    });
    return new Profile(folder, context, url);
  }

  get version(): string {
    return this.context.browser()?.version() ?? '';
  }

  async open(variant: string): Promise<Tab> {
    const page = await this.context.newPage();
    page.on('pageerror', (error) => console.error(`${variant}: ${error.message}`));
    page.on('console', (said) => {
      // That a request failed is what some scenarios are about.
      if (said.type() === 'error' && !said.text().startsWith('Failed to load'))
        console.error(`${variant}: ${said.text().slice(0, 300)}`);
    });
    await page.goto(`${this.url}/${variant}.html`);
    return new Tab(page);
  }

  async offline(isOffline: boolean): Promise<void> {
    await this.context.setOffline(isOffline);
  }

  /** Removes all that the pages have stored. */
  async wipe(): Promise<void> {
    const page = await this.context.newPage();
    await page.goto(`${this.url}/blank.html`);
    await page.evaluate(async () => {
      for (const { name = '' } of await indexedDB.databases())
        await new Promise((resolve) => {
          const request = indexedDB.deleteDatabase(name);
          request.onsuccess = request.onerror = resolve;
        });
      localStorage.clear();
    });
    await page.close();
  }

  async close(): Promise<void> {
    await this.context.close();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
