/** An index as plain data: what the module makes at start, what `nest-offline-sync init` makes, what `status` looks for. */
export interface IndexSpec {
  readonly key: Readonly<Record<string, 1 | -1>>;
  readonly unique?: true;
  readonly partialFilterExpression?: Readonly<Record<string, unknown>>;
}

/** The engine's collections by the part they play. The settings give each its name. */
export type EngineCollection = 'heads' | 'entries' | 'receipts' | 'leases';

/**
 * The indexes of the engine's own collections, apart from `_id`. None expires anything: a TTL index would remove entries
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

/**
 * Of each synced collection whose tombstones are removed: those of a scope, oldest first. It holds tombstones alone, and all
 * that is asked of it, so that looking for old ones reads no document.
 */
export const TOMBSTONE_INDEX: IndexSpec = {
  key: { _sync_scope_id: 1, _sync_deleted: 1, _sync_version: 1 },
  partialFilterExpression: { _sync_deleted: true },
};

export interface Collation {
  readonly locale?: string;
  readonly strength?: number;
  readonly alternate?: string;
  readonly numericOrdering?: boolean;
}

/** An index as `listIndexes` describes it. */
export interface ExistingIndex {
  readonly name: string;
  readonly key: Readonly<Record<string, unknown>>;
  readonly unique?: boolean;
  readonly sparse?: boolean;
  readonly hidden?: boolean;
  readonly collation?: Collation;
  readonly expireAfterSeconds?: number;
  readonly partialFilterExpression?: Readonly<Record<string, unknown>>;
}

/** Which of the wanted indexes no existing one stands for. */
export function missingIndexes(
  wanted: readonly IndexSpec[],
  existing: readonly ExistingIndex[],
): IndexSpec[] {
  return wanted.filter((spec) => !existing.some((index) => standsFor(index, spec)));
}

/** The order of the fields counts; an index that leaves documents out, or orders them by a language, is another. */
function standsFor(index: ExistingIndex, spec: IndexSpec): boolean {
  return (
    JSON.stringify(index.key) === JSON.stringify(spec.key) &&
    Boolean(index.unique) === Boolean(spec.unique) &&
    !index.sparse &&
    !index.hidden &&
    !index.collation &&
    JSON.stringify(index.partialFilterExpression) === JSON.stringify(spec.partialFilterExpression)
  );
}

/** The index that every collection has, whatever a clustered one calls it. */
export function isIdIndex({ key }: ExistingIndex): boolean {
  return Object.keys(key).join() === '_id';
}

/** How an index is called in messages and on the command line. */
export function describeIndex(collection: string, { key, unique }: IndexSpec): string {
  return `${collection} ${JSON.stringify(key)}${unique ? ' unique' : ''}`;
}

/**
 * What is wrong with the unique indexes that the app has on a synced collection: without the scope in front one
 * tenant's value blocks another's (and tells of it), and deleted documents stay as tombstones, so that two of them
 * collide unless the index leaves them out.
 */
export function uniqueIndexAdvice(collection: string, existing: readonly ExistingIndex[]): string[] {
  return existing
    .filter((index) => index.unique && !isIdIndex(index))
    .flatMap((index) => {
      const faults: string[] = [];
      if (Object.keys(index.key)[0] !== '_sync_scope_id')
        faults.push('does not begin with _sync_scope_id: a value of one scope blocks the others');
      if (index.partialFilterExpression?.['_sync_deleted'] !== false && !leavesTombstonesOut(index))
        faults.push('counts deleted documents: they stay as tombstones and keep their values');
      if (faults.length === 0) return [];
      const key = { _sync_scope_id: 1, ...index.key };
      return [
        `The unique index ${index.name} of ${collection} ${faults.join(', and ')}. ` +
          `Make it ${JSON.stringify(key)} with { unique: true, partialFilterExpression: { _sync_deleted: false } }.`,
      ];
    });
}

/** A tombstone has no field of the app's: a sparse index has it only by a field of the engine's. */
function leavesTombstonesOut({ sparse, key }: ExistingIndex): boolean {
  return sparse === true && !Object.keys(key).some((field) => field === '_id' || field.startsWith('_sync_'));
}
