import type { DocId, JsonObject } from 'nest-offline-sync-protocol';
import type { AccessLost } from './rules/rights.ts';
import { FencedError, LoggedOutError } from './errors.ts';
import { readMeta } from './meta.ts';
import { settled, shown, type Strategy } from './rules/chain.ts';
import { docKey, type Mutation, type RefusedEntry, type ViewRow } from './rules/mutation.ts';
import { shapeOf, told, type Shapes } from './rules/migration.ts';
import type { BaseRow, Stores } from './storage.ts';
import { viewsOf } from './view-rows.ts';

/** How a mutation ended. */
export type Settlement =
  | { readonly status: 'accepted' | 'resolved'; readonly version: string; readonly document?: object | null }
  | { readonly status: 'rejected'; readonly entry: RefusedEntry }
  /** It was taken back before it was sent. */
  | { readonly status: 'withdrawn' };

/** A conflict that the server has resolved: what the user made, and what became of it. */
export interface Conflict {
  readonly collection: string;
  readonly id: DocId;
  readonly mine: object | null;
  readonly base: object | null;
  /** As others had made it, if this device had read that before the answer came. Null: deleted. */
  readonly theirs: object | null | undefined;
  /** What the server has now. */
  readonly result: object | null | undefined;
}

/** What a transaction has changed, for those who watch. */
export interface Outcome {
  readonly documents: readonly (readonly [collection: string, id: DocId])[];
  /** What the user sees of each now; undefined if it is not known here, since another tab has changed them. */
  readonly shown?: readonly (JsonObject | null)[];
  readonly put: readonly Mutation[];
  readonly gone: readonly number[];
  readonly settlements: readonly (readonly [mutation: string, settlement: Settlement])[];
  readonly conflicts: readonly Conflict[];
  /** Rights that were taken away. */
  readonly losses: readonly AccessLost[];
  /** Collections of which older documents cannot be had any more. */
  readonly incomplete: readonly string[];
  readonly rejectedChanged: boolean;
  /** A load is whole, for the first time or again. */
  readonly isLoaded: boolean;
  /** Anything may have changed: what was told of it may be lost. */
  readonly isAll: boolean;
}

interface Held {
  readonly collection: string;
  readonly id: DocId;
  readonly base: BaseRow | undefined;
  readonly chain: readonly Mutation[];
  nextBase: BaseRow | undefined;
  nextChain: readonly Mutation[];
}

export const ALL_STORES = ['base', 'view', 'outbox', 'rejected', 'meta'] as const;

/** One transaction on documents and their chains: read once, changed in memory, written at the end. */
export class Work {
  private readonly held = new Map<string, Held>();
  private readonly settlements: (readonly [string, Settlement])[] = [];
  /** Finished, and not told by the log yet. */
  private readonly aside = new Map<number, Mutation>();
  private readonly ends: number[] = [];
  private readonly conflicts: Conflict[] = [];
  private rejectedChanged = false;
  private isLoaded = false;

  constructor(
    readonly stores: Stores,
    private readonly shapes: Shapes,
  ) {}

  /**
   * @param epoch of a leader; undefined: of the user, who may edit in any tab
   * @throws FencedError if another leader has come
   * @throws LoggedOutError
   */
  async expectEpoch(epoch: number | undefined): Promise<void> {
    const { n, isOut } = await readMeta(this.stores.meta, 'epoch');
    if (isOut) throw new LoggedOutError();
    if (epoch !== undefined && n !== epoch) throw new FencedError();
  }

  async hold(collection: string, ids: readonly DocId[]): Promise<void> {
    const missing = [...new Set(ids)].filter((id) => !this.held.has(docKey(collection, id)));
    if (missing.length === 0) return;
    const { base, view, outbox } = this.stores;
    const [rows, views] = await Promise.all([
      base.get(collection, missing),
      viewsOf(view, collection, missing),
    ]);
    const chains = await Promise.all(
      views.map((row) => Promise.all((row?.chain ?? []).map((seq) => outbox.get(seq) as Promise<Mutation>))),
    );
    missing.forEach((id, index) => {
      const [row, chain] = [rows[index], chains[index] ?? []];
      const held = { collection, id, base: row, chain, nextBase: row, nextChain: chain };
      this.held.set(docKey(collection, id), held);
    });
  }

