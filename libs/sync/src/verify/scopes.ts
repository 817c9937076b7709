import { SYNC_FIELDS, type StoredDocument } from '../codec/stored-document';
import { SyncError } from 'nest-offline-sync-protocol';
import { missingIndexes, SYNCED_COLLECTION_INDEX } from '../database/indexes';
import { existingIndexes } from '../database/layout';
import { within } from '../database/waiting';
import type { OplogRepository } from '../log/oplog';
import type { EntryRecord } from '../log/records';
import type { ComparedCollection } from './compared-collection';

const LIMIT_MS = 60_000;

type Next = (from: string, by?: '$gt' | '$gte') => Promise<string | undefined>;

/**
 * Every scope that a head, the log or a document names, in the order of their bytes: also those that have lost their head.
 * One look for each and each place, by the indexes.
 *
 * @param only just this one, if anything names it
 */
export async function* scopesOf(
  oplog: OplogRepository,
  collections: readonly Pick<ComparedCollection, 'store'>[],
  only?: string,
): AsyncGenerator<string> {
  const places = [inHeads(oplog), inLog(oplog), ...collections.map(({ store }) => inStore(store))];
  if (only !== undefined) {
    const found = await Promise.all(places.map((place) => place(only, '$gte')));
    if (found.includes(only)) yield only;
    return;
  }
  const next: (string | undefined)[] = await Promise.all(places.map((place) => place('')));
  for (;;) {
    const scope = lowest(next);
    if (scope === undefined) return;
    yield scope;
    for (const [index, place] of places.entries())
      if (next[index] === scope) next[index] = await place(scope);
  }
}

function lowest(scopes: readonly (string | undefined)[]): string | undefined {
  return scopes
    .filter((scope) => scope !== undefined)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))[0];
}

function inHeads({ heads }: OplogRepository): Next {
  return async (from, by = '$gt') =>
    (
      await within(LIMIT_MS, () =>
        heads.findOne({ _id: { [by]: from } }, { sort: { _id: 1 }, projection: { _id: 1 } }),
      )
    )?._id;
}

function inLog({ entries }: OplogRepository): Next {
  return async (from, by = '$gt') =>
    (
      await within(LIMIT_MS, () =>
        entries.findOne(
          { scope: { [by]: from } },
          { sort: { scope: 1, seq: 1 }, projection: { _id: 0, scope: 1 } },
        ),
      )
    )?.scope;
}

/** Texts alone are scopes. */
function inStore(store: ComparedCollection['store']): Next {
  const { scope } = SYNC_FIELDS;
  return async (from, by = '$gt') => {
    const row: StoredDocument | null = await within(LIMIT_MS, () =>
      store.findOne(
        { [scope]: { [by]: from, $type: 'string' } },
        {
          sort: { ...SYNCED_COLLECTION_INDEX.key },
          projection: { _id: 0, [scope]: 1 },
          collation: { locale: 'simple' },
        },
      ),
    );
    const found = row?.[scope];
    if (!Array.isArray(found)) return found as string | undefined;
    // A document in several scopes is in none, but the index has it under each.
    return (found as unknown[])
      .filter((one): one is string => typeof one === 'string' && (by === '$gte' ? one >= from : one > from))
      .sort()[0];
  };
}

/**
 * A collection that is not there has no documents.
 *
 * @throws SyncError `configuration` for one that cannot be walked
 */
export async function expectIndex({ db }: OplogRepository, name: string): Promise<void> {
  const indexes = await existingIndexes(db, name);
  if (indexes.length === 0 || missingIndexes([SYNCED_COLLECTION_INDEX], indexes).length === 0) return;
  throw new SyncError(
    'configuration',
    `${name} lacks the index of synced collections. Run \`nest-offline-sync init --collections ${name}\`.`,
  );
}

/** The collections that the scope's log names, each with an id of theirs: one look for each, by the index. */
export async function loggedCollections(
  oplog: OplogRepository,
  scope: string,
): Promise<Pick<EntryRecord, 'collection' | 'doc'>[]> {
  const found: Pick<EntryRecord, 'collection' | 'doc'>[] = [];
  for (;;) {
    const next = await oplog.entries.findOne(
      { scope, collection: { $gt: found.at(-1)?.collection ?? '' } },
      { sort: { scope: 1, collection: 1 }, projection: { _id: 0, collection: 1, doc: 1 } },
    );
    if (!next) return found;
    found.push(next);
  }
}
