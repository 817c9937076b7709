import type { NestExpressApplication } from '@nestjs/platform-express';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { readEnvironment } from '../../apps/demo/src/config/environment';
import { listen, portOf } from '../../apps/demo/src/start/single';
import { BuiltPages } from './built-pages';
import { Chromium } from './chromium';
import { CuttingProxy } from './cutting-proxy';
import { demoClient, type DemoClient } from './demo-client';
import { PageProblems } from './page-problems';

/** The installable app of the demo in a browser, and its server behind a network that can be cut. */
export class ShopApp {
  private readonly opened: Page[] = [];

  private constructor(
    readonly pages: BuiltPages,
    readonly server: NestExpressApplication,
    readonly proxy: CuttingProxy,
    /** Another device of the café, by the plain protocol. */
    readonly other: DemoClient,
    readonly profile: string,
    public browser: Chromium,
    readonly problems: PageProblems,
  ) {}

  /** @param uri of a database of its own */
  static async start(uri: string): Promise<ShopApp> {
    const pages = await BuiltPages.build();
    const server = await serve(uri, pages);
    const proxy = await CuttingProxy.before(portOf(server));
    const other = await demoClient(`http://127.0.0.1:${String(portOf(server))}`, 'bob', 'corner-cafe');
    const profile = await mkdtemp(join(tmpdir(), 'sync-app-'));
    const browser = await Chromium.start(profile);
    return new ShopApp(pages, server, proxy, other, profile, browser, new PageProblems());
  }

  async end(): Promise<void> {
    await this.browser.kill();
    await this.proxy.close();
    await this.server.close();
    await this.pages.remove();
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }

  get origin(): string {
    return `http://127.0.0.1:${String(this.proxy.port)}`;
  }

  get url(): string {
    return `${this.origin}/app/`;
  }

  async open(context: BrowserContext = this.browser.context): Promise<Page> {
    const page = this.problems.watch(await context.newPage());
    this.opened.push(page);
    await page.goto(this.url);
    return page;
  }

  /** Those with the app that are open. */
  openPages(): Page[] {
    return this.opened.filter((page) => !page.isClosed());
  }

  /** As on another device, or after another user of this one. */
  async newContext(): Promise<BrowserContext> {
    const context = await this.browser.context.browser()?.newContext();
    if (!context) throw new Error('The browser is gone.');
    return context;
  }

  /** Nothing answers any more, and what is connected is cut: for pages, for their sockets, and for service workers. */
  cut(): void {
    this.problems.isCut = true;
    this.proxy.aim(1);
    this.proxy.cutAll();
  }

  /** The server answers again. */
  answer(): void {
    this.proxy.aim(portOf(this.server));
  }

  /** The server answers again, and everything is sent. */
  async connect(page: Page): Promise<void> {
    this.answer();
    // As browsers do when the network is back: what failed is tried again immediately.
    for (const each of page.context().pages()) await each.evaluate("dispatchEvent(new Event('online'))");
    await says(page, 'all sent');
    this.problems.isCut = false;
  }

  async titlesOnServer(): Promise<unknown[]> {
    const { changes } = await this.other.pull('collections=tasks&limit=1000');
    return changes.map(({ data }) => data?.['title']);
  }
}

/** @param more variables of the demo */
export function serve(
  uri: string,
  pages: BuiltPages,
  more: Readonly<Record<string, string>> = {},
): Promise<NestExpressApplication> {
  const variables = { MONGODB_URI: uri, PORT: '0', LOG_LEVEL: 'error', PAGES_DIR: pages.folder, ...more };
  return listen(readEnvironment(variables), true);
}

export const press = (page: Page, name: string): Promise<void> =>
  page.getByRole('button', { name, exact: true }).click();
/** The status line. */
export const says = (page: Page, text: string): Promise<void> =>
  page.locator('footer').getByText(text).waitFor();
export const task = (page: Page, title: string): Promise<void> => page.getByLabel(`Done: ${title}`).waitFor();

export async function signIn(page: Page, user: string): Promise<void> {
  await page.getByLabel('Your name').fill(user);
  await press(page, 'Sign in');
}

export async function add(page: Page, title: string): Promise<void> {
  await page.getByLabel('New task').fill(title);
  await press(page, 'Add');
  await task(page, title);
}
