import mongoose, { type mongo } from 'mongoose';
import { SYNC_FIELDS, type StoredDocument, type StoredId } from '../codec/stored-document';
import { SyncError } from 'nest-offline-sync-protocol';
import { codeOf, MONGO_CODES } from '../database/errors';
import { SYNCED_COLLECTION_INDEX } from '../database/indexes';
import { within } from '../database/waiting';

const { MinKey, MaxKey } = mongoose.mongo;
/** Documents, and bytes of them: what is held at a time. */
const BATCH = 2000;
const BATCH_BYTES = 8 << 20;
const LIMIT_MS = 120_000;

type Store = mongo.Collection<StoredDocument>;

/** A document, and its size as BSON. */
export interface Sized {
  readonly document: StoredDocument;
  readonly bytes: number;
}

/** The documents of a collection that have no scope, in the order of their ids, of whatever types these are. */
export async function* unscoped(store: Store, where: object): AsyncGenerator<Sized[]> {
  for (let from: StoredId = new MinKey(); ;) {
    const { batch, isLast } = await within(LIMIT_MS, () => readBatch(store, where, from));
    if (batch.length > 0) yield batch;
    if (isLast) return;
    from = batch.at(-1)?.document['_id'];
  }
}

/** How many there are, for a progress bar. */
export function countUnscoped(store: Store, where: object): Promise<number> {
  return store.countDocuments(
    { [SYNC_FIELDS.scope]: null, ...where },
    { hint: { ...SYNCED_COLLECTION_INDEX.key }, collation: { locale: 'simple' } },
  );
}

async function readBatch(
  store: Store,
  where: object,
  from: StoredId,
): Promise<{ batch: Sized[]; isLast: boolean }> {
  const cursor = store.find(where, {
    hint: { ...SYNCED_COLLECTION_INDEX.key },
    // By the bounds of the index, which compare ids of all types. The first is included.
    min: { [SYNC_FIELDS.scope]: null, _id: from },
    max: { [SYNC_FIELDS.scope]: null, _id: new MaxKey() },
    collation: { locale: 'simple' },
    batchSize: BATCH,
  });
  const batch: Sized[] = [];
  let total = 0;
  try {
    let isFirst = true;
    for await (const document of cursor) {
      // The last of the batch before, unless it has a scope by now.
      const isSeen = isFirst && isSameId(document['_id'], from);
      isFirst = false;
      if (isSeen) continue;
      const bytes = mongoose.mongo.BSON.calculateObjectSize(document);
      batch.push({ document, bytes });
      total += bytes;
      if (batch.length === BATCH || total > BATCH_BYTES) return { batch, isLast: false };
    }
    return { batch, isLast: true };
  } catch (error) {
    // The hint names an index that is not there.
    if (codeOf(error) !== MONGO_CODES.BadValue) throw error;
    throw new SyncError(
      'configuration',
      `Collection ${store.collectionName} lacks the index of scopes: somebody has made it again, or dropped the index. ` +
        'Each start of the app, or of the command, makes it: start again.',
      { cause: error },
    );
  } finally {
    await cursor.close();
  }
}

function isSameId(id: StoredId, from: StoredId): boolean {
  if (from instanceof MinKey) return false;
  const { EJSON } = mongoose.mongo.BSON;
  return EJSON.stringify(id) === EJSON.stringify(from);
}
