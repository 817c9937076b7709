import type { DocId, JsonObject } from 'nest-offline-sync-protocol';
import type { Environment } from './environment.ts';
import { FencedError, StorageLostError, StorageOutdatedError, UsageError } from './errors.ts';
import { randomId } from './ids.ts';
import { readMeta, writeMeta, type MetaRecords } from './meta.ts';
import { expectShapes, migrateStored } from './migrating.ts';
import type { Strategy } from './rules/chain.ts';
import type { Mutation, RefusedEntry, ViewRow } from './rules/mutation.ts';
import type { Shapes } from './rules/migration.ts';
import type { Database, Stores } from './storage.ts';
import { ALL_STORES, shapeOf, Work, type Outcome, type Settlement } from './work.ts';

export type Listener = (outcome: Outcome) => void;

/**
 * The device's copy of one scope as one actor sees it: its database, who watches it, and what waits in its outbox. What is written
 * goes through {@link Replica.write}; nothing else touches the stores.
 */
export class Replica {
  /** State of each mutation that is not finished, for counts. */
  private readonly waiting = new Map<number, Mutation>();
  private readonly listeners = new Set<Listener>();
  private readonly settling = new Map<string, ((settlement: Settlement) => void)[]>();
  /** Of those that ended last. */
  private readonly settlements = new Map<string, Settlement>();
  private epoch = 0;
  private isSealed = false;
  /** Edits on their way. */
  private readonly editing = new Set<Promise<unknown>>();
  /** How far the server's clock is ahead, as far as that is known. Milliseconds. */
  offset: number | undefined;

  private constructor(
    readonly database: Database,
    readonly environment: Environment,
    /** Undefined: the identity's own scope. */
    readonly scope: string | undefined,
    readonly client: MetaRecords['client'],
    /** How this version of the app has its documents. */
    private readonly shapes: Shapes,
  ) {}

  /** @throws StorageOutdatedError if a newer version of the app has written the database */
  static async open(
    database: Database,
    environment: Environment,
    scope: string | undefined,
    shapes: Shapes = new Map(),
  ): Promise<Replica> {
    const fresh = { id: randomId(environment), node: randomId(environment, 4) };
    const [client, outbox] = await database.transaction('durable', ALL_STORES, async (stores) => {
      const { meta, outbox: all } = stores;
      const work = new Work(stores, shapes);
      await migrateStored(work, shapes, environment.now());
      await work.finish();
      const known = (await meta.get('client')) as MetaRecords['client'] | undefined;
      if (!known) await writeMeta(meta, 'client', fresh);
      return [known ?? fresh, await all.range()] as const;
    });
    const replica = new Replica(database, environment, scope, client, shapes);
    for (const [seq, mutation] of outbox) replica.waiting.set(seq, mutation as Mutation);
    return replica;
  }

  /** From now on this client alone writes what the server says: see {@link FencedError}. */
  async lead(): Promise<void> {
    this.epoch = await this.database.transaction('write', ['meta'], async ({ meta }) => {
      const n = (await readMeta(meta, 'epoch')).n + 1;
      await writeMeta(meta, 'epoch', { n });
      return n;
    });
  }

  /**
   * One transaction of edits (`durable`), or of what the server said.
   *
   * @param body may be run again: it changes nothing but its stores
   */
  async write<T>(by: 'user' | 'leader', body: (work: Work) => Promise<T>): Promise<T> {
    if (by === 'leader') return this.written(by, body);
    if (this.isSealed) throw new UsageError('The user is being logged out: nothing can be edited any more.');
    const edit = this.written(by, body);
    this.editing.add(edit);
    try {
      return await edit;
    } finally {
      this.editing.delete(edit);
    }
  }

  /** Whether edits are refused from now on; resolves when those before have ended. */
  async seal(isSealed: boolean): Promise<void> {
    this.isSealed = isSealed;
    await Promise.allSettled(this.editing);
  }

  private async written<T>(by: 'user' | 'leader', body: (work: Work) => Promise<T>): Promise<T> {
    const mode = by === 'user' ? 'durable' : 'write';
    const [result, outcome] = await this.database.transaction(mode, ALL_STORES, async (stores: Stores) => {
      const work = new Work(stores, this.shapes);
      await expectShapes(stores.meta, this.shapes);
      if (by === 'leader') await work.expectEpoch(this.epoch);
      const value = await body(work);
      return [value, await work.finish()] as const;
    });
    this.tell(outcome);
    return result;
  }

  async meta<N extends keyof MetaRecords>(name: N): Promise<MetaRecords[N]> {
    return this.database.transaction('read', ['meta'], ({ meta }) => readMeta(meta, name));
  }

  /** @param identity `X-Sync-Identity`: requests with the credentials of anybody else are refused from now on */
  async identify(identity: string): Promise<void> {
    await this.database.transaction('durable', ['meta'], async ({ meta }) => {
      await writeMeta(meta, 'server', { ...(await readMeta(meta, 'server')), identity });
    });
  }

