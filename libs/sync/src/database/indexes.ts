/** An index as plain data: what the module makes at start, what `nest-offline-sync init` makes, what `status` looks for. */
export interface IndexSpec {
  readonly key: Readonly<Record<string, 1 | -1>>;
  readonly unique?: true;
}

/** The engine's collections by the part they play. The settings give each its name. */
export type EngineCollection = 'heads' | 'entries' | 'receipts' | 'leases';

/**
 * The indexes of the engine's own collections, beside `_id`. None expires anything: a TTL index would remove entries
 * in the middle of a reader's cursor and would never raise the floor. The scope stands first in the log's indexes, so
 * that it can be the shard key.
 */
export const ENGINE_INDEXES: Readonly<Record<EngineCollection, readonly IndexSpec[]>> = {
  heads: [],
  entries: [
    // The last guard of invariant 2, and the order that trimming removes in.
    { key: { scope: 1, seq: 1 }, unique: true },
    // The order that readers read in.
    { key: { scope: 1, version: 1 }, unique: true },
    // The base of a merge: the newest entry of a document at or below a version.
    { key: { scope: 1, collection: 1, doc: 1, version: -1 } },
  ],
  // Receipts expire by age.
  receipts: [{ key: { at: 1 } }],
  leases: [],
};

/** Of each synced collection: a full resync walks one scope's documents in the order of their ids. */
export const SYNCED_COLLECTION_INDEX: IndexSpec = { key: { _sync_scope_id: 1, _id: 1 } };
