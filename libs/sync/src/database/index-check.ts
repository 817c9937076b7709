import type { IndexSpec } from './indexes';

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
    !index.partialFilterExpression
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
