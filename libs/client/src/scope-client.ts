import type { DocId } from 'nest-offline-sync-protocol';
import { Alarm } from './alarm.ts';
import type { Auth } from './auth.ts';
import {
  Collection,
  shapesOf,
  type CollectionDefinition,
  type CollectionPorts,
  type Definitions,
  type DocumentOf,
  type Edited,
  type RawEdit,
} from './collection.ts';
import { makeEdits } from './edits.ts';
import type { Environment } from './environment.ts';
import { UsageError } from './errors.ts';
import { objectId, randomId, uuid } from './ids.ts';
import type { LiveHub } from './live-hub.ts';
import { Value, type Observable } from './observable.ts';
import type { Conflict } from './pushing.ts';
import { Rejected } from './rejected.ts';
import { isFenced, type Replica } from './replica.ts';
import type { Mutation, RefusedEntry } from './rules/mutation.ts';
import { Session } from './session.ts';
import { CLOSED, type Status } from './status.ts';
import type { ClientStorage } from './storage.ts';
import { runTransaction, type TransactionOf } from './transaction.ts';
import type { Settlement } from './work.ts';

/** Where the data of a replica is. */
export interface Place {
  readonly name: string;
  /** Under which it is noted what would be lost with it. */
  readonly markName: string;
}

export interface ScopeClientPorts<C extends Definitions> {
  readonly url: string;
  readonly hub: LiveHub | undefined;
  readonly storage: ClientStorage;
  readonly environment: Environment;
  readonly auth: Auth;
  readonly collections: C;
  readonly scope: string | undefined;
}

/** What a client tells besides its status. */
export interface ClientEvents {
  /** The server has brought an edit and those of others together: what the user made, and what became of it. */
  readonly conflict: Conflict;
  /** The database is gone: why. The client is closed then, and can be opened again. */
  readonly ended: unknown;
  /**
   * The platform, or the user, has cleared the database since it was used last. `pendingLost` edits went with it: those that the
   * server had not taken, and those in quarantine. Told while `open` runs, where the storage can know of it: browsers. `scope` is missing for the user's own.
   */
  readonly 'storage-lost': { readonly scope?: string | undefined; readonly pendingLost: number };
}

/** The collections of one scope: edits, queries, and how they stand. */
export class ScopeClient<C extends Definitions> {
  readonly db: { readonly [K in keyof C]: Collection<DocumentOf<C[K]>> };
  readonly rejected: Rejected;
  private readonly states: Value<Status>;
  private readonly replicas = new Value<Replica | undefined>(undefined);
  private readonly listeners = new Map<string, Set<(event: never) => void>>();
  private session: Session | undefined;

  constructor(protected readonly ports: ScopeClientPorts<C>) {
    const { collections, environment, storage } = ports;
    this.states = new Value(CLOSED(storage));
    this.rejected = new Rejected(async () => this.opened().replica, environment);
    const own: CollectionPorts = {
      edit: (edit) => this.edit(edit),
      look: async (collection, id) => (await this.opened().replica.look(collection, [id]))[0] ?? null,
      newId: (collection) => this.newId(collection),
      replicas: this.replicas,
      replica: () => this.opened().replica,
      pending: (collection, id) => this.pendingOf(collection, id),
    };
    const all = Object.entries(collections).map(([name, each]) => [
      name,
      new Collection<object>(name, own, each as CollectionDefinition<object>),
    ]);
    this.db = Object.fromEntries(all) as typeof this.db;
  }

  get status(): Observable<Status> {
    return this.states;
  }

  /** Edits that are made together or not at all, on this device and on the server. The body may run again. */
  async transaction<T>(body: (collections: TransactionOf<C>) => Promise<T>): Promise<T> {
    const ports = { newId: (name: string) => this.newId(name), coalesces: () => true };
    return runTransaction<C, T>(this.opened().replica, Object.keys(this.ports.collections), ports, body);
  }

  /** How a mutation ends. Undefined: it ended before this client was opened, or more than 1,000 mutations ago. */
  async settled(mutation: string): Promise<Settlement | undefined> {
    return this.opened().replica.settlement(mutation);
  }

  /** Whether nothing is pending, at the latest after `timeoutMs` (default 10,000). */
  async flush({ timeoutMs = 10_000 }: { readonly timeoutMs?: number } = {}): Promise<boolean> {
    const session = this.opened();
    session.pusher.kick();
    return this.until(timeoutMs, () => session.replica.pending().length === 0);
  }

  /**
   * Sends what waits and reads what is new, then stands still again if it was paused: for background tasks.
   *
   * @returns whether all of that was done in time
   */
  async syncOnce({ deadlineMs = 20_000 }: { readonly deadlineMs?: number } = {}): Promise<boolean> {
    const session = this.opened();
    const wasPaused = session.paused;
    const { environment } = this.ports;
    const deadline = environment.now() + deadlineMs;
    await session.start();
    session.kick();
    const isSent = await this.until(deadlineMs, () => session.replica.pending().length === 0);
    const isRead = isSent && (await this.within(deadline - environment.now(), session.reader.catchUp()));
    const isDone = isRead && session.replica.pending().length === 0;
    if (wasPaused) await session.stop();
    return isDone;
  }