  async document(collection: string, id: DocId): Promise<Held> {
    await this.hold(collection, [id]);
    return this.held.get(docKey(collection, id)) as Held;
  }

  /** A document with its chain, the base as this version of the app has it: what edits are made on. */
  async seen(
    collection: string,
    id: DocId,
  ): Promise<{ readonly chain: readonly Mutation[]; readonly base: BaseRow | undefined }> {
    const { nextChain, nextBase } = await this.document(collection, id);
    return { chain: nextChain, base: this.shaped(collection, nextBase) };
  }

  /** What the server has when all edits of a document have come to it, as far as that is known. */
  async server(collection: string, id: DocId): Promise<JsonObject | null> {
    const { nextChain, nextBase } = await this.document(collection, id);
    return nextChain.reduce((data, { wire, change }) => told(data, wire ?? change), nextBase?.data ?? null);
  }

  /** Whether documents may have another shape here than on the server. */
  isRaised(collection: string): boolean {
    return (this.shapes.get(collection)?.steps.length ?? 0) > 0;
  }

  /** What the server says, as this version of the app has it. */
  shape(collection: string, data: JsonObject): JsonObject {
    return shapeOf(this.shapes, collection, data);
  }

  private shaped(collection: string, row: BaseRow | undefined): BaseRow | undefined {
    const data = row?.data && this.shape(collection, row.data);
    return row && data && data !== row.data ? { ...row, data } : row;
  }

  /** The whole outbox, by `seq`, with what this transaction has done to it. */
  async outbox(): Promise<readonly Mutation[]> {
    const stored = (await this.stores.outbox.range()) as readonly (readonly [number, Mutation])[];
    const all = new Map(stored);
    for (const { chain, nextChain } of this.held.values()) {
      for (const { seq } of chain) all.delete(seq);
      for (const each of nextChain) all.set(each.seq, each);
    }
    for (const each of this.aside.values()) all.set(each.seq, each);
    for (const seq of this.ends) all.delete(seq);
    return [...all.values()].sort((a, b) => a.seq - b.seq);
  }

  /** Writes a mutation down in its chain, or puts it in the place of what it was. */
  async put(mutation: Mutation): Promise<void> {
    const held = await this.document(mutation.collection, mutation.doc);
    const others = held.nextChain.filter((each) => each.seq !== mutation.seq);
    held.nextChain = [...others, mutation].sort((a, b) => a.seq - b.seq);
  }

  async drop({ collection, doc, seq }: Mutation): Promise<void> {
    const held = await this.document(collection, doc);
    held.nextChain = held.nextChain.filter((each) => each.seq !== seq);
  }

  /** What the server has, unless the base has it newer. @param generation of the load that counts now */
  async learn(collection: string, row: BaseRow): Promise<boolean> {
    const held = await this.document(collection, row.id);
    const { nextBase } = held;
    const isNewer =
      !nextBase || nextBase.generation < row.generation || (nextBase.version ?? '') < (row.version ?? '');
    if (isNewer) held.nextBase = row;
    return isNewer;
  }

  /** What the server had at some time: it proves the row that is here, or replaces an older one. */
  async confirm(collection: string, row: BaseRow): Promise<void> {
    const held = await this.document(collection, row.id);
    if ((held.nextBase?.version ?? '') <= (row.version ?? '')) held.nextBase = row;
  }

  /** Removes rows of the base. */
  async remove(collection: string, ids: readonly DocId[]): Promise<void> {
    await this.hold(collection, ids);
    for (const id of ids) (this.held.get(docKey(collection, id)) as Held).nextBase = undefined;
  }

  /** Ends what is finished in the chain of a document. */
  async settle(collection: string, id: DocId, cursor: string | undefined, strategy: Strategy): Promise<void> {
    const held = await this.document(collection, id);
    if (held.nextChain.length === 0) return;
    const { chain, gone } = settled(held.nextChain, {
      base: this.shaped(collection, held.nextBase),
      cursor,
      strategy,
    });
    for (const each of gone)
      if ((each.answer?.version ?? '') > (cursor ?? '')) this.aside.set(each.seq, { ...each, aside: true });
    const isSame =
      chain.length === held.nextChain.length && chain.every((each, at) => each === held.nextChain[at]);
    if (!isSame) held.nextChain = chain;
  }

