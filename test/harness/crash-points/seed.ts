import type { mongo } from 'mongoose';
import type { Case } from './case';
import type { Recording } from './recording';
import type { ScopeTruth, Truth } from './truth';

/**
 * What a case begins with: what the seed of its kind left in the recorded run, under the case's own names. Thousands of
 * runs begin alike and quickly. Versions belong to a scope, and may be the same in another one.
 */
export function seedFor(on: Case, { on: recorded, seed, versions }: Recording): Truth {
  const renamed = <T>(value: T): T => renamedIn(value, recorded.prefix, on.prefix) as T;
  Object.assign(on.versions, renamed(versions));
  on.preparePushes();
  return new Map([...seed.values()].map(renamed).map((truth): [string, ScopeTruth] => [truth.scope, truth]));
}

export async function storeSeeds(db: mongo.Db, seeds: readonly Truth[]): Promise<void> {
  const rows = new Map<string, mongo.Document[]>();
  const add = (collection: string, row: mongo.Document): void => {
    const known = rows.get(collection);
    if (known) known.push(row);
    else rows.set(collection, [row]);
  };
  for (const { head, entries, receipts, documents } of seeds.flatMap((seed) => [...seed.values()])) {
    if (head) add('sync_heads', head);
    for (const { _id, ...entry } of entries) add('sync_oplog', entry);
    for (const receipt of receipts) add('sync_receipts', receipt);
    for (const { collection, ...row } of documents) add(collection, row);
  }
  for (const [collection, some] of rows) await db.collection(collection).insertMany(some);
}

/** Keys too: versions are kept by document id. Dates and other values stay unchanged. */
function renamedIn(value: unknown, from: string, to: string): unknown {
  if (typeof value === 'string') return value.replaceAll(from, to);
  if (Array.isArray(value)) return value.map((part) => renamedIn(part, from, to));
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [key.replaceAll(from, to), renamedIn(part, from, to)]),
  );
}
