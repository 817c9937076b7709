import type { DocId } from 'nest-offline-sync-protocol';
import type { AccessLost } from './rules/rights.ts';
import type { Auth } from './auth.ts';
import {
  Collection,
  type CollectionDefinition,
  type DataOf,
  type CollectionPorts,
  type Definitions,
  type DocumentOf,
  type Edited,
  type RawEdit,
} from './collection.ts';
import { makeEdit } from './edits.ts';
import type { Environment } from './environment.ts';
import { UsageError } from './errors.ts';
import { objectId, randomId, uuid } from './ids.ts';
import type { LiveHub } from './live-hub.ts';
import { Value, type Observable } from './observable.ts';
import type { Tuning } from './options.ts';
import { Rejected } from './rejected.ts';
import type { Replica } from './replica.ts';
import type { Mutation, RefusedEntry } from './rules/mutation.ts';
import type { Session } from './session.ts';
import { CLOSED, type Status } from './status.ts';
import type { ClientStorage } from './storage.ts';
import type { TabGroup } from './tab-group.ts';
import { runTransaction, type TransactionOf } from './transaction.ts';
import type { Conflict, Settlement } from './outcome.ts';

export interface ScopeClientPorts<C extends Definitions> {
  readonly url: string;
  readonly hub: LiveHub | undefined;
  readonly storage: ClientStorage;
  readonly environment: Environment;
  readonly auth: Auth;
  readonly collections: C;
  readonly coalesce: boolean;
  readonly tuning: Tuning;
  readonly scope: string | undefined;
}

/** What a client tells besides its status. */
export interface ClientEvents {
  /** The server has brought an edit and those of others together: what the user made, and what became of it. */
  readonly conflict: Conflict;
  /** The server has taken a right away: what could be read is gone from this device, edits that were not answered are in quarantine. */
  readonly 'access-lost': AccessLost;
  /** A collection gives no full resync, and the server's log no longer goes back: what was written before, and is not here, cannot be had. */
  readonly incomplete: { readonly collection: string };
  /**
   * The client was closed, and not by this tab: an error whose `code` says why. `logged_out`: the user has logged out in another tab.
   * `storage_lost`: the database is gone. It can be opened again.
   */
  readonly ended: unknown;
  /**
   * The platform, or the user, has cleared the database since it was used last. `pendingLost` edits went with it: those that the
   * server had not taken, and those in quarantine. Told while `open` runs, where the storage can know of it: browsers. `scope` is missing for the user's own.
   */
  readonly 'storage-lost': { readonly scope?: string | undefined; readonly pendingLost: number };
}

interface Attached {
  readonly group: TabGroup;
  readonly session: Session;
  readonly leave: readonly (() => void)[];
}

/** The collections of one scope: edits, queries, and how they stand. */
export class ScopeClient<C extends Definitions> {
  readonly db: { readonly [K in keyof C]: Collection<DocumentOf<C[K]>, DataOf<C[K]>> };
  readonly rejected: Rejected;
  private readonly states: Value<Status>;
  private readonly replicas = new Value<Replica | undefined>(undefined);
  private readonly listeners = new Map<string, Set<(event: never) => void>>();
  private own: Attached | undefined;

