import { Auth, type Identity } from './auth.ts';
import { shapesOf, type Definitions } from './collection.ts';
import { within } from './deadline.ts';
import { environment, type Environment, type Tabs } from './environment.ts';
import { AuthError, LoggedOutError, UnsentChangesError, UsageError } from './errors.ts';
import { liveHub } from './live-hub.ts';
import { LossMark } from './loss-mark.ts';
import { tuningOf, type SyncClientOptions } from './options.ts';
import {
  databaseName,
  databasesOf,
  forgetDatabases,
  forgetIdentity,
  isForgotten,
  lastIdentity,
  markName,
  type DatabaseKey,
} from './registry.ts';
import type { Replica } from './replica.ts';
import { ScopeClient } from './scope-client.ts';
import type { Session } from './session.ts';
import { TabGroup } from './tab-group.ts';
import { checkOptions } from './validation.ts';

export interface LogoutOptions {
  /**
   * What becomes of edits that the server has not taken, refused ones among them. `refuse` (default): logout fails. `flush`: they are
   * sent first, for up to `timeoutMs`; then it fails if some are left. `keep`: they stay on the device and are sent when this user is back. `discard`: they go.
   */
  readonly unsent?: 'refuse' | 'flush' | 'keep' | 'discard';
  /** Milliseconds; default 10,000. */
  readonly timeoutMs?: number;
}

/**
 * Makes a client. It does nothing before {@link SyncClient.open}.
 *
 * @throws ConfigurationError
 */
export function createSyncClient<const C extends Definitions>(options: SyncClientOptions<C>): SyncClient<C> {
  checkOptions(options);
  return new SyncClient(options);
}

/** Who is logged in, and what is open for them. */
interface User {
  readonly identity: Identity;
  /** The database of the own scope. */
  readonly database: string;
  readonly group: TabGroup;
  /** By database. */
  readonly clients: Map<string, ScopeClient<Definitions>>;
}

