import mongoose, { type mongo } from 'mongoose';
import { ownFields } from '../app-writes/target';
import { contentHash } from '../codec/content-hash';
import { SYNC_FIELDS, type StoredDocument, type StoredId } from '../codec/stored-document';
import type { SyncedCollection } from '../collections/collection';
import { within } from '../database/waiting';
import type { OplogRepository } from '../log/oplog';
import { scopeIn } from '../plan/foreign';
import { scopeOf } from './change-events';
import { keyOf, type Sighting } from './observation';

const { MinKey, MaxKey } = mongoose.mongo;
const BATCH = 500;
const LIMIT_MS = 120_000;

/**
 * Every document of a collection that is not as it was recorded, and every one that the log has and the collection has not:
 * where nobody knows what was missed. A batch is held at a time.
 */
export async function* differing(
  oplog: OplogRepository,
  collection: SyncedCollection,
): AsyncGenerator<Sighting[]> {
  for (let from: StoredId = new MinKey(); ;) {
    const rows = await page(collection.store, from);
    const found = rows.flatMap((row) => sightingOf(collection, row) ?? []);
    if (found.length > 0) yield found;
    if (rows.length < BATCH) break;
    from = rows.at(-1)?.['_id'];
  }
  for await (const { _id: scopeId } of oplog.heads.find({}, { projection: { _id: 1 } }))
    yield* gone(oplog, collection, scopeId);
}

/** The first of a page is the last of the one before: looked at twice, it does no harm. */
function page(store: mongo.Collection<StoredDocument>, from: StoredId): Promise<StoredDocument[]> {
  return within(LIMIT_MS, () =>
    store
      .find({}, { hint: { _id: 1 }, min: { _id: from }, max: { _id: new MaxKey() }, limit: BATCH })
      .toArray(),
  );
}

function sightingOf(collection: SyncedCollection, row: StoredDocument): Sighting | undefined {
  const { scopeField } = collection.rules.capture ?? {};
  const more = scopeField === undefined ? {} : { scopeField };
  const storedId = row['_id'];
  const scopeId = scopeOf(row);
  if (scopeId === undefined) {
    const named = scopeField === undefined ? undefined : scopeIn(row, scopeField);
    const isFree = (row[SYNC_FIELDS.scope] ?? null) === null;
    return named === undefined || !isFree
      ? undefined
      : { scopeId: named, collection, storedId, observed: more };
  }
  if (row[SYNC_FIELDS.deleted] === true) return undefined;
  const hash = row[SYNC_FIELDS.hash];
  const version = row[SYNC_FIELDS.version];
  // Without a hash nobody knows: what was written before the collection was captured is recorded once.
  if (typeof hash !== 'string') {
    const since = typeof version === 'string' ? version : '';
    return { scopeId, collection, storedId, observed: { ...more, since } };
  }
  if (hash === contentHash(ownFields(row))) return undefined;
  return { scopeId, collection, storedId, observed: more };
}

/** Documents of which the newest entry is no delete, and that are not there. */
async function* gone(
  { entries }: OplogRepository,
  collection: SyncedCollection,
  scopeId: string,
): AsyncGenerator<Sighting[]> {
  const cursor = entries.aggregate<{ _id: StoredId; operation: string }>(
    [
      { $match: { scope: scopeId, collection: collection.name } },
      { $sort: { scope: 1, collection: 1, doc: 1, version: -1 } },
      { $group: { _id: '$doc', operation: { $first: '$operation' } } },
      { $match: { operation: 'upsert' } },
    ],
    { allowDiskUse: true, batchSize: BATCH, ...{ promoteBuffers: false } },
  );
  let ids: StoredId[] = [];
  const missing = async (): Promise<Sighting[]> => {
    const there = await within(LIMIT_MS, () =>
      collection.store.find({ _id: { $in: ids as never[] } }, { projection: { _id: 1 } }).toArray(),
    );
    const keys = new Set(there.map((row) => keyOf(row['_id'])));
    return ids
      .filter((id) => !keys.has(keyOf(id)))
      .map((storedId) => ({ scopeId, collection, storedId, observed: { isGone: true } }));
  };
  for await (const { _id } of cursor) {
    ids.push(_id);
    if (ids.length < BATCH) continue;
    yield await missing();
    ids = [];
  }
  if (ids.length > 0) yield await missing();
}
