import { isObject, type DocId, type JsonObject } from 'nest-offline-sync-protocol';
import type { Environment } from './environment.ts';
import { EditQueue } from './edit-queue.ts';
import { FencedError, LoggedOutError, UsageError } from './errors.ts';
import { randomId } from './ids.ts';
import { readMeta, writeMeta, type MetaRecords } from './meta.ts';
import { expectShapes, migrateStored } from './migrating.ts';
import { NOTHING, type Outcome, type Settlement, type ToldOutcome } from './outcome.ts';
import type { Strategy } from './rules/chain.ts';
import { changesIn, type Mutation, type RefusedEntry } from './rules/mutation.ts';
import type { Shapes } from './rules/migration.ts';
import { Settlements } from './settlements.ts';
import { shownOf, walkShown } from './shown.ts';
import type { Database, Stores } from './storage.ts';
import { ALL_STORES, Work } from './work.ts';

/** @param isOwn false: another tab has done it */
export type Listener = (outcome: Outcome, isOwn: boolean) => void;

/**
 * The device's copy of one scope as one actor sees it: its database, who watches it, and what waits in its outbox. What is written
 * goes through {@link Replica.write}; nothing else touches the stores.
 */
export class Replica {
  /** State of each mutation that is not finished, for counts. */
  private readonly waiting = new Map<number, Mutation>();
  private readonly listeners = new Set<Listener>();
  private readonly settlements = new Settlements();
  private epoch = 0;
  private isSealed = false;
  private readonly edits = new EditQueue((body) => this.written('user', body));
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
    readonly shapes: Shapes,
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
      const { n, isOut } = await readMeta(meta, 'epoch');
      if (isOut) await writeMeta(meta, 'epoch', { n });
      return [known ?? fresh, await all.range()] as const;
    });
    const replica = new Replica(database, environment, scope, client, shapes);
    for (const [seq, mutation] of outbox) replica.waiting.set(seq, mutation as Mutation);
    return replica;
  }

  /**
   * From now on this client alone writes what the server says: see {@link FencedError}.
   *
   * @param isHeir the one that led before may have died with something unsaid: everybody reads everything again
   * @throws LoggedOutError
   */
  async lead(isHeir: boolean): Promise<void> {
    const outbox = await this.database.transaction('write', ['meta', 'outbox'], async (stores) => {
      const epoch = await readMeta(stores.meta, 'epoch');
      if (epoch.isOut) throw new LoggedOutError();
      this.epoch = epoch.n + 1;
      await writeMeta(stores.meta, 'epoch', { n: this.epoch });
      return stores.outbox.range();
    });
    this.replaceOutbox(outbox, { isAll: isHeir }, true);
  }

  /** After messages of other tabs may have been lost: all that is known is read again, here and by those who watch. */
  async reread(): Promise<void> {
    const all = await this.database.transaction('read', ['outbox'], ({ outbox }) => outbox.range());
    this.replaceOutbox(all, { isAll: true }, false);
  }

  /**
   * Takes in what another tab has done. What was told may be old by now, and this tab may have written since: so the mutations are read,
   * in the order of transactions.
   */
  async hear({ seqs, ...told }: ToldOutcome): Promise<void> {
    if (told.isAll) return this.reread();
    const [from, to] = [Math.min(...seqs), Math.max(...seqs)];
    // Of few documents it is read at once what the user sees: who watches them would ask for it next.
    const documents = told.documents.length <= FEW ? told.documents : [];
    const [found, shown] =
      seqs.length + documents.length === 0
        ? [[], []]
        : await this.database.transaction('read', ['base', 'view', 'outbox'], (stores) =>
            Promise.all([
              seqs.length === 0 ? [] : stores.outbox.range({ from, to }),
              Promise.all(
                documents.map(
                  async ([name, id]) => (await shownOf(stores, this.shapes, name, [id]))[0] ?? null,
                ),
              ),
            ]),
          );
    const put = found.map(([, mutation]) => mutation as Mutation);
    const there = new Set(found.map(([seq]) => seq));
    const gone = seqs.filter((seq) => !there.has(seq));
    const isShown = documents.length === told.documents.length;
    this.tell({ ...told, ...(isShown ? { shown } : {}), put, gone }, false);
  }

  /**
   * One transaction of edits (`durable`), or of what the server said.
   *
   * @param body may be run again: it changes nothing but its stores
   */
  async write<T>(by: 'user' | 'leader', body: (work: Work) => Promise<T>): Promise<T> {
    return by === 'leader' ? this.written(by, body) : this.edited(() => this.written(by, body));
  }

  /**
   * One edit of one document, in a transaction with others that come at the same time.
   *
   * @param make writes nothing if it fails; may be run again
   */
  async edit<T>(
    document: { readonly collection: string; readonly doc: DocId },
    make: (work: Work) => Promise<T>,
  ): Promise<T> {
    return this.edited(() => this.edits.add(document, make));
  }

  private async edited<T>(begin: () => Promise<T>): Promise<T> {
    if (this.isSealed) throw new UsageError('The user is being logged out: nothing can be edited any more.');
    const edit = begin();
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
      // Asked at once: each answer that is waited for costs as much as all of them.
      const [mayWrite, made] = await Promise.allSettled([
        Promise.all([
          expectShapes(stores.meta, this.shapes),
          work.expectEpoch(by === 'leader' ? this.epoch : undefined),
        ]),
        body(work),
      ]);
      if (mayWrite.status === 'rejected') throw mayWrite.reason;
      if (made.status === 'rejected') throw made.reason;
      return [made.value, await work.finish()] as const;
    });
    this.tell(outcome, true);
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

  /**
   * Ends the writes of all tabs. What the server has not taken is counted in the same transaction, so that no edit slips in between.
   *
   * @param ifEmpty nothing is done if there is something
   * @returns how many edits wait, or were refused and not decided about
   */
  async shut(ifEmpty: boolean): Promise<number> {
    return this.database.transaction('durable', ['meta', 'outbox', 'rejected'], async (stores) => {
      const { meta } = stores;
      const [all, entries] = await Promise.all([stores.outbox.range(), stores.rejected.range()]);
      const waiting = all.filter(([, each]) => (each as Mutation).state !== 'answered').length;
      const unsent = waiting + changesIn(entries.map(([, entry]) => entry as RefusedEntry));
      if (unsent === 0 || !ifEmpty) {
        const { n } = await readMeta(meta, 'epoch');
        await writeMeta(meta, 'epoch', { n: n + 1, isOut: true });
      }
      return unsent;
    });
  }

  /** After {@link Replica.shut} of another database was refused. */
  async unshut(): Promise<void> {
    await this.database.transaction('durable', ['meta'], async ({ meta }) => {
      await writeMeta(meta, 'epoch', { n: (await readMeta(meta, 'epoch')).n });
    });
  }

  /**
   * Removes what the server said, or everything. If what it was not told stays, the installation's id does too: a retry has to be known
   * as one.
   */
  async clear(keepsUnsent: boolean): Promise<void> {
    await this.database.transaction('durable', ALL_STORES, async ({ base, view, outbox, rejected, meta }) => {
      const { generation } = await readMeta(meta, 'position');
      await Promise.all([
        base.clear(),
        writeMeta(meta, 'position', { generation, isComplete: false }),
        meta.delete('clock'),
        ...(keepsUnsent ? [] : [view.clear(), outbox.clear(), rejected.clear(), meta.delete('client')]),
      ]);
    });
  }

  /** What the user sees; in the order of the ids, null where there is nothing. */
  async look(collection: string, ids: readonly DocId[]): Promise<readonly (JsonObject | null)[]> {
    return this.database.transaction('read', ['base', 'view'], (stores) =>
      shownOf(stores, this.shapes, collection, ids),
    );
  }

  /**
   * Shows everything that the user sees of a collection, in no order, without keeping it.
   *
   * @param begin called at the beginning, and again if the storage has to begin again; what it gives is called with each document
   * @returns whether that is all there is
   */
  async walk(collection: string, begin: () => (id: DocId, data: JsonObject) => void): Promise<boolean> {
    return this.database.transaction('read', ['base', 'view', 'meta'], (stores) =>
      walkShown(stores, this.shapes, collection, begin()),
    );
  }

  async refused(): Promise<RefusedEntry[]> {
    const all = await this.database.transaction('read', ['rejected'], ({ rejected }) => rejected.range());
    return all.map(([, entry]) => entry as RefusedEntry).sort((a, b) => a.at - b.at || a.seq - b.seq);
  }

  /** Mutations that the server has not answered, in order. */
  pending(): Mutation[] {
    return [...this.waiting.values()]
      .filter((each) => each.state !== 'answered')
      .sort((a, b) => a.seq - b.seq);
  }

  /** How many edits the server has not taken: they wait, or were refused and not decided about. */
  async untaken(): Promise<number> {
    return this.pending().length + changesIn(await this.refused());
  }

  /** Whether mutations wait for the base to hold what became of them. */
  answered(): Mutation[] {
    return [...this.waiting.values()].filter((each) => each.state === 'answered');
  }

  /** How a mutation ends; at once, if it has. Undefined: that was long ago, or before this client was opened. */
  async settlement(mutation: string): Promise<Settlement | undefined> {
    const isOpen = this.pending().some(({ id }) => id === mutation);
    if (isOpen) return this.settlements.next(mutation);
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

  private replaceOutbox(
    outbox: readonly (readonly [number, object])[],
    what: Pick<Outcome, 'isAll'>,
    isOwn: boolean,
  ): void {
    const put = outbox.map(([, mutation]) => mutation as Mutation);
    const there = new Set(outbox.map(([seq]) => seq));
    const gone = [...this.waiting.keys()].filter((seq) => !there.has(seq));
    this.tell({ ...NOTHING, ...what, put, gone, rejectedChanged: true }, isOwn);
    // How they ended was told when nobody listened here, or the word of it comes in a moment.
    if (this.settlements.isAwaited) this.environment.timer(LATE_MS, () => this.settleEnded());
  }

  private settleEnded(): void {
    const open = new Set(this.pending().map(({ id }) => id));
    this.settlements.end(
      (mutation) => open.has(mutation),
      (mutation) => this.settlement(mutation),
    );
  }

  /** Tells those who watch, in all tabs, what no transaction says. */
  announce(what: Partial<Pick<Outcome, 'losses' | 'incomplete'>>): void {
    this.tell({ ...NOTHING, ...what }, true);
  }

  private tell(outcome: Outcome, isOwn: boolean): void {
    for (const mutation of outcome.put) this.waiting.set(mutation.seq, mutation);
    for (const seq of outcome.gone) this.waiting.delete(seq);
    for (const [mutation, settlement] of outcome.settlements) this.settlements.tell(mutation, settlement);
    for (const listener of [...this.listeners]) listener(outcome, isOwn);
  }
}

const FEW = 20;
/** A message of another tab is not on its way for longer. */
const LATE_MS = 5_000;
export function isFenced(error: unknown): boolean {
  return error instanceof FencedError;
}

/** No later try with this replica can do better: another leader has come, the user has logged out, the database is gone or newer. */
export function isOver(error: unknown): boolean {
  const over = ['fenced', 'logged_out', 'storage_lost', 'storage_outdated'];
  return isObject(error) && over.includes(String(error['code']));
}