/** The client of one user on one device, with the replica of the user's own scope. Others: {@link SyncClient.scope}. */
export class SyncClient<C extends Definitions> extends ScopeClient<C> {
  private readonly auth: Auth;
  private readonly tabs: Tabs | undefined;
  private user: User | undefined;
  private isPaused = false;
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly settings: SyncClientOptions<C>) {
    const place = environment(settings.environment);
    const { app = 'app', stream = true, storage, collections } = settings;
    const tabs = storage.isShared ? place.tabs : settings.environment?.tabs;
    const serverNow = (): number => place.now() + (this.clockOffset() ?? 0);
    const tuning = tuningOf(settings);
    const auth = new Auth(
      settings.auth,
      { place, serverNow, tell: tuning.tell },
      tabs && oneAtATime(tabs, place, `${app}|token`),
    );
    const url = settings.url.replace(/\/+$/, '');
    const socketUrl =
      stream === false
        ? undefined
        : typeof stream === 'string'
          ? stream
          : `${url.replace(/^http/, 'ws')}/stream`;
    const hub = liveHub(socketUrl, auth, place);
    const coalesce = settings.coalesce ?? true;
    super({ url, hub, storage, environment: place, auth, collections, coalesce, tuning, scope: undefined });
    this.auth = auth;
    this.tabs = tabs;
  }

  /**
   * Opens the database of the user whom the token names, and begins to sync; where tabs share a storage, one of them does that for all.
   * Without a token (offline, say) that of the last user.
   *
   * @throws AuthError if there is neither
   */
  open(): Promise<void> {
    return this.inTurn(() => this.enter());
  }

  private async enter(): Promise<void> {
    if (this.user) throw new UsageError('The client is open already.');
    const { storage } = this.settings;
    const identity = await this.identify();
    const { name: database, registry } = await this.databaseOf(identity, undefined);
    const group = new TabGroup(
      {
        name: database,
        tabs: this.tabs,
        options: {
          ...this.ports,
          collections: Object.keys(this.ports.collections),
          shapes: shapesOf(this.ports.collections),
          markOf: (scope) => new LossMark(storage.marks, markName(this.keyOf(identity, scope)), registry),
        },
        over: (error, which) => void this.over(group, error, which),
      },
      this.isPaused,
    );
    this.user = { identity, database, group, clients: new Map([[database, this]]) };
    this.auth.belongTo(identity);
    try {
      const session = await group.open(database, undefined);
      await this.attach(group, session);
      if (session.lost > 0) this.emit('storage-lost', { pendingLost: session.lost });
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  /** The client of another scope of the user: a project, a team. It opens with its first use. */
  scope(scope: string): Promise<ScopeClient<C>> {
    return this.inTurn(async () => {
      const { user } = this;
      if (!user) throw new UsageError('The client is not open: call client.open() first.');
      // The user's own scope has one replica, by whatever name it is asked for.
      if (scope === user.identity.scope) return this;
      const { name: database } = await this.databaseOf(user.identity, scope);
      const known = user.clients.get(database) as ScopeClient<C> | undefined;
      if (known) return known;
      const session = await user.group.open(database, scope);
      const client = new ScopeClient<C>({ ...this.ports, scope });
      user.clients.set(database, client);
      await client.attach(user.group, session);
      if (session.lost > 0) this.emit('storage-lost', { scope, pendingLost: session.lost });
      return client;
    });
  }

  /** Reads and sends nothing more until `resume`, in all tabs of this user. Edits and queries go on. */
  async pause(): Promise<void> {
    this.isPaused = true;
    await this.user?.group.pause(true);
  }

  async resume(): Promise<void> {
    this.isPaused = false;
    await this.user?.group.pause(false);
  }

  /** Stops everything in this tab; others go on. What is not sent stays, and is sent by them, or after the next `open`. */
  close(): Promise<void> {
    return this.inTurn(() => this.end());
  }

  /**
   * Ends the user's session on this device, in all tabs: what the server said goes, and of what it was not told what `unsent` says. The
   * event `ended` tells the other tabs.
   *
   * @throws UnsentChangesError
   */
  logout(options: LogoutOptions = {}): Promise<void> {
    return this.inTurn(() => this.leaveAll(options));
  }

  private async leaveAll({ unsent = 'refuse', timeoutMs = 10_000 }: LogoutOptions): Promise<void> {
    if (!WAYS.includes(unsent))
      throw new UsageError(`logout takes unsent: ${WAYS.join(', ')}. Nothing was done.`);
    const { user } = this;
    const { storage } = this.settings;
    const app = this.appName();
    if (!user) return forgetIdentity(storage, app);
    const { group, identity } = user;
    // Also scopes that other tabs have open, or that were open another time.
    const all = await databasesOf(storage, { app, url: this.ports.url, identity });
    const sessions = await Promise.all(all.map(({ name, scope }) => group.open(name, scope)));
    if (unsent === 'flush') await Promise.all(sessions.map((session) => group.flush(session, timeoutMs)));
    const counts = await sealed(sessions, unsent === 'refuse' || unsent === 'flush');
    group.tellEnd();
    const halted = Promise.all(sessions.map((session) => session.turn('following')));
    this.auth.forget();
    await halted;
    await forgetIdentity(storage, app, identity);
    const gone: Session[] = [];
    for (const [index, session] of sessions.entries()) {
      const keeps = unsent === 'keep' && (counts[index] ?? 0) > 0;
      await session.replica.clear(keeps);
      if (!keeps) gone.push(session);
    }
    const names = gone.map(({ replica }) => replica.database.name);
    await forgetDatabases(storage, app, new Set(names));
    await this.end();
    for (const session of gone) session.forget();
    // They are empty. The browser removes them when the last tab has let go, which a frozen one does not do.
    const removed = Promise.all(names.map((name) => storage.remove(name))).then(() => true);
    await within(this.ports.environment, REMOVAL_MS, removed);
  }

  private async identify(): Promise<Identity> {
    let token: string;
    try {
      token = await this.auth.token();
    } catch (error) {
      const last =
        error instanceof AuthError ? await lastIdentity(this.settings.storage, this.appName()) : undefined;
      if (!last) throw error;
      return last;
    }
    // One that does not say whose it is may be another user's: the last one's data is not for them.
    return this.auth.identityOf(token);
  }

  /** @param reason for those who listen, if the app has not asked for it */
  private async end(reason?: unknown): Promise<void> {
    const { user } = this;
    this.user = undefined;
    this.auth.forget();
    if (!user) return;
    for (const client of user.clients.values()) client.detach();
    await user.group.close();
    // Again: the last request may have asked for one.
    this.auth.forget();
    if (reason !== undefined) for (const client of user.clients.values()) client.emit('ended', reason);
  }

  /** @param database the one that is gone; undefined: all is over */
  private over(group: TabGroup, error: unknown, database: string | undefined): Promise<void> {
    return this.inTurn(async () => {
      const { user } = this;
      if (user?.group !== group) return;
      const { storage } = this.settings;
      // The word of a logout may come later than the loss of what it has removed.
      const isOut =
        database !== undefined && (await isForgotten(storage, this.appName(), database).catch(() => false));
      if (isOut) return this.end(new LoggedOutError());
      if (database === undefined || database === user.database) return this.end(error);
      // One that is open for another tab alone has no client here.
      const client = user.clients.get(database);
      user.clients.delete(database);
      client?.detach();
      await group.drop(database);
      client?.emit('ended', error);
    });
  }

  /** Users come and go one after another, however the calls overlap (C8). */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.last.then(work);
    this.last = run.catch(() => undefined);
    return run;
  }

  private databaseOf(identity: Identity, scope: string | undefined): ReturnType<typeof databaseName> {
    return databaseName(this.settings.storage, this.ports.environment, this.keyOf(identity, scope));
  }

  private keyOf(identity: Identity, scope: string | undefined): DatabaseKey {
    return { app: this.appName(), url: this.ports.url, identity, scope };
  }

  private appName(): string {
    return this.settings.app ?? 'app';
  }
}

