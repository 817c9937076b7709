import {
  createSyncClient,
  memory,
  type ClientSocket,
  type ClientStorage,
  type Definitions,
  type Environment,
  type FetchAnswer,
  type SyncClient,
  type SyncClientOptions,
} from 'nest-offline-sync-client';
import {
  CrashingStorage,
  type FakeTab,
  type FakeTabs,
  type VirtualTime,
} from 'nest-offline-sync-client/testing';
import { isObject, type LogChange } from 'nest-offline-sync-protocol';
import type { FleetServer } from './fleet-server';
import { tokenFor } from './fleet-token';

export interface DeviceOptions {
  /** How far its clock is off. Milliseconds. */
  readonly skewMs?: number;
  readonly storage?: ClientStorage;
  readonly stream?: boolean;
  readonly latencyMs?: number;
  readonly token?: (ask: { readonly reason: string }) => string;
}

/** A device with the real client: its network can be cut, its process killed. */
export class ClientDevice<C extends Definitions> {
  isOnline = true;
  /** Paths that do not get through: `push`. */
  readonly blocked = new Set<string>();
  /** So many of the next answers to a push get lost on their way. */
  losesAnswers = 0;
  client: SyncClient<C>;
  storage: CrashingStorage;
  readonly requests: string[] = [];
  private readonly inside: ClientStorage;
  private process = 0;
  private readonly sockets = new Set<FleetSocket>();
  private readonly tabs: SyncClient<C>[] = [];

  constructor(
    readonly name: string,
    private readonly server: FleetServer,
    private readonly time: VirtualTime,
    private readonly collections: C,
    private readonly options: DeviceOptions = {},
  ) {
    this.inside = options.storage ?? memory();
    this.storage = new CrashingStorage(this.inside, () => this.die());
    this.client = this.made();
  }

  /** The process ends, without a word; what was committed stays. */
  kill(): void {
    this.storage.kill();
    this.die();
  }

  /** A new process on what the old one has left. */
  async start(): Promise<void> {
    this.storage.kill();
    this.die();
    this.storage = new CrashingStorage(this.inside, () => this.die());
    this.client = this.made();
    await this.client.open();
  }

  /** Another tab on the same storage, which takes the lead. The first one goes on until it notices. */
  async second(): Promise<void> {
    const tab = this.made();
    this.tabs.push(tab);
    // Its process may die under it.
    await tab.open().catch(() => undefined);
  }

  /** Another tab of a browser, which shares the storage and knows of the others. */
  async tab(browser: FakeTabs): Promise<{ readonly client: SyncClient<C>; readonly tab: FakeTab }> {
    const tab = browser.tab();
    const client = this.made(tab);
    await client.open();
    return { client, tab };
  }

  get socketCount(): number {
    return this.sockets.size;
  }

  setOnline(isOnline: boolean): void {
    this.isOnline = isOnline;
    if (!isOnline) for (const socket of [...this.sockets]) socket.drop(1006);
  }

  private die(): void {
    this.process += 1;
    for (const socket of [...this.sockets]) socket.drop(1006);
  }

  private made(tab?: FakeTab): SyncClient<C> {
    const { options } = this;
    const settings: SyncClientOptions<C> = {
      url: 'http://server/sync',
      storage: this.storage,
      auth: { token: options.token ?? (() => tokenFor('A')) },
      collections: this.collections,
      stream: options.stream ?? false,
      environment: this.environment(tab),
    };
    return createSyncClient(settings);
  }

  private environment(tab?: FakeTab): Environment {
    const { process } = this;
    const isAlive = (): boolean => process === this.process && tab?.isAlive !== false;
    // A tab that is frozen goes on where it stood.
    const run = (call: () => void): void => (tab ? tab.run(call) : call());
    return {
      ...this.time.environment(this.options.skewMs),
      timer: (ms, call) => this.time.timer(ms, () => isAlive() && run(call)),
      fetch: async (url, request) => {
        const answer = this.fetch(url, request, isAlive);
        await answer.catch(() => undefined);
        await new Promise<void>((resolve) => run(resolve));
        return answer;
      },
      tabs: tab,
      abort: () => ({ signal: undefined, abort: () => undefined }),
      socket: () => {
        const socket = new FleetSocket(
          this.server,
          this.isOnline && isAlive(),
          () => this.sockets.delete(socket),
          run,
        );
        this.sockets.add(socket);
        return socket;
      },
      onWake: undefined,
    };
  }

  private async fetch(
    url: string,
    request: { readonly method: string; readonly body?: string },
    isAlive: () => boolean,
  ): Promise<FetchAnswer> {
    const [path = '', query = ''] = url.slice('http://server/sync/'.length).split('?');
    const latency = this.options.latencyMs ?? 0;
    if (latency > 0) await this.wait(latency / 2);
    if (!isAlive()) return new Promise(() => undefined);
    if (!this.isOnline || this.blocked.has(path)) throw new Error('no network');
    this.requests.push(path);
    this.server.wallMs = Math.max(this.server.wallMs, this.time.now);
    const parameters = new Map(new URLSearchParams(query));
    const answer = this.server.handle(
      request.method,
      path,
      parameters,
      request.body && JSON.parse(request.body),
    );
    if (latency > 0) await this.wait(latency / 2);
    if (path === 'push' && this.losesAnswers > 0) {
      this.losesAnswers -= 1;
      throw new Error('the answer was lost');
    }
    if (!isAlive()) return new Promise(() => undefined);
    return {
      status: answer.status,
      headers: { get: (name) => answer.headers[name] ?? null },
      text: async () => answer.body,
    };
  }

  private wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.time.timer(ms, resolve));
  }
}

/** The server's end of a socket, as a WebSocket of the client. */
class FleetSocket implements ClientSocket {
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  onclose: ((event: { readonly code: number }) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  private isOpen = false;
  private readonly watch = (entries: readonly LogChange[]): void => {
    for (const entry of entries) this.tell(entry);
  };

  constructor(
    private readonly server: FleetServer,
    connects: boolean,
    private readonly left: () => void,
    private readonly run: (call: () => void) => void,
  ) {
    server.sockets.add(this);
    setImmediate(() => {
      if (!connects) return this.drop(1006);
      this.isOpen = true;
      this.onopen?.(undefined as never);
    });
  }

  send(text: string): void {
    if (!this.isOpen) return;
    const message = JSON.parse(text) as Record<string, unknown>;
    if (message['type'] === 'push') {
      const answer = this.server.push(message);
      this.tell({ type: 'pushed', id: message['id'], ...answer });
    }
    if (message['type'] === 'subscribe') this.subscribe(message['since'] as string);
  }

  close(): void {
    this.drop(1000);
  }

  drop(code: number): void {
    this.isOpen = false;
    this.server.watchers.delete(this.watch);
    this.server.sockets.delete(this);
    this.left();
    this.onclose?.({ code });
  }

  private subscribe(since: string): void {
    this.tell({ type: 'subscribed', collections: [], last_seq: since });
    for (let from = since; ;) {
      const page = this.server.pull(from) as {
        changes?: LogChange[];
        last_seq: string;
        has_more: boolean;
        reason?: string;
      };
      if (!page.changes) {
        this.tell({ type: 'full_resync_required', collections: [], reason: page.reason });
        return this.drop(1000);
      }
      for (const entry of page.changes) this.tell(entry);
      from = page.last_seq;
      if (!page.has_more) break;
    }
    this.server.watchers.add(this.watch);
  }

  private tell(message: unknown): void {
    if (isObject(message)) this.run(() => this.onmessage?.({ data: JSON.stringify(message) }));
  }
}
