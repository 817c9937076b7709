import { unlessCopied } from '../codec/copied-document';
import { SYNC_FIELD_PREFIX, SYNC_FIELDS, type StoredDocument } from '../codec/stored-document';
import type { SyncedCollection } from '../collections/collection';
import { within } from '../database/waiting';
import { scopeIn } from '../plan/foreign';
import { scopeOf, type Seen } from './change-events';
import { keyOf, type Sighting } from './observation';

const LIMIT_MS = 30_000;
/** How large a document is, among its fields. */
const SIZE = `${SYNC_FIELD_PREFIX}size`;

/**
 * Whose log each of the documents is looked for in. The documents are read for that as they are by now: what they become
 * after that is another event.
 */
export async function sightingsOf(
  seen: readonly Seen[],
  collectionOf: (name: string) => SyncedCollection | undefined,
  /** Told of a document whose field names no scope. */
  nameless: (collection: SyncedCollection) => void,
): Promise<Sighting[]> {
  const sightings: Sighting[] = [];
  for (const name of new Set(seen.map(({ collection }) => collection))) {
    const collection = collectionOf(name);
    if (!collection) continue;
    const some = seen.filter((one) => one.collection === name);
    const rows = await current(collection, some);
    for (const row of rows.values()) if (namesNone(collection, row)) nameless(collection);
    for (const one of some) {
      const row = rows.get(keyOf(one.storedId));
      const sighting = sightingOf(collection, one, row);
      if (sighting) sightings.push(sighting);
      // Somebody else has taken it into another scope, by the document alone: adopt, or the push of a device there.
      for (const scopeId of one.scopes)
        if (scopeId !== sighting?.scopeId)
          sightings.push({ scopeId, collection, storedId: one.storedId, observed: { hasLeft: true } });
    }
  }
  return sightings;
}

function namesNone({ rules }: SyncedCollection, row: StoredDocument): boolean {
  const { scopeField } = rules.capture ?? {};
  const isLive = row[SYNC_FIELDS.deleted] !== true;
  return scopeField !== undefined && isLive && scopeIn(row, scopeField) === undefined;
}

async function current(
  { store, rules }: SyncedCollection,
  seen: readonly Seen[],
): Promise<Map<string, StoredDocument>> {
  const { scopeField } = rules.capture ?? {};
  const { scope, deleted, owner } = SYNC_FIELDS;
  const projection = {
    [scope]: 1,
    [deleted]: 1,
    [owner]: 1,
    [SIZE]: { $bsonSize: '$$ROOT' },
    ...(scopeField === undefined ? {} : { [scopeField]: 1 }),
  };
  const ids = seen.map(({ storedId }) => storedId) as never[];
  const rows = await within(LIMIT_MS, () => store.find({ _id: { $in: ids } }, { projection }).toArray());
  return new Map(
    rows.map((row) => [keyOf(row['_id']), { ...unlessCopied(row, scopeField), [SIZE]: row[SIZE] }]),
  );
}

function sightingOf(
  collection: SyncedCollection,
  { storedId, moved, scopeId: last, since, isGone }: Seen,
  row: StoredDocument | undefined,
): Sighting | undefined {
  const { scopeField } = collection.rules.capture ?? {};
  const more = scopeField === undefined ? {} : { scopeField };
  // Also if nothing of its scope is in what was deleted: it was replaced as a whole before.
  if (!row)
    return last === undefined
      ? undefined
      : { scopeId: last, collection, storedId, observed: { ...more, isGone: true, wasHere: true } };
  const named = scopeField === undefined ? undefined : scopeIn(row, scopeField);
  const scopeId = scopeOf(row) ?? last ?? named;
  if (scopeId === undefined) return undefined;
  // One that was replaced as a whole is where the app says, whatever it has done to it since.
  const isReplaced = scopeField !== undefined && scopeOf(row) === undefined && named !== undefined;
  const isElsewhere = isReplaced && named !== scopeId;
  const wasHere = scopeOf(row) !== undefined || last !== undefined;
  return {
    scopeId,
    collection,
    storedId,
    bytes: Number(row[SIZE]),
    observed: {
      ...more,
      ...(wasHere ? { wasHere } : {}),
      ...(isGone ? { isGone } : {}),
      ...(since === undefined ? {} : { since }),
      ...(isElsewhere ? { moved: { to: named } } : moved ? { moved } : {}),
    },
  };
}