  /** Removes what the server said. What it was not told stays, with the installation's id: a retry has to be known as one. */
  async forgetServer(): Promise<void> {
    await this.database.transaction('durable', ['base', 'meta'], async ({ base, meta }) => {
      const { generation } = await readMeta(meta, 'position');
      await Promise.all([
        base.clear(),
        writeMeta(meta, 'position', { generation, isComplete: false }),
        meta.delete('clock'),
      ]);
    });
  }

  /** What the user sees; in the order of the ids, null where there is nothing. */
  async look(collection: string, ids: readonly DocId[]): Promise<readonly (JsonObject | null)[]> {
    return this.database.transaction('read', ['base', 'view'], async ({ base, view }) => {
      const [rows, views] = await Promise.all([
        base.get(collection, ids),
        Promise.all(ids.map((id) => view.get(collection, id) as Promise<ViewRow | undefined>)),
      ]);
      return ids.map((_, index) => {
        const over = views[index];
        if (over) return over.data;
        const data = rows[index]?.data;
        return data ? shapeOf(this.shapes, collection, data) : null;
      });
    });
  }

  /**
   * Shows everything that the user sees of a collection, in no order, without keeping it.
   *
   * @param begin called at the beginning, and again if the storage has to begin again; what it gives is called with each document
   * @returns whether that is all there is
   */
  async walk(collection: string, begin: () => (id: DocId, data: JsonObject) => void): Promise<boolean> {
    return this.database.transaction('read', ['base', 'view', 'meta'], async ({ base, view, meta }) => {
      const visit = begin();
      const over = new Map((await view.scan(collection)) as readonly (readonly [DocId, ViewRow])[]);
      for (let after: DocId | undefined, isOver = false; !isOver;) {
        const rows = await base.scan(collection, { ...(after === undefined ? {} : { after }), limit: WALK });
        for (const { id, data } of rows)
          if (data && !over.has(id)) visit(id, shapeOf(this.shapes, collection, data));
        after = rows.at(-1)?.id;
        isOver = rows.length < WALK;
      }
      for (const [id, { data }] of over) if (data) visit(id, data);
      return (await readMeta(meta, 'position')).isComplete;
    });
  }

  async refused(): Promise<RefusedEntry[]> {
    const all = await this.database.transaction('read', ['rejected'], ({ rejected }) => rejected.range());
    return all.map(([, entry]) => entry as RefusedEntry).sort((a, b) => a.at - b.at);
  }

  /** Mutations that the server has not answered, in order. */
  pending(): Mutation[] {
    return [...this.waiting.values()].filter((each) => each.state !== 'answered');
  }

  /** Whether mutations wait for the base to hold what became of them. */
  answered(): Mutation[] {
    return [...this.waiting.values()].filter((each) => each.state === 'answered');
  }

  /** How a mutation ends; at once, if it has. Undefined: that was long ago, or before this client was opened. */
  async settlement(mutation: string): Promise<Settlement | undefined> {
    const isOpen = this.pending().some(({ id }) => id === mutation);
    if (isOpen)
      return new Promise((resolve) => {
        this.settling.set(mutation, [...(this.settling.get(mutation) ?? []), resolve]);
      });
    const known = this.settlements.get(mutation);
    if (known) return known;
    const entry = (await this.refused()).find((each) =>
      each.changes.some((change) => change.mutation === mutation),
    );
    return entry && { status: 'rejected', entry };
  }

  onChange(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async strategies(work: Work): Promise<(collection: string) => Strategy> {
    const { info } = await readMeta(work.stores.meta, 'server');
    const known = new Map(info?.collections.map(({ name, conflict }) => [name, conflict]));
    return (collection) => known.get(collection);
  }

  private tell(outcome: Outcome): void {
    for (const mutation of outcome.put) this.waiting.set(mutation.seq, mutation);
    for (const seq of outcome.gone) this.waiting.delete(seq);
    for (const [mutation, settlement] of outcome.settlements) {
      for (const resolve of this.settling.get(mutation) ?? []) resolve(settlement);
      this.settling.delete(mutation);
      this.settlements.set(mutation, settlement);
      const [oldest] = this.settlements.keys();
      if (this.settlements.size > KEPT_SETTLEMENTS && oldest !== undefined) this.settlements.delete(oldest);
    }
    for (const listener of [...this.listeners]) listener(outcome);
  }
}

const KEPT_SETTLEMENTS = 1_000;
/** Rows at a time: more would keep the page waiting. */
const WALK = 1_000;

export function isFenced(error: unknown): boolean {
  return error instanceof FencedError;
}

/** Whether nothing can be done any more with the replica that it came from. */
export function isOver(error: unknown): boolean {
  return [FencedError, StorageLostError, StorageOutdatedError].some((one) => error instanceof one);
}
