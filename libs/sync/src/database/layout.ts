import type { mongo } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import type { SyncSettings } from '../options/settings';
import { SYNC_FIELDS } from '../codec/stored-document';
import { codeOf, MONGO_CODES } from './errors';
import {
  collectionAdvice,
  unfitForEngine,
  unfitKind,
  UNSCOPED_LIMIT,
  unscopedAdvice,
  type ExistingCollection,
} from './collection-check';
import {
  describeIndex,
  ENGINE_INDEXES,
  missingIndexes,
  SYNCED_COLLECTION_INDEX,
  TOMBSTONE_INDEX,
  type ExistingIndex,
  type IndexSpec,
} from './indexes';

/** A collection that must be there before anything is served, and its indexes apart from `_id`. */
export interface CollectionLayout {
  readonly name: string;
  readonly indexes: readonly IndexSpec[];
}

type LayoutSettings = Pick<
  SyncSettings,
  'oplogCollection' | 'headsCollection' | 'receiptsCollection' | 'leasesCollection' | 'tombstoneTtlDays'
>;

/** Everything that the engine needs in its database: its own collections and the indexes of the synced ones. */
export function databaseLayout(settings: LayoutSettings, synced: readonly string[]): CollectionLayout[] {
  return [
    { name: settings.headsCollection, indexes: ENGINE_INDEXES.heads },
    { name: settings.oplogCollection, indexes: ENGINE_INDEXES.entries },
    { name: settings.receiptsCollection, indexes: ENGINE_INDEXES.receipts },
    { name: settings.leasesCollection, indexes: ENGINE_INDEXES.leases },
    ...synced.map((name) => ({
      name,
      indexes:
        settings.tombstoneTtlDays > 0
          ? [SYNCED_COLLECTION_INDEX, TOMBSTONE_INDEX]
          : [SYNCED_COLLECTION_INDEX],
    })),
  ];
}

/**
 * Makes what is missing; what is there stays as it is, so that any number of processes may do it at once, and again.
 * Never inside, or at the same time as, transactions on these collections: they would fail each other.
 *
 * @returns what was made, described
 * @throws SyncError `configuration` when an index cannot be made, with the reason and the remedy
 */
export async function createLayout(db: mongo.Db, layout: readonly CollectionLayout[]): Promise<string[]> {
  const made: string[] = [];
  for (const { name, indexes } of layout) {
    if (await createCollection(db, name)) made.push(name);
    for (const spec of missingIndexes(indexes, await existingIndexes(db, name))) {
      try {
        await db.collection(name).createIndex(
          { ...spec.key },
          // Said, since a collection's own collation would be taken over, and the engine's queries use none.
          {
            unique: spec.unique ?? false,
            collation: { locale: 'simple' },
            ...(spec.partialFilterExpression
              ? { partialFilterExpression: spec.partialFilterExpression }
              : {}),
          },
        );
      } catch (error) {
        throw explained(error, describeIndex(name, spec));
      }
      made.push(describeIndex(name, spec));
    }
  }
  return made;
}

/** What of the layout is not there, described: collections by their name, indexes with their key. */
export async function missingFromLayout(
  db: mongo.Db,
  layout: readonly CollectionLayout[],
): Promise<string[]> {
  const known = new Set(
    (await db.listCollections({}, { nameOnly: true }).toArray()).map((collection) => collection.name),
  );
  const missing: string[] = [];
  for (const { name, indexes } of layout) {
    if (!known.has(name)) missing.push(name);
    const absent = missingIndexes(indexes, known.has(name) ? await existingIndexes(db, name) : []);
    missing.push(...absent.map((spec) => describeIndex(name, spec)));
  }
  return missing;
}

/**
 * Makes sure that what is there already can hold a log and synced documents.
 *
 * @throws SyncError `configuration`, naming the collection and the remedy
 */
export async function refuseUnfit(
  db: mongo.Db,
  settings: LayoutSettings,
  synced: readonly string[],
): Promise<void> {
  const faults: string[] = [];
  for (const { name } of databaseLayout(settings, [])) {
    const existing = await existingCollection(db, name);
    const usable = existing && unfitKind(existing) === undefined;
    const fault = existing && unfitForEngine(existing, usable ? await existingIndexes(db, name) : []);
    if (fault !== undefined) faults.push(fault);
  }
  for (const name of synced) {
    const fault = await unfitCollection(db, name);
    if (fault !== undefined) faults.push(fault);
  }
  if (faults.length > 0) throw new SyncError('configuration', `SyncModule: ${faults.join('. ')}.`);
}

