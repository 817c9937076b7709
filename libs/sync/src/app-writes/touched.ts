import { isDeepStrictEqual } from 'node:util';
import { SyncError } from 'nest-offline-sync-protocol';
import { contentHash } from '../codec/content-hash';
import { SYNC_FIELDS, type StoredDocument, type StoredId } from '../codec/stored-document';
import type { SyncedCollection } from '../collections/collection';
import { scopeIn } from '../plan/foreign';
import { documentKey, type ReadyChange } from '../plan/plan';

/** A document that ordinary calls of a transaction have touched, as it was before the first of them. */
export interface Touched {
  /** In whose log it is recorded. */
  readonly scopeId: string;
  /** The body whose calls they were. */
  readonly owner: object;
  readonly collection: SyncedCollection;
  readonly storedId: StoredId;
  /** Undefined: it was not there. */
  readonly before: StandingSummary | undefined;
}

/** As much of a document as tells whether it is another one by now. */
export interface StandingSummary {
  readonly version: unknown;
  readonly hash: string;
  /** The tombstone that it was, as a whole. */
  readonly tombstone?: StoredDocument;
}

/** By {@link keyOf}, in the order in which they were touched first. */
export type TouchedDocuments = Map<string, Touched>;

export function keyOf({ name, ids }: SyncedCollection, storedId: StoredId): string {
  return documentKey(name, storedId, ids.toWire(storedId));
}

/**
 * Notes a document that a call is about to write.
 *
 * @throws SyncError `id_unavailable` for one of another scope, `not_adopted` for one of none: nothing is written yet
 */
export function touch(
  touched: TouchedDocuments,
  { collection, scopeId, owner }: Pick<Touched, 'collection' | 'scopeId' | 'owner'>,
  row: StoredDocument,
): void {
  const key = keyOf(collection, row['_id']);
  const known = touched.get(key);
  if (known) {
    if (known.scopeId !== scopeId) throw foreign(collection);
    return;
  }
  const scope = row[SYNC_FIELDS.scope] ?? null;
  if (scope === null)
    throw new SyncError(
      'not_adopted',
      `A document of collection ${collection.name} that this call would write has no scope yet: bring it into sync first (npx nest-offline-sync adopt).`,
    );
  if (scope !== scopeId) throw foreign(collection);
  const tombstone = isTombstone(row) ? { tombstone: row } : {};
  const before = { version: row[SYNC_FIELDS.version], hash: contentHash(row), ...tombstone };
  touched.set(key, { scopeId, owner, collection, storedId: row['_id'], before });
}

/** Notes a document that a call has made. */
export function touchNew(
  touched: TouchedDocuments,
  { collection, scopeId, owner }: Pick<Touched, 'collection' | 'scopeId' | 'owner'>,
  storedId: StoredId,
): void {
  const key = keyOf(collection, storedId);
  if (!touched.has(key)) touched.set(key, { scopeId, owner, collection, storedId, before: undefined });
}

/** What becomes of a touched document: a change to record, or a tombstone to put back, which devices know already. */
export type Outcome = { readonly change: ReadyChange } | { readonly restore: StoredDocument } | undefined;

/**
 * @param row as the transaction has the document now; undefined: it is not there
 * @returns undefined where nothing has changed
 * @throws SyncError `id_unavailable`, `invalid_doc_id`: the transaction must not be committed
 */
export function outcomeOf(touched: Touched, row: StoredDocument | undefined): Outcome {
  const { collection, before, scopeId } = touched;
  if (!row) {
    if (before?.tombstone) return { restore: before.tombstone };
    return before && { change: observedChange(touched) };
  }
  const scope = row[SYNC_FIELDS.scope] ?? null;
  if (scope !== null && scope !== scopeId) throw foreign(collection);
  if (isTombstone(row)) {
    // What is written on top of a tombstone changes nothing for devices.
    if (before?.tombstone) return scope === null ? { change: observedChange(touched) } : undefined;
    return before && { change: { ...changeTo(touched, 'delete'), byServer: { reserved: undefined } } };
  }
  const isSame = before?.version === row[SYNC_FIELDS.version] && before?.hash === contentHash(row);
  if (before && !before.tombstone && scope !== null && isSame) return undefined;
  expectFit(touched, row);
  return { change: observedChange(touched) };
}

/** @throws SyncError for a document that devices could not have */
function expectFit({ collection, storedId, scopeId }: Touched, row: StoredDocument): void {
  const { name, ids, idMode, rules } = collection;
  const { scopeField } = rules.capture ?? {};
  if (scopeField !== undefined && scopeIn(row, scopeField) !== scopeId)
    throw new SyncError(
      'id_unavailable',
      `A document of collection ${name} would stand in the transaction's scope, and its ${scopeField} names another: move it with tx.move.`,
    );
  if (isDeepStrictEqual(ids.toStored(scopeId, ids.toWire(storedId)), storedId)) return;
  throw new SyncError(
    'invalid_doc_id',
    idMode === 'scoped'
      ? `A new document of collection ${name} has an _id without its scope: make it with sync.storedId().`
      : `A new document of collection ${name} has an _id that devices could not name.`,
  );
}

/** The plan records whatever stands there, also that nothing does. */
function observedChange(touched: Touched): ReadyChange {
  return { ...changeTo(touched, 'upsert'), observed: { again: true, isGone: true, since: '' } };
}

function changeTo({ collection, storedId }: Touched, operation: 'upsert' | 'delete'): ReadyChange {
  const { name, rules, ids } = collection;
  return {
    kind: 'ready',
    collection: name,
    rules: { ...rules, preparesByApp: false },
    operation,
    key: keyOf(collection, storedId),
    storedId,
    wireId: ids.toWire(storedId),
    document: null,
    parent: null,
    hlc: null,
  };
}

function isTombstone(row: StoredDocument): boolean {
  return row[SYNC_FIELDS.deleted] === true;
}

function foreign({ name }: SyncedCollection): SyncError {
  return new SyncError(
    'id_unavailable',
    `A document of collection ${name} that an ordinary call would write is not of the transaction's scope. Filter by _sync_scope_id, or write it in a sync.transaction of its own scope.`,
  );
}
