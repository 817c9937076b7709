import type { Rejection } from 'nest-offline-sync-protocol';
import type { StoredDocument } from '../codec/stored-document';
import { Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import type { SyncedCollection } from '../collections/collection';
import { CollectionRegistry } from '../collections/collection-registry';
import { existingIndexes } from '../database/layout';
import { OplogRepository } from '../log/oplog';
import { ID_UNAVAILABLE } from '../plan/decisions';
import { certain, foreseeDuplicates, type Foreseen, type Occupancy, type UnitOf } from './foreseen';
import {
  documentKey,
  targetOf,
  type Plan,
  type PlannedWrite,
  type PlanRequest,
  type PreparedChange,
} from '../plan/plan';
import { NOT_UNIQUE } from './refused-write';
import { keysOf, textsIn, uniqueIndexes, type IndexKey, type UniqueIndex } from './unique-keys';
import { matching, sameTexts } from './unstored-documents';
import { earlierWrites } from '../plan/recording';

/** Gives one text for all that an index takes for the same. */
type Same = (text: string) => string;

/** Foresees which of a push's documents the unique indexes will refuse: all at once, where the database says one at a time. */
@Injectable()
export class TakenValues {
  constructor(
    private readonly oplog: OplogRepository,
    private readonly collections: CollectionRegistry,
  ) {}

  /**
   * @param plan of the request, not written yet
   * @param session with the plan's transaction: who holds a value is read in its snapshot
   * @returns the rejections, by the indexes of their changes
   */
  async foresee(
    session: mongo.ClientSession,
    plan: Plan,
    { changes }: PlanRequest,
  ): Promise<Map<number, Rejection>> {
    const units = unitsOf(changes);
    const refused: (Foreseen & { readonly rejection: Rejection })[] = [];
    const earlier = earlierWrites(plan);
    for (const name of new Set(plan.writes.map(({ collection }) => collection))) {
      const collection = this.collections.get(name);
      if (!collection) continue;
      const writes = plan.writes.filter((write) => write.collection === name);
      const all = writes.flatMap((write) => [...(earlier.get(write.key) ?? []), write]);
      const found = await existingIndexes(this.oplog.db, collection.store.collectionName);
      const [ofIds, ofValues] = [true, false].map((isId) =>
        uniqueIndexes(found).filter((index) => (index.name === '_id_') === isId),
      ) as [UniqueIndex[], UniqueIndex[]];
      for (const [indexes, rejection] of [
        [ofIds, ID_UNAVAILABLE],
        [ofValues, NOT_UNIQUE],
      ] as const) {
        const occupancies: Occupancy[] = [];
        for (const index of indexes) occupancies.push(await this.occupancy(session, collection, index, all));
        for (const each of foreseeDuplicates(writes, earlier, occupancies, units.of))
          refused.push({ ...each, rejection });
      }
    }
    const sure = new Set(certain(refused, units.of, units.all, units.documentsOf));
    return new Map(
      refused.filter((each) => sure.has(each)).map(({ change, rejection }) => [change, rejection]),
    );
  }

  private async occupancy(
    session: mongo.ClientSession,
    { name, store, ids }: SyncedCollection,
    index: UniqueIndex,
    writes: readonly PlannedWrite[],
  ): Promise<Occupancy> {
    const held = index.filter
      ? ((await matching(this.oplog.db, writes, index.filter, index.collation)) ?? [])
      : writes;
    const plainKeys = held.flatMap(({ document }) => keysOf(document, index, asItIs));
    const stored = plainKeys.length === 0 ? [] : await readHolders(store, session, index, plainKeys);
    const documents = [...held.map(({ document }) => document), ...stored];
    const same = await this.sameness(index, documents);
    const keys = new Map(held.map(({ document }) => [document, textsOf(keysOf(document, index, same))]));
    const holders = new Map<string, string>();
    for (const row of stored)
      for (const { text } of keysOf(row, index, same))
        holders.set(text, documentKey(name, row['_id'], ids.toWire(row['_id'])));
    return { keysOf: (document) => keys.get(document as PlannedWrite['document']) ?? [], holders };
  }

  /** Gives one text for all that a collation takes for the same, among those in the documents. */
  private async sameness(index: UniqueIndex, documents: readonly StoredDocument[]): Promise<Same> {
    if (!index.collation) return asItIs;
    const texts = new Set<string>();
    for (const document of documents)
      for (const { values } of keysOf(document, index, asItIs))
        for (const text of textsIn(values)) texts.add(text);
    const same = await sameTexts(this.oplog.db, texts, index.collation);
    return (text) => same?.get(text) ?? text;
  }
}

/** The changes that stand or fall together, by the index of their first. */
function unitsOf(changes: readonly PreparedChange[]): {
  readonly of: UnitOf;
  readonly all: readonly number[];
  readonly documentsOf: (unit: number) => readonly string[];
} {
  const firsts: number[] = [];
  const groups = new Map<number, string[]>();
  changes.forEach((change, index) => {
    const { group } = change;
    const first =
      group !== undefined && group === changes[index - 1]?.group ? (firsts[index - 1] ?? index) : index;
    firsts.push(first);
    // A change that stands alone takes no other along.
    const key = group === undefined ? undefined : targetOf(change)?.key;
    if (key === undefined) return;
    const keys = groups.get(first);
    if (keys) keys.push(key);
    else groups.set(first, [key]);
  });
  return {
    of: (change) => firsts[change] ?? change,
    all: [...groups.keys()],
    documentsOf: (unit) => groups.get(unit) ?? [],
  };
}

/** Each that may hold one of the keys: more than do, where an index has several fields. */
function readHolders(
  store: mongo.Collection<StoredDocument>,
  session: mongo.ClientSession,
  { name, paths, filter, collation }: UniqueIndex,
  keys: readonly IndexKey[],
): Promise<StoredDocument[]> {
  const each = paths.map((path, at) => ({
    [path]: { $in: [...new Set(keys.map(({ values }) => values[at]))] },
  }));
  const query = { $and: [...each, ...(filter ? [filter] : [])] } as mongo.Filter<StoredDocument>;
  return store
    .find(query, {
      session,
      hint: name,
      projection: Object.fromEntries(paths.map((path) => [path, 1])),
      ...(collation
        ? { collation: collation as mongo.CollationOptions }
        : { collation: { locale: 'simple' } }),
    })
    .toArray();
}

function textsOf(keys: readonly IndexKey[]): string[] {
  return keys.map(({ text }) => text);
}

function asItIs(text: string): string {
  return text;
}