/** Why no synced documents can live in a collection as it stands in the database, with the remedy. */
export async function unfitCollection(db: mongo.Db, name: string): Promise<string | undefined> {
  const existing = await existingCollection(db, name);
  return existing && unfitKind(existing);
}

/**
 * What of a synced collection will hurt, as it stands in the database: a sentence each, with the remedy.
 *
 * @param isCaptured what MongoDB deletes by itself is recorded
 */
export async function adviceFor(db: mongo.Db, name: string, isCaptured = false): Promise<string[]> {
  const existing = (await existingCollection(db, name)) ?? { name };
  return [
    ...collectionAdvice(existing, await existingIndexes(db, name), isCaptured),
    ...unscopedAdvice(name, await countUnscoped(db, name)),
  ];
}

/** Undefined when it is not there, or the database's user may not look. */
async function existingCollection(db: mongo.Db, name: string): Promise<ExistingCollection | undefined> {
  try {
    const [found] = await db.listCollections({ name }, { authorizedCollections: true }).toArray();
    return found;
  } catch (error) {
    if (codeOf(error) === MONGO_CODES.Unauthorized) return undefined;
    throw error;
  }
}

/** By the index of the scope, and no further than asked: a large collection is not read for it. */
async function countUnscoped(db: mongo.Db, name: string): Promise<number> {
  const scope = SYNC_FIELDS.scope;
  try {
    return await db.collection(name).countDocuments(
      // A scope of another type than text is none either; each type is a range of the index.
      {
        $or: [
          { [scope]: null },
          { [scope]: { $type: ['number', 'objectId', 'binData', 'bool', 'date', 'object'] } },
        ],
      },
      {
        limit: UNSCOPED_LIMIT,
        hint: { ...SYNCED_COLLECTION_INDEX.key },
        collation: { locale: 'simple' },
        maxTimeMS: COUNT_LIMIT_MS,
        readPreference: 'primary',
      },
    );
  } catch (error) {
    // It only helps: the app starts without it.
    if (codeOf(error) !== undefined) return 0;
    throw error;
  }
}

/** The indexes of a collection; none when there is no such collection. */
export async function existingIndexes(db: mongo.Db, name: string): Promise<ExistingIndex[]> {
  try {
    return (await db.collection(name).listIndexes().toArray()) as ExistingIndex[];
  } catch (error) {
    if (codeOf(error) === MONGO_CODES.NamespaceNotFound) return [];
    throw error;
  }
}

/** Longest that the count of documents without a scope may take. Milliseconds. */
const COUNT_LIMIT_MS = 2_000;

async function createCollection(db: mongo.Db, name: string): Promise<boolean> {
  try {
    await db.createCollection(name, { writeConcern: { w: 'majority' } });
    return true;
  } catch (error) {
    if (codeOf(error) === MONGO_CODES.NamespaceExists) return false;
    throw explained(error, name);
  }
}

const REASONS: Readonly<Record<number, string>> = {
  [MONGO_CODES.Unauthorized]:
    "the database's user may not. Grant it readWrite, or run `nest-offline-sync init` with one that may and set autoIndex: false",
  [MONGO_CODES.IndexOptionsConflict]:
    'another index with the same key but other options stands in its way. Drop that one',
  [MONGO_CODES.IndexKeySpecsConflict]: 'another index with the same name stands in its way. Drop that one',
  [MONGO_CODES.CommandNotSupportedOnView]: 'this is a view. Sync the collection behind it',
  [MONGO_CODES.DuplicateKey]:
    'the collection holds documents that contradict it. Is this the log of another program?',
};

/** The server's own words are left out: they may quote values. */
function explained(error: unknown, what: string): unknown {
  const reason = REASONS[codeOf(error) ?? 0];
  if (reason === undefined) return error;
  return new SyncError('configuration', `SyncModule: ${what} cannot be made: ${reason}.`, { cause: error });
}