const WAYS = ['refuse', 'flush', 'keep', 'discard'];
const REMOVAL_MS = 3_000;
/** A tab that is frozen keeps the lock: the next one does not wait for it for ever. */
const TOKEN_MS = 10_000;

/**
 * What is edited from here on is refused, in all tabs, so that nothing is promised that goes.
 *
 * @returns how many edits of each are unsent
 * @throws UnsentChangesError if none may be; then edits go on
 */
async function sealed(sessions: readonly Session[], mustBeSent: boolean): Promise<readonly number[]> {
  const each = <T>(call: (replica: Replica) => Promise<T>): Promise<T[]> =>
    Promise.all(sessions.map(({ replica }) => call(replica)));
  await each((replica) => replica.seal(true));
  const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);
  const known = sum(await each((replica) => replica.untaken()));
  const counts = mustBeSent && known > 0 ? undefined : await each((replica) => replica.shut(mustBeSent));
  const unsent = counts ? sum(counts) : known;
  if (counts && (!mustBeSent || unsent === 0)) return counts;
  if (counts) await each((replica) => replica.unshut());
  await each((replica) => replica.seal(false));
  throw new UnsentChangesError(unsent);
}

/** Runs calls one after another, over all tabs. */
function oneAtATime(
  tabs: Tabs,
  place: Environment,
  lock: string,
): (call: () => Promise<unknown>) => Promise<unknown> {
  return (call) =>
    new Promise((resolve) => {
      let hasBegun = false;
      const begin = (): void => {
        if (hasBegun) return;
        hasBegun = true;
        endWait();
        resolve(call().finally(() => release()));
      };
      const endWait = place.timer(TOKEN_MS, begin);
      const release = tabs.lock(lock, 'wait', begin);
    });
}
