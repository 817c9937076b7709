import type { SyncedCollection } from '../collections/collection';
import { SYNC_FIELDS, type StoredDocument } from '../codec/stored-document';
import { Turns, within } from '../database/waiting';
import type { Sighting } from './observation';

const LIMIT_MS = 30_000;
/** Reads at a time. */
const READS = 8;

/**
 * One document of each scope, to be recorded again: an entry behind the gap that a raised floor leaves in the log, so that
 * those who listen notice it at once. A scope without documents of the collection has none.
 */
export async function wakings(
  collection: SyncedCollection,
  scopeIds: readonly string[],
): Promise<Sighting[]> {
  const turns = new Turns(READS);
  const found = await Promise.all(
    scopeIds.map((scopeId) => turns.run(async () => ({ scopeId, one: await oneOf(collection, scopeId) }))),
  );
  return found.flatMap(({ scopeId, one }) =>
    one ? { scopeId, collection, storedId: one['_id'], observed: { again: true } } : [],
  );
}

function oneOf({ store }: SyncedCollection, scopeId: string): Promise<StoredDocument | null> {
  const filter = { [SYNC_FIELDS.scope]: scopeId, [SYNC_FIELDS.deleted]: false };
  return within(LIMIT_MS, () => store.findOne<StoredDocument>(filter, { projection: { _id: 1 } }));
}
