import mongoose, { type mongo } from 'mongoose';
import type { LogChange } from 'nest-offline-sync-protocol';
import { ownFields } from '../app-writes/target';
import { unlessCopied } from '../codec/copied-document';
import { contentHash } from '../codec/content-hash';
import { SYNC_FIELDS, type StoredDocument, type StoredId } from '../codec/stored-document';
import type { SyncedCollection } from '../collections/collection';
import { within } from '../database/waiting';
import type { OplogRepository } from '../log/oplog';
import { scopeIn } from '../plan/foreign';
import type { Observed } from '../plan/observed';
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
  // First, while the log tells where a document was: a document that has moved is taken in elsewhere below.
  for await (const { _id: scopeId } of oplog.heads.find({}, { projection: { _id: 1 } }))
    for await (const newest of newestEntries(oplog, collection, scopeId)) {
      const found = await departed(oplog, collection, scopeId, newest);
      if (found.length > 0) yield found;
    }
  for (let from: StoredId = new MinKey(); ;) {
    const rows = await page(collection.store, from);
    const found = rows.flatMap((row) => sightingOf(collection, row) ?? []);
    if (found.length > 0) yield found;
    if (rows.length < BATCH) break;
    from = rows.at(-1)?.['_id'];
  }
}

/** The first of a page is the last of the one before: looked at twice, it does no harm. */
function page(store: mongo.Collection<StoredDocument>, from: StoredId): Promise<StoredDocument[]> {
  return within(LIMIT_MS, () =>
    store
      .find({}, { hint: { _id: 1 }, min: { _id: from }, max: { _id: new MaxKey() }, limit: BATCH })
      .toArray(),
  );
}

function sightingOf(collection: SyncedCollection, found: StoredDocument): Sighting | undefined {
  const { scopeField } = collection.rules.capture ?? {};
  const row = unlessCopied(found, scopeField);
  const more = scopeField === undefined ? {} : { scopeField };
  const storedId = row['_id'];
  const scopeId = scopeOf(row);
  if (scopeId === undefined) {
    const named = scopeField === undefined ? undefined : scopeIn(row, scopeField);
    const isFree = (row[SYNC_FIELDS.scope] ?? null) === null;
    return named === undefined || !isFree
      ? undefined
      : { scopeId: named, collection, storedId, bytes: sizeOf(row), observed: more };
  }
  if (row[SYNC_FIELDS.deleted] === true) return undefined;
  const hash = row[SYNC_FIELDS.hash];
  const version = row[SYNC_FIELDS.version];
  // Without a hash nobody knows: what was written before the collection was captured is recorded once.
  if (typeof hash !== 'string') {
    const since = typeof version === 'string' ? version : '';
    return { scopeId, collection, storedId, bytes: sizeOf(row), observed: { ...more, since } };
  }
  if (hash === contentHash(ownFields(row))) return undefined;
  return { scopeId, collection, storedId, bytes: sizeOf(row), observed: more };
}

function sizeOf(row: StoredDocument): number {
  return mongoose.mongo.BSON.calculateObjectSize(row);
}

interface Newest {
  readonly _id: StoredId;
  readonly operation: string;
  readonly version: string;
}

/** The newest entry of each document of which that is no delete, in batches. */
async function* newestEntries(
  { entries }: OplogRepository,
  { name }: SyncedCollection,
  scopeId: string,
): AsyncGenerator<Newest[]> {
  const cursor = entries.aggregate<Newest>(
    [
      { $match: { scope: scopeId, collection: name } },
      { $sort: { scope: 1, collection: 1, doc: 1, version: -1 } },
      {
        $group: { _id: '$doc', operation: { $first: '$operation' }, version: { $first: '$version' } },
      },
      { $match: { operation: 'upsert' } },
    ],
    { allowDiskUse: true, batchSize: BATCH, ...{ promoteBuffers: false } },
  );
  let batch: Newest[] = [];
  for await (const newest of cursor) {
    batch.push(newest);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Those of a scope's documents that are not there any more: deleted, in another scope, or written without their fields of sync. */
async function departed(
  oplog: OplogRepository,
  collection: SyncedCollection,
  scopeId: string,
  newest: readonly Newest[],
): Promise<Sighting[]> {
  const { scopeField } = collection.rules.capture ?? {};
  const { scope, owner } = SYNC_FIELDS;
  const projection = { [scope]: 1, [owner]: 1, ...(scopeField === undefined ? {} : { [scopeField]: 1 }) };
  const ids = newest.map(({ _id }) => _id) as never[];
  const rows = await within(LIMIT_MS, () =>
    collection.store.find({ _id: { $in: ids } }, { projection }).toArray(),
  );
  const there = new Map(rows.map((row) => [keyOf(row['_id']), unlessCopied(row, scopeField)]));
  const found: Sighting[] = [];
  for (const entry of newest) {
    const row = there.get(keyOf(entry._id));
    const observed = await whatBecameOf(oplog, collection, scopeId, entry, row);
    if (observed)
      found.push({ scopeId, collection, storedId: entry._id, observed: { ...observed, wasHere: true } });
  }
  return found;
}

async function whatBecameOf(
  oplog: OplogRepository,
  collection: SyncedCollection,
  scopeId: string,
  { _id, version }: Newest,
  row: StoredDocument | undefined,
): Promise<Observed | undefined> {
  if (!row) return { isGone: true };
  const { scopeField } = collection.rules.capture ?? {};
  const scope = row[SYNC_FIELDS.scope] ?? null;
  if (typeof scope === 'string' && scope !== scopeId) return { hasLeft: true };
  if (scopeField === undefined) return scope === null ? { since: version } : undefined;
  const named = scopeIn(row, scopeField);
  if (scope === null)
    return named === scopeId ? { scopeField, since: version } : { scopeField, moved: { to: named } };
  if (scope !== scopeId || named === scopeId) return undefined;
  // A device may have written the field, which moves nothing: only what differs from the entry is the app's.
  const recorded = await recordedScope(oplog, collection, scopeId, _id, scopeField);
  return recorded === named ? undefined : { scopeField, moved: { to: named } };
}

async function recordedScope(
  { entries }: OplogRepository,
  { name }: SyncedCollection,
  scope: string,
  doc: StoredId,
  scopeField: string,
): Promise<string | undefined> {
  const entry = await within(LIMIT_MS, () =>
    entries.findOne(
      { scope, collection: name, doc },
      { sort: { version: -1 }, projection: { _id: 0, wire: 1 } },
    ),
  );
  const data = entry && (JSON.parse(entry.wire) as LogChange).data;
  return data ? scopeIn(data, scopeField) : undefined;
}
