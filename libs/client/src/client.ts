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
  async open(): Promise<void> {
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
    try {
      const pendingLost = await this.begin(await this.place(undefined), this.isPaused);
      if (pendingLost > 0) this.emit('storage-lost', { pendingLost });
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** The client of another scope of the user: a project, a team. It opens with its first use. */
  async scope(scope: string): Promise<ScopeClient<C>> {
    // The user's own scope has one replica, by whatever name it is asked for.
    if (scope === this.identity?.scope) return this;
    const known = this.others.get(scope);
    if (known) return known;
    const { ports } = this;
    const other = new ScopeClient<C>({ ...ports, scope });
    this.others.set(scope, other);
    other.on('ended', () => this.others.delete(scope));
    const pendingLost = await other.begin(await this.place(scope), this.isPaused);
    if (pendingLost > 0) this.emit('storage-lost', { scope, pendingLost });
    return other;
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
  async close(): Promise<void> {
    await this.each((client) => client.end());
    this.others.clear();
    this.identity = undefined;
  }

  /**
   * Ends the user's session on this device: what the server said goes, and of what it was not told what `unsent` says.
   *
   * @throws UnsentChangesError
   */
  async logout({ unsent = 'refuse', timeoutMs = 10_000 }: LogoutOptions = {}): Promise<void> {
    const all = [this as ScopeClient<C>, ...this.others.values()];
    if (unsent === 'flush') await Promise.all(all.map((client) => client.flush({ timeoutMs })));
    if (unsent === 'refuse' || unsent === 'flush') {
      const count = all.reduce((sum, client) => sum + client.unsent(), 0);
      if (count > 0) throw new UnsentChangesError(count);
    }
    for (const client of all) await client.leave(unsent === 'keep');
    this.others.clear();
    this.identity = undefined;
    this.auth.forget();
    await forgetIdentity(this.settings.storage, this.appName());
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
