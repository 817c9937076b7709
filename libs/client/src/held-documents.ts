import type { DocId } from 'nest-offline-sync-protocol';
import { byCollection } from './by-collection.ts';
import type { Mutation, ViewRow } from './rules/mutation.ts';
import type { BaseRow, Stores } from './storage.ts';

/** A document as a transaction has found it, and as it leaves it. */
export interface Held {
  readonly collection: string;
  readonly id: DocId;
  readonly base: BaseRow | undefined;
  readonly chain: readonly Mutation[];
  nextBase: BaseRow | undefined;
  nextChain: readonly Mutation[];
}

/** From so many on all that is not finished is read: one request. */
const MANY = 50;

/** The documents that a transaction works on. Each is read once, many at a time: a question to the storage costs more than its answer. */
export class HeldDocuments {
  private readonly held = new Map<string, Map<DocId, Held>>();
  /** The outbox as it is stored, by `seq`, once all of it was read. */
  private stored: ReadonlyMap<number, Mutation> | undefined;

  constructor(private readonly stores: Pick<Stores, 'base' | 'view' | 'outbox'>) {}

  /** Reads what is needed soon. @returns all that is held of the collection */
  async hold(collection: string, ids: readonly DocId[]): Promise<ReadonlyMap<DocId, Held>> {
    const held = this.held.get(collection) ?? new Map<DocId, Held>();
    this.held.set(collection, held);
    const missing = [...new Set(ids)].filter((id) => !held.has(id));
    if (missing.length === 0) return held;
    const [rows, views] = await Promise.all([
      this.stores.base.get(collection, missing),
      this.views(collection, missing),
    ]);
    const mutations = await this.mutations(views.flatMap((row) => row?.chain ?? []));
    for (const [at, id] of missing.entries()) {
      const [row, chain] = [rows[at], (views[at]?.chain ?? []).map((seq) => mutations.get(seq) as Mutation)];
      held.set(id, { collection, id, base: row, chain, nextBase: row, nextChain: chain });
    }
    return held;
  }

  /** The documents of mutations, as {@link hold}. */
  async holdAll(mutations: readonly Pick<Mutation, 'collection' | 'doc'>[]): Promise<void> {
    for (const [collection, some] of byCollection(mutations))
      await this.hold(
        collection,
        some.map(({ doc }) => doc),
      );
  }

  async get(collection: string, id: DocId): Promise<Held> {
    const held = this.held.get(collection)?.get(id);
    return held ?? ((await this.hold(collection, [id])).get(id) as Held);
  }

  *all(): Generator<Held> {
    for (const held of this.held.values()) yield* held.values();
  }

  async outbox(): Promise<ReadonlyMap<number, Mutation>> {
    const all = async () => (await this.stores.outbox.range()) as readonly (readonly [number, Mutation])[];
    return (this.stored ??= new Map(await all()));
  }

  private async mutations(seqs: readonly number[]): Promise<ReadonlyMap<number, Mutation>> {
    if (this.stored || seqs.length >= MANY) return this.outbox();
    const some = seqs.map(async (seq) => [seq, (await this.stores.outbox.get(seq)) as Mutation] as const);
    return new Map(await Promise.all(some));
  }

  /** Few documents have edits on them: where many are asked about, one request that gives all of those is cheaper. */
  private async views(collection: string, ids: readonly DocId[]): Promise<(ViewRow | undefined)[]> {
    const { view } = this.stores;
    const limit = 4 * ids.length;
    const all = ids.length < MANY ? undefined : await view.scan(collection, { limit });
    if (!all || all.length === limit)
      return Promise.all(ids.map((id) => view.get(collection, id) as Promise<ViewRow | undefined>));
    const rows = new Map(all as readonly (readonly [DocId, ViewRow])[]);
    return ids.map((id) => rows.get(id));
  }
}
