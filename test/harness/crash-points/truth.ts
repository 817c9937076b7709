import type { mongo } from 'mongoose';
import type { EntryRecord, HeadRecord, ReceiptRecord } from '../../../libs/sync/src/log/records';

export interface StoredRow {
  readonly collection: string;
  readonly _id: unknown;
  readonly [field: string]: unknown;
}

/** All that the database has of one scope, in majority reads without any code of the engine. */
export interface ScopeTruth {
  readonly scope: string;
  head: HeadRecord | undefined;
  /** By seq. */
  readonly entries: EntryRecord[];
  readonly receipts: ReceiptRecord[];
  /** Of all the collections, by collection and id. */
  readonly documents: StoredRow[];
}
export type Truth = ReadonlyMap<string, ScopeTruth>;

/** The app's own, which is not synced: its documents have the name of their case in their ids. */
export const LEDGER = 'ledger';

/** @param collections the synced ones */
export async function readTruth(
  db: mongo.Db,
  collections: readonly string[],
  scopes: readonly string[],
): Promise<Truth> {
  const truth = new Map<string, ScopeTruth>();
  for (const scope of scopes)
    truth.set(scope, { scope, head: undefined, entries: [], receipts: [], documents: [] });
  const ledgerScopes = new Map(scopes.map((scope) => [scope.replace(/[^-]+$/, 'entry'), scope]));
  for await (const { from, row } of everything(db, collections, scopes, [...ledgerScopes.keys()])) {
    if (from === 'sync_heads') truth.get((row as HeadRecord)._id)!.head = row as HeadRecord;
    else if (from === 'sync_oplog') truth.get((row as EntryRecord).scope)!.entries.push(row as EntryRecord);
    else if (from === 'sync_receipts')
      truth.get((row as ReceiptRecord)._id.scope)!.receipts.push(row as ReceiptRecord);
    else {
      const scope =
        from === LEDGER ? ledgerScopes.get(String(row['_id'])) : (row['_sync_scope_id'] as string);
      truth.get(scope!)!.documents.push({ ...row, collection: from, _id: row['_id'] });
    }
  }
  for (const { entries } of truth.values()) entries.sort((one, other) => one.seq - other.seq);
  return truth;
}

interface Found {
  readonly from: string;
  readonly row: mongo.Document;
}

/** One command for all of them: it is asked at each step of each kind. */
function everything(
  db: mongo.Db,
  collections: readonly string[],
  scopes: readonly string[],
  ledgerIds: readonly string[],
): AsyncIterable<Found> {
  const tagged = (from: string, $match: mongo.Document): mongo.Document[] => [
    { $match },
    { $sort: { _id: 1 } },
    { $project: { _id: 0, from: { $literal: from }, row: '$$ROOT' } },
  ];
  const and = (coll: string, $match: mongo.Document): mongo.Document => ({
    $unionWith: { coll, pipeline: tagged(coll, $match) },
  });
  const $in = [...scopes];
  return db
    .collection('sync_heads', { readConcern: { level: 'majority' } })
    .aggregate<Found>([
      ...tagged('sync_heads', { _id: { $in } }),
      and('sync_oplog', { scope: { $in } }),
      and('sync_receipts', { '_id.scope': { $in } }),
      ...[...collections].sort().map((name) => and(name, { _sync_scope_id: { $in } })),
      and(LEDGER, { _id: { $in: [...ledgerIds] } }),
    ]);
}
