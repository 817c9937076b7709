import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { CDPSession, Page } from 'playwright-core';
import { Chromium } from '../../support/chromium';
import { CuttingProxy } from '../../support/cutting-proxy';
import type { AgentCalls } from './agent';
import type { DeviceEvent } from './events';
import type { Journal } from './journal';

type Answer<N extends keyof AgentCalls> = Awaited<ReturnType<AgentCalls[N]>>;

/** How a device may die. */
export type Crash = 'tab' | 'process';

export interface DeviceSettings {
  readonly name: string;
  /** For what it stores. */
  readonly folder: string;
  readonly journal: Journal;
  /** The server's. */
  readonly port: number;
}

/** A device, seen from outside: asked, cut off, killed and started again. */
export abstract class Device {
  /** Counts its lives. */
  private life = 0;
  proxy!: CuttingProxy;

  constructor(protected readonly settings: DeviceSettings) {}

  get name(): string {
    return this.settings.name;
  }

  /** Of the life that it is in; in markers. */
  get process(): string {
    return `${this.name}.${String(this.life)}`;
  }

  /** Where the device finds the server. */
  get url(): string {
    return `http://127.0.0.1:${String(this.proxy.port)}`;
  }

  async start(): Promise<void> {
    this.proxy = await CuttingProxy.before(this.settings.port);
    await this.restart();
  }

  async restart(): Promise<void> {
    this.settings.journal.wires.died(this.process);
    this.life += 1;
    await this.begin();
  }

  /** Nothing reaches the server, and connections break. */
  setOnline(isOnline: boolean): void {
    // Nobody listens at port 1.
    this.proxy.aim(isOnline ? this.settings.port : 1);
    if (!isOnline) this.proxy.cutAll();
  }

  protected hear(process: string, event: DeviceEvent): void {
    this.settings.journal.hear(this.name, process, event);
  }

  abstract call<N extends keyof AgentCalls>(name: N, ...args: Parameters<AgentCalls[N]>): Promise<Answer<N>>;
  abstract crash(how: Crash): Promise<void>;
  abstract close(): Promise<void>;
  protected abstract begin(): Promise<void>;
}

/** A profile of a browser, with the app in a tab. */
export class BrowserDevice extends Device {
  private browser: Chromium | undefined;
  page!: Page;

  /** @param app the address of the page */
  constructor(
    settings: DeviceSettings,
    private readonly app: string,
  ) {
    super(settings);
  }

  async call<N extends keyof AgentCalls>(name: N, ...args: Parameters<AgentCalls[N]>): Promise<Answer<N>> {
    return (await this.page.evaluate(
      ([which, given]) => {
        const { agent } = globalThis as unknown as { agent: Record<string, (...of: unknown[]) => unknown> };
        return agent[which]?.(...given);
      },
      [name, args] as [string, unknown[]],
    )) as Answer<N>;
  }

  /** Another tab of this profile; it has the proxy of the first. Ends with that one. */
  async tab(name: string): Promise<BrowserDevice> {
    const tab = new BrowserDevice({ ...this.settings, name }, this.app);
    tab.proxy = this.proxy;
    tab.browser = this.browser;
    await tab.restart();
    return tab;
  }

  async devtools(): Promise<CDPSession> {
    if (!this.browser) throw new Error(`${this.name} does not run.`);
    return this.browser.devtools(this.page);
  }

  async crash(how: Crash): Promise<void> {
    if (how === 'process') {
      await this.browser?.kill();
      this.browser = undefined;
      return;
    }
    const { page } = this;
    const gone = new Promise((resolve) => page.once('crash', resolve));
    const devtools = await this.devtools();
    // The answer never comes.
    devtools.send('Page.crash').catch(() => undefined);
    await gone;
    await page.close();
  }

  async close(): Promise<void> {
    await this.browser?.kill();
    await this.proxy.close();
  }

  protected async begin(): Promise<void> {
    this.browser ??= await Chromium.start(this.settings.folder);
    const { process } = this;
    this.page = await this.browser.context.newPage();
    await this.page.exposeFunction('tellDevice', (event: string) =>
      this.hear(process, JSON.parse(event) as DeviceEvent),
    );
    await this.page.goto(this.app);
  }
}

const ROOT = join(__dirname, '../../..');

/** A process of Node with a file. */
export class NodeDevice extends Device {
  private child!: ChildProcess;
  private last = 0;
  private readonly open = new Map<
    number,
    { readonly resolve: (answer: unknown) => void; readonly reject: (error: Error) => void }
  >();

  call<N extends keyof AgentCalls>(name: N, ...args: Parameters<AgentCalls[N]>): Promise<Answer<N>> {
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      this.open.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      this.child.stdin?.write(`${JSON.stringify({ id, name, args })}\n`);
    });
  }

  async crash(): Promise<void> {
    const gone = once(this.child, 'close');
    this.child.kill('SIGKILL');
    await gone;
  }

  async close(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.crash();
    await this.proxy.close();
  }

  protected async begin(): Promise<void> {
    const { process: life } = this;
    const child = spawn(
      process.execPath,
      [
        ...['-r', join(ROOT, 'test/support/ts-hook.cjs'), join(__dirname, 'node-agent.ts')],
        join(this.settings.folder, 'sync.db'),
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    this.child = child;
    child.stdin?.on('error', () => undefined);
    await new Promise<void>((resolve, reject) => {
      child.once('close', () => {
        reject(new Error(`${this.name} has ended.`));
        for (const { reject: fail } of this.open.values()) fail(new Error(`${this.name} has ended.`));
        this.open.clear();
      });
      createInterface(child.stdout).on('line', (line) => {
        const message = JSON.parse(line) as {
          ready?: true;
          event?: DeviceEvent;
          id: number;
          answer?: unknown;
          error?: string;
        };
        if (message.ready) return resolve();
        if (message.event) return this.hear(life, message.event);
        const call = this.open.get(message.id);
        this.open.delete(message.id);
        if (message.error === undefined) call?.resolve(message.answer);
        else call?.reject(new Error(message.error));
      });
    });
  }
}