  /** What the server has not taken, for support. It holds the user's data. */
  async export(): Promise<{
    readonly outbox: readonly Mutation[];
    readonly rejected: readonly RefusedEntry[];
  }> {
    const { replica } = this.opened();
    return { outbox: replica.pending(), rejected: await replica.refused() };
  }

  on<E extends keyof ClientEvents>(event: E, listener: (event: ClientEvents[E]) => void): () => void {
    const all = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, all.add(listener));
    return () => all.delete(listener);
  }

  /** Edits that the server has not answered. */
  unsent(): number {
    return this.session?.replica.pending().length ?? 0;
  }

  /** @internal @returns how many edits were lost with an earlier database */
  async begin({ name, markName }: Place, isPaused: boolean): Promise<number> {
    const { storage, environment, auth, url, hub, collections, scope } = this.ports;
    const session = await Session.open(await storage.open(name), {
      ...{ url, hub, storage, markName, environment, auth, scope },
      collections: Object.keys(collections),
      shapes: shapesOf(collections),
      status: (status) => this.states.set(status),
      conflicts: (conflicts) => {
        for (const conflict of conflicts) this.emit('conflict', conflict);
      },
      rejected: () => void this.rejected.refresh(session.replica),
      over: (error) => {
        if (this.session !== session) return;
        // Edits and queries go on in this tab; the other one sends and reads.
        if (isFenced(error)) void session.follow();
        else void this.ended().then(() => this.emit('ended', error));
      },
    });
    this.session = session;
    this.replicas.set(session.replica);
    await this.rejected.refresh(session.replica);
    if (!isPaused) await session.start();
    return session.lost;
  }

  /** @internal */
  async halt(): Promise<void> {
    await this.session?.stop();
  }

  /** @internal */
  async go(): Promise<void> {
    await this.session?.start();
  }

  /** @internal */
  async end(): Promise<void> {
    const { session } = this;
    this.session = undefined;
    this.replicas.set(undefined);
    await this.rejected.refresh(undefined);
    await session?.close();
    this.states.set(CLOSED(this.ports.storage));
  }

  /** What has to be done when the database is gone. */
  protected async ended(): Promise<void> {
    await this.end();
  }

  /** @internal Whether edits are refused from now on; resolves when those before have ended. */
  async seal(isSealed: boolean): Promise<void> {
    await this.session?.replica.seal(isSealed);
  }

  /** @internal Removes what the server said, or everything. */
  async leave(keepsUnsent: boolean): Promise<void> {
    const { session } = this;
    if (!session) return;
    await session.stop();
    const hasUnsent = this.unsent() > 0 || (await session.replica.refused()).length > 0;
    if (keepsUnsent && hasUnsent) await session.replica.forgetServer();
    await this.end();
    if (keepsUnsent && hasUnsent) return;
    session.forget();
    await this.ports.storage.remove(session.replica.database.name);
  }

  protected clockOffset(): number | undefined {
    return this.session?.replica.offset;
  }

  private opened(): Session {
    if (!this.session) throw new UsageError('The client is not open: call client.open() first.');
    return this.session;
  }

  private async edit({ collection, id, kind, change }: RawEdit): Promise<Edited> {
    const { replica } = this.opened();
    const { environment, collections } = this.ports;
    const mutation = randomId(environment);
    const context = {
      editedAt: environment.now(),
      coalesces: (name: string) => collections[name]?.coalesce !== false,
    };
    const intent = { collection, doc: id, kind, change, mutation };
    const [made] = await replica.write('user', (work) => makeEdits(work, [intent], context));
    return { id, mutation: made };
  }

  private newId(collection: string): DocId {
    const { collections, environment } = this.ports;
    return collections[collection]?.ids === 'objectid' ? objectId(environment) : uuid(environment);
  }

  private pendingOf(collection: string, id: DocId): number {
    const all = this.session?.replica.pending() ?? [];
    return all.filter((each) => each.collection === collection && each.doc === id).length;
  }

  protected emit<E extends keyof ClientEvents>(event: E, value: ClientEvents[E]): void {
    for (const listener of this.listeners.get(event) ?? [])
      (listener as (event: ClientEvents[E]) => void)(value);
  }

  private async within(ms: number, work: Promise<boolean>): Promise<boolean> {
    const { environment } = this.ports;
    const alarm = new Alarm(environment);
    let isDone = false;
    void work.then((done) => {
      isDone = done;
      alarm.ring();
    });
    await alarm.sleep(environment.now() + ms);
    return isDone;
  }

  /** Looks with each change of the status. */
  private async until(ms: number, holds: () => boolean): Promise<boolean> {
    const { environment } = this.ports;
    const alarm = new Alarm(environment);
    const leave = this.states.subscribe(() => alarm.ring());
    const deadline = environment.now() + ms;
    try {
      while (!holds()) {
        if (environment.now() >= deadline || !this.session) return false;
        await alarm.sleep(deadline);
      }
      return true;
    } finally {
      leave();
    }
  }
}
