import mongoose from 'mongoose';
import { SYNC_FIELDS } from '../codec/stored-document';
import { SYNCED_COLLECTION_INDEX } from '../database/indexes';
import { scopeIn } from '../plan/foreign';
import { pause, within } from '../database/waiting';
import { unscoped } from '../admin/unscoped-walk';
import type { ComparedCollection } from './compared-collection';
import type { Finding } from './difference';
import { keyOf } from './moment';

const EXAMPLES = 5;
const LIMIT_MS = 120_000;
/** Between two looks. Milliseconds. */
const SETTLE_MS = 2_000;
const HELD = 5000;
/** Everything but texts. Each type is a range of the index. */
const NO_SCOPE = {
  $or: [
    { [SYNC_FIELDS.scope]: null },
    { [SYNC_FIELDS.scope]: { $type: ['number', 'objectId', 'binData', 'bool', 'date', 'object'] } },
  ],
};
const BY_SCOPE = { hint: { ...SYNCED_COLLECTION_INDEX.key }, collation: { locale: 'simple' } };

/** Documents of a synced collection that are in no scope: no device has them. */
export interface UnscopedDocuments {
  readonly collection: string;
  readonly count: number;
  /** Some of their ids, as Extended JSON. */
  readonly examples: readonly string[];
}

/** @returns undefined when there is none */
export async function countUnscoped({
  name,
  store,
}: ComparedCollection): Promise<UnscopedDocuments | undefined> {
  const count = await within(LIMIT_MS, () => store.countDocuments(NO_SCOPE, BY_SCOPE));
  if (count === 0) return undefined;
  const rows = await within(LIMIT_MS, () =>
    store.find(NO_SCOPE, { ...BY_SCOPE, projection: { _id: 1 }, limit: EXAMPLES }).toArray(),
  );
  const examples = rows.map((row) =>
    mongoose.mongo.BSON.EJSON.stringify(row['_id'], { relaxed: true }).slice(0, 200),
  );
  return { collection: name, count, examples };
}

/** A document in no scope, and the one that its scope field names. */
export interface Named {
  readonly scope: string;
  readonly finding: Finding;
}

/**
 * Documents without a scope whose scope field names one, and that nobody takes in meanwhile. So many of their ids are held at
 * a time.
 */
export async function* namedOnly(
  { store, scopeField, livesIn }: ComparedCollection,
  signal: AbortSignal,
): AsyncGenerator<readonly Named[]> {
  if (scopeField === undefined) return;
  let held: Named[] = [];
  for await (const batch of unscoped(store, {})) {
    for (const { document } of batch) {
      const scope = scopeIn(document, scopeField);
      const storedId = document['_id'];
      const finding = {
        storedId,
        key: keyOf(storedId),
        what: 'no scope',
        document: null,
        log: null,
      } as const;
      if (scope !== undefined && livesIn(scope)) held.push({ scope, finding });
    }
    if (held.length < HELD) continue;
    yield await still(store, held, signal);
    held = [];
  }
  yield await still(store, held, signal);
}

async function still(
  store: ComparedCollection['store'],
  held: readonly Named[],
  signal: AbortSignal,
): Promise<Named[]> {
  if (held.length === 0) return [];
  await pause(SETTLE_MS, signal);
  const keys = await unscopedOf(store, held);
  return signal.aborted ? [] : held.filter(({ finding }) => keys.has(finding.key));
}

/** Which of them are in no scope now. */
export async function unscopedOf(
  store: ComparedCollection['store'],
  named: readonly Named[],
): Promise<Set<string>> {
  const ids = named.map(({ finding }) => finding.storedId) as never[];
  const rows = await within(LIMIT_MS, () =>
    store.find({ _id: { $in: ids }, [SYNC_FIELDS.scope]: null }, { projection: { _id: 1 } }).toArray(),
  );
  return new Set(rows.map((row) => keyOf(row['_id'])));
}
