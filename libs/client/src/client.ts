import { Auth, type AuthOptions, type Identity } from './auth.ts';
import type { Definitions } from './collection.ts';
import { environment, type Environment } from './environment.ts';
import { AuthError, UnsentChangesError, UsageError } from './errors.ts';
import { liveHub } from './live-hub.ts';
import { databaseName, forgetIdentity, lastIdentity, markName } from './registry.ts';
import { ScopeClient, type Place } from './scope-client.ts';
import type { ClientStorage } from './storage.ts';

export interface SyncClientOptions<C extends Definitions> {
  /** Where the routes are: `https://api.example.com/sync`. */
  readonly url: string;
  /** The beginning of names of databases. Apps that share a storage have different ones. Default: `app`. */
  readonly app?: string;
  readonly storage: ClientStorage;
  readonly auth: AuthOptions;
  readonly collections: C;
  /** False: no socket. Or its address. Default: `stream` behind `url`. */
  readonly stream?: boolean | string;
  /** In place of what the platform has. */
  readonly environment?: Partial<Environment>;
}

export interface LogoutOptions {
  /**
   * What becomes of edits that the server has not taken. `refuse` (default): logout fails. `flush`: it waits for them up to
   * `timeoutMs`, then fails. `keep`: they stay on the device and are sent when this user is back. `discard`: they go.
   */
  readonly unsent?: 'refuse' | 'flush' | 'keep' | 'discard';
  /** Milliseconds; default 10,000. */
  readonly timeoutMs?: number;
}

/** Makes a client. It does nothing before {@link SyncClient.open}. */
export function createSyncClient<const C extends Definitions>(options: SyncClientOptions<C>): SyncClient<C> {
  return new SyncClient(options);
}

/** The client of one user on one device, with the replica of the user's own scope. Others: {@link SyncClient.scope}. */
export class SyncClient<C extends Definitions> extends ScopeClient<C> {
  private readonly others = new Map<string, ScopeClient<C>>();
  private readonly auth: Auth;
  private identity: Identity | undefined;
  private isPaused = false;
  /** Users come and go one after another, however the calls overlap (C8). */
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly settings: SyncClientOptions<C>) {
    const place = environment(settings.environment);
    const auth = new Auth(settings.auth, () => place.now() + (this.clockOffset() ?? 0));
    const url = settings.url.replace(/\/+$/, '');
    const { stream = true, storage, collections } = settings;
    const socketUrl =
      stream === false
        ? undefined
        : typeof stream === 'string'
          ? stream
          : `${url.replace(/^http/, 'ws')}/stream`;
    const hub = liveHub(socketUrl, auth, place);
    super({ url, hub, storage, environment: place, auth, collections, scope: undefined });
    this.auth = auth;
  }

  /**
   * Opens the database of the user whom the token names, and begins to sync. Without a token (offline, say) that of the last
   * user.
   *
   * @throws AuthError if there is neither
   */
  open(): Promise<void> {
    return this.inTurn(() => this.enter());
  }

  private async enter(): Promise<void> {
    if (this.identity) throw new UsageError('The client is open already.');
    const { storage } = this.settings;
    const app = this.appName();
    let identity: Identity | undefined;
    try {
      identity = this.auth.identityOf(await this.auth.token());
    } catch (error) {
      identity = error instanceof AuthError ? await lastIdentity(storage, app) : undefined;
      if (!identity) throw error;
    }
    this.identity = identity;
    this.auth.belongTo(identity);
    try {
      const pendingLost = await this.begin(await this.place(undefined), this.isPaused);
      if (pendingLost > 0) this.emit('storage-lost', { pendingLost });
    } catch (error) {
      await this.shut();
      throw error;
    }
  }

  /** The client of another scope of the user: a project, a team. It opens with its first use. */
  scope(scope: string): Promise<ScopeClient<C>> {
    return this.inTurn(async () => {
      // The user's own scope has one replica, by whatever name it is asked for.
      if (scope === this.identity?.scope) return this;
      const known = this.others.get(scope);
      if (known) return known;
      const { ports } = this;
      const other = new ScopeClient<C>({ ...ports, scope });
      other.on('ended', () => this.others.delete(scope));
      const pendingLost = await other.begin(await this.place(scope), this.isPaused);
      this.others.set(scope, other);
      if (pendingLost > 0) this.emit('storage-lost', { scope, pendingLost });
      return other;
    });
  }

  async pause(): Promise<void> {
    this.isPaused = true;
    await this.each((client) => client.halt());
  }

  async resume(): Promise<void> {
    this.isPaused = false;
    await this.each((client) => client.go());
  }

  /** Stops everything. What is not sent stays, and is sent after the next `open`. */
  close(): Promise<void> {
    return this.inTurn(() => this.shut());
  }

  private async shut(): Promise<void> {
    const ended = this.each((client) => client.end());
    this.auth.forget();
    await ended;
    this.left();
  }

  /**
   * Ends the user's session on this device: what the server said goes, and of what it was not told what `unsent` says.
   *
   * @throws UnsentChangesError
   */
  logout(options: LogoutOptions = {}): Promise<void> {
    return this.inTurn(() => this.leaveAll(options));
  }

  private async leaveAll({ unsent = 'refuse', timeoutMs = 10_000 }: LogoutOptions): Promise<void> {
    if (unsent === 'flush')
      await this.each(async (client) => {
        await client.flush({ timeoutMs });
      });
    // What is edited from here on is refused, so that nothing is promised that goes.
    await this.each((client) => client.seal(true));
    const all = [this as ScopeClient<C>, ...this.others.values()];
    const count = all.reduce((sum, client) => sum + client.unsent(), 0);
    if ((unsent === 'refuse' || unsent === 'flush') && count > 0) {
      await this.each((client) => client.seal(false));
      throw new UnsentChangesError(count);
    }
    const halted = this.each((client) => client.halt());
    this.auth.forget();
    await halted;
    await forgetIdentity(this.settings.storage, this.appName());
    await this.each((client) => client.leave(unsent === 'keep'));
    this.left();
  }

  private left(): void {
    this.others.clear();
    this.identity = undefined;
    // Again: the last request may have asked for one.
    this.auth.forget();
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.last.then(work);
    this.last = run.catch(() => undefined);
    return run;
  }

  private async each(call: (client: ScopeClient<C>) => Promise<void>): Promise<void> {
    await Promise.all([this as ScopeClient<C>, ...this.others.values()].map(call));
  }

  protected override async ended(): Promise<void> {
    await this.close();
  }

  private async place(scope: string | undefined): Promise<Place> {
    const { identity, settings } = this;
    if (!identity) throw new UsageError('The client is not open: call client.open() first.');
    const key = { app: this.appName(), url: settings.url, identity, scope };
    const name = await databaseName(settings.storage, this.ports.environment, key);
    return { name, markName: markName(key) };
  }

  private appName(): string {
    return this.settings.app ?? 'app';
  }
}
