import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { chromium, type Browser, type BrowserContext, type CDPSession, type Page } from 'playwright-core';

const PATH = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
const ARGUMENTS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--hide-scrollbars',
  '--no-first-run',
  '--remote-debugging-port=0',
];

/** A real browser on a profile of its own: a process that can be killed, and started again on the same profile. */
export class Chromium {
  private constructor(
    private readonly process: ChildProcess,
    private readonly browser: Browser,
    readonly context: BrowserContext,
  ) {}

  /** @param profile a folder; what the browser stores is in it */
  static async start(profile: string): Promise<Chromium> {
    expectInstalled();
    // A group of its own, so that a kill takes all its processes.
    const child = spawn(PATH, [...ARGUMENTS, `--user-data-dir=${profile}`, 'about:blank'], {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const browser = await chromium.connectOverCDP(await endpointOf(child));
    const [context] = browser.contexts();
    if (!context) throw new Error('Chromium has no context.');
    return new Chromium(child, browser, context);
  }

  async open(url: string): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(url);
    return page;
  }

  devtools(page: Page): Promise<CDPSession> {
    return this.context.newCDPSession(page);
  }

  /** Ends all its processes at once, as a crash does. */
  async kill(): Promise<void> {
    const { pid } = this.process;
    if (pid === undefined || this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, 'exit');
    process.kill(-pid, 'SIGKILL');
    await ended;
    await this.browser.close().catch(() => undefined);
  }
}

function expectInstalled(): void {
  try {
    accessSync(PATH, constants.X_OK);
  } catch {
    throw new Error(
      `There is no Chromium at ${PATH}, and the tests of the client need a real one. On Debian: ` +
        'apt-get update && apt-get install -y chromium. Elsewhere install Chromium or Chrome, and name its program in ' +
        'CHROMIUM_PATH.',
    );
  }
}

async function endpointOf(child: ChildProcess): Promise<string> {
  if (!child.stderr) throw new Error('Chromium has no stderr.');
  const said: string[] = [];
  for await (const line of createInterface(child.stderr)) {
    const endpoint = /^DevTools listening on (ws:\S+)/.exec(line)?.[1];
    if (endpoint !== undefined) {
      child.stderr.resume();
      return endpoint;
    }
    said.push(line);
  }
  throw new Error(`Chromium did not start: ${said.slice(-5).join('\n')}`);
}