  constructor(protected readonly ports: ScopeClientPorts<C>) {
    const { collections, environment, storage } = ports;
    this.states = new Value(CLOSED(storage));
    this.rejected = new Rejected(
      async () => this.opened().session.replica,
      environment,
      (name) => collections[name] ?? {},
    );
    const own: CollectionPorts = {
      edit: (edit) => this.edit(edit),
      look: async (collection, id) => (await this.opened().session.replica.look(collection, [id]))[0] ?? null,
      newId: (collection) => this.newId(collection),
      replicas: this.replicas,
      replica: () => this.opened().session.replica,
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
    const ports = {
      newId: (name: string) => this.newId(name),
      coalesces: () => true,
      limits: this.ports.tuning.transaction,
    };
    return runTransaction<C, T>(this.opened().session.replica, this.ports.collections, ports, body);
  }

  /** How a mutation ends. Undefined: it ended before this client was opened, or more than 1,000 mutations ago. */
  async settled(mutation: string): Promise<Settlement | undefined> {
    return this.opened().session.replica.settlement(mutation);
  }

  /** Whether nothing is pending, at the latest after `timeoutMs` (default 10,000). */
  async flush({ timeoutMs = 10_000 }: { readonly timeoutMs?: number } = {}): Promise<boolean> {
    const { group, session } = this.opened();
    return group.flush(session, timeoutMs);
  }

  /**
   * Sends what waits and reads what is new, then stands still again if it was paused: for background tasks. In a browser it is the tab
   * that leads that does it, and this one if that does not answer.
   *
   * @returns whether all of that was done in time
   */
  async syncOnce({ deadlineMs = 20_000 }: { readonly deadlineMs?: number } = {}): Promise<boolean> {
    const { group, session } = this.opened();
    return group.syncOnce(session, deadlineMs);
  }

  /** What the server has not taken, for support. It holds the user's data. */
  async export(): Promise<{
    readonly outbox: readonly Mutation[];
    readonly rejected: readonly RefusedEntry[];
  }> {
    const { replica } = this.opened().session;
    return { outbox: replica.pending(), rejected: await replica.refused() };
  }

  on<E extends keyof ClientEvents>(event: E, listener: (event: ClientEvents[E]) => void): () => void {
    const all = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, all.add(listener));
    return () => all.delete(listener);
  }

  /** Edits that the server has not answered. */
  unsent(): number {
    return this.own?.session.replica.pending().length ?? 0;
  }

  /** @internal Undefined: the user's own scope. */
  get name(): string | undefined {
    return this.ports.scope;
  }

  /** @internal Works on a replica from now on. */
  async attach(group: TabGroup, session: Session): Promise<void> {
    const { replica, status } = session;
    const leave = [
      status.subscribe((now) => this.states.set(now)),
      replica.onChange(({ conflicts, losses, incomplete, rejectedChanged }) => {
        for (const conflict of conflicts) this.emit('conflict', conflict);
        for (const lost of losses) this.emit('access-lost', lost);
        for (const collection of incomplete) this.emit('incomplete', { collection });
        if (rejectedChanged) void this.rejected.refresh(replica);
      }),
    ];
    this.own = { group, session, leave };
    this.states.set(status.current);
    this.replicas.set(replica);
    await this.rejected.refresh(replica);
  }

  /** @internal @param reason for those who listen, if the app has not asked for it */
  detach(): void {
    for (const leave of this.own?.leave ?? []) leave();
    this.own = undefined;
    this.replicas.set(undefined);
    void this.rejected.refresh(undefined);
    this.states.set(CLOSED(this.ports.storage));
  }

  /** @internal */
  emit<E extends keyof ClientEvents>(event: E, value: ClientEvents[E]): void {
    for (const listener of this.listeners.get(event) ?? [])
      (listener as (event: ClientEvents[E]) => void)(value);
  }

  protected clockOffset(): number | undefined {
    return this.own?.session.replica.offset;
  }

  private opened(): Attached {
    if (!this.own) throw new UsageError('The client is not open: call client.open() first.');
    return this.own;
  }

  private async edit({ collection, id, kind, change, check }: RawEdit): Promise<Edited> {
    const { replica } = this.opened().session;
    const { environment, collections, coalesce } = this.ports;
    const mutation = randomId(environment);
    const context = {
      editedAt: environment.now(),
      coalesces: (name: string) => collections[name]?.coalesce ?? coalesce,
    };
    const intent = { collection, doc: id, kind, change, mutation };
    return { id, mutation: await makeEdit(replica, intent, check, context) };
  }

  private newId(collection: string): DocId {
    const { collections, environment } = this.ports;
    return collections[collection]?.ids === 'objectid' ? objectId(environment) : uuid(environment);
  }
}