  /** R7: whether the server still has it is not clear. Until it is, the user goes on seeing what is shown now. */
  async doubt({ aside: _, ...mutation }: Mutation): Promise<void> {
    const { chain, base } = await this.seen(mutation.collection, mutation.doc);
    const after = chain.length === 0 ? (base?.data ?? null) : mutation.after;
    await this.put({ ...mutation, after, doubtful: true });
  }

  /** Nothing is kept any more of a mutation that has left its chain. */
  end({ seq }: Mutation): void {
    this.ends.push(seq);
  }

  ended(mutation: string, settlement: Settlement): void {
    this.settlements.push([mutation, settlement]);
  }

  conflicted(conflict: Conflict): void {
    this.conflicts.push(conflict);
  }

  async refuse(entry: RefusedEntry): Promise<void> {
    this.rejectedChanged = true;
    for (const { mutation } of entry.changes) this.ended(mutation, { status: 'rejected', entry });
    const changes = entry.changes.map((each) =>
      each.theirs ? { ...each, theirs: this.shape(each.collection, each.theirs) } : each,
    );
    await this.stores.rejected.put(entry.id, { ...entry, changes });
  }

  async forget(entry: RefusedEntry): Promise<void> {
    this.rejectedChanged = true;
    await this.stores.rejected.delete(entry.id);
  }

  loaded(): void {
    this.isLoaded = true;
  }

  /** Writes everything. */
  async finish(): Promise<Outcome> {
    const { base, view, outbox } = this.stores;
    const writes: Promise<void>[] = [];
    const rows = new Map<string, BaseRow[]>();
    const removed = new Map<string, DocId[]>();
    const put: Mutation[] = [];
    const gone: number[] = [];
    const documents: (readonly [string, DocId])[] = [];
    const seen: (JsonObject | null)[] = [];
    for (const held of this.held.values()) {
      const { collection, id, chain, nextChain, nextBase } = held;
      if (!nextBase && held.base) removed.set(collection, [...(removed.get(collection) ?? []), id]);
      if (nextBase && nextBase !== held.base) {
        const all = rows.get(collection) ?? [];
        rows.set(collection, all);
        all.push(nextBase);
      }
      if (nextChain !== chain) {
        const before = new Map(chain.map((each) => [each.seq, each]));
        for (const each of nextChain) {
          if (before.get(each.seq) !== each) {
            put.push(each);
            writes.push(outbox.put(each.seq, each));
          }
          before.delete(each.seq);
        }
        for (const seq of before.keys()) {
          if (this.aside.has(seq)) continue;
          gone.push(seq);
          writes.push(outbox.delete(seq));
        }
        const row: ViewRow = {
          data: nextChain.at(-1)?.after ?? null,
          chain: nextChain.map((each) => each.seq),
        };
        writes.push(nextChain.length === 0 ? view.delete(collection, id) : view.put(collection, id, row));
      }
      if (nextChain === chain && nextBase === held.base) continue;
      documents.push([collection, id]);
      seen.push(shown(nextChain, this.shaped(collection, nextBase)));
    }
    for (const each of this.aside.values()) {
      put.push(each);
      writes.push(outbox.put(each.seq, each));
    }
    for (const seq of this.ends) {
      gone.push(seq);
      writes.push(outbox.delete(seq));
    }
    for (const [collection, ids] of removed) writes.push(base.delete(collection, ids));
    for (const [collection, all] of rows) writes.push(base.put(collection, all));
    await Promise.all(writes);
    const { settlements, conflicts, rejectedChanged, isLoaded } = this;
    return {
      documents,
      shown: seen,
      put,
      gone,
      settlements,
      conflicts,
      losses: [],
      incomplete: [],
      rejectedChanged,
      isLoaded,
      isAll: false,
    };
  }
}
