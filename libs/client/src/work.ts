import type { DocId, JsonObject } from 'nest-offline-sync-protocol';
import { FencedError, LoggedOutError } from './errors.ts';
import { HeldDocuments, type Held } from './held-documents.ts';
import { readMeta, writeMeta } from './meta.ts';
import type { Conflict, Outcome, Settlement } from './outcome.ts';
import type { Position } from './rules/reader-state.ts';
import { settled, shown, type Strategy } from './rules/chain.ts';
import type { Mutation, RefusedEntry, ViewRow } from './rules/mutation.ts';
import { shapeOf, told, type Shapes } from './rules/migration.ts';
import type { BaseRow, Stores } from './storage.ts';

export const ALL_STORES = ['base', 'view', 'outbox', 'rejected', 'meta'] as const;

/** One transaction on documents and their chains: read once, changed in memory, written at the end. */
export class Work {
  readonly documents: HeldDocuments;
  private readonly settlements: (readonly [string, Settlement])[] = [];
  /** Finished, and not told by the log yet. */
  private readonly aside = new Map<number, Mutation>();
  private readonly ends: number[] = [];
  private readonly conflicts: Conflict[] = [];
  private rejectedChanged = false;
  private isLoaded = false;
  private position: Position | undefined;
  private count: { seq: number; readonly seen: string | null } | undefined;

  constructor(
    readonly stores: Stores,
    private readonly shapes: Shapes,
  ) {
    this.documents = new HeldDocuments(stores);
  }

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

  async document(collection: string, id: DocId): Promise<Held> {
    return this.documents.get(collection, id);
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
    const all = new Map(await this.documents.outbox());
    for (const { chain, nextChain } of this.documents.all()) {
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

  /** What the server has, unless the base has it newer. The generation is that of the load that counts now. */
  async learn(collection: string, rows: readonly BaseRow[]): Promise<void> {
    const all = await this.documents.hold(
      collection,
      rows.map(({ id }) => id),
    );
    for (const row of rows) {
      const held = all.get(row.id) as Held;
      const { nextBase } = held;
      const isNewer =
        !nextBase || nextBase.generation < row.generation || (nextBase.version ?? '') < (row.version ?? '');
      if (isNewer) held.nextBase = row;
    }
  }

  /** What the server had at some time: it proves the row that is here, or replaces an older one. */
  async confirm(collection: string, row: BaseRow): Promise<void> {
    const held = await this.document(collection, row.id);
    if ((held.nextBase?.version ?? '') <= (row.version ?? '')) held.nextBase = row;
  }

  /** Removes rows of the base. */
  async remove(collection: string, ids: readonly DocId[]): Promise<void> {
    const all = await this.documents.hold(collection, ids);
    for (const id of ids) (all.get(id) as Held).nextBase = undefined;
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

  /** What numbers edits and says what was seen when they were made; written at the end. */
  async counter(): Promise<{ seq: number; readonly seen: string | null }> {
    if (!this.count) {
      const { meta } = this.stores;
      const [{ seq }, { seen }] = await Promise.all([readMeta(meta, 'counter'), readMeta(meta, 'clock')]);
      this.count = { seq, seen };
    }
    return this.count;
  }

  /** Where the reader stands from now on. */
  async move(position: Position): Promise<void> {
    this.position = position;
    await writeMeta(this.stores.meta, 'position', position);
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
    for (const held of this.documents.all()) {
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
        if (!isShownAs(chain, nextChain))
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
    if (this.count) writes.push(writeMeta(this.stores.meta, 'counter', { seq: this.count.seq }));
    await Promise.all(writes);
    const { settlements, conflicts, rejectedChanged, isLoaded, position } = this;
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
      ...(position ? { position } : {}),
    };
  }
}

/** Whether the user sees the same of a document after a change of its chain, and the chain has the same mutations. */
function isShownAs(chain: readonly Mutation[], next: readonly Mutation[]): boolean {
  return (
    chain.length === next.length &&
    chain.every(({ seq }, at) => seq === next[at]?.seq) &&
    chain.at(-1)?.after === next.at(-1)?.after
  );
}
