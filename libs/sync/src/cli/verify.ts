import { SyncError } from 'nest-offline-sync-protocol';
import { existingIndexes } from '../database/layout';
import { missingIndexes, SYNCED_COLLECTION_INDEX } from '../database/indexes';
import { TrimmingRepository } from '../retention/trimming-store';
import { checkNames } from './collection-names';
import { CollectionComparison, loggedCollections, type Comparison, type Difference } from './comparison';
import type { Session } from './connection';
import { printable, table, type CliOutput } from './output';

interface VerifyOptions {
  readonly scope?: string;
  readonly collections?: readonly string[];
  /** Of rows. */
  readonly limit: number;
  readonly json?: boolean;
}

interface Verification {
  readonly database: string;
  readonly scopes: number;
  readonly documents: number;
  readonly tombstones: number;
  readonly differences: number;
  /** As many as asked for, those that differ first. */
  readonly compared: readonly Comparison[];
  /** Comparisons that have no row. */
  readonly more: number;
}

/**
 * `status --verify`: whether the documents and the log say the same, scope by scope.
 *
 * @returns whether they do
 * @throws SyncError `configuration` for a scope or a collection that cannot be compared
 */
export async function verify(
  session: Session,
  options: VerifyOptions,
  out: CliOutput['out'],
): Promise<boolean> {
  const verification = await compareAll(session, options);
  out(options.json ? `${JSON.stringify(verification, null, 2)}\n` : told(verification));
  return verification.differences === 0;
}

async function compareAll(session: Session, options: VerifyOptions): Promise<Verification> {
  const { oplog, settings, connection } = session;
  checkNames(options.collections ?? [], settings);
  const synced = options.collections ?? (await syncedCollections(session));
  const [same, different]: [Comparison[], Comparison[]] = [[], []];
  const sums = { scopes: 0, documents: 0, tombstones: 0, differences: 0 };
  const indexed = new Set<string>();
  let count = 0;
  for await (const scope of scopesOf(session, options.scope)) {
    sums.scopes += 1;
    const logged = options.collections ? [] : await loggedCollections(oplog, scope);
    for (const name of new Set([...synced, ...logged])) {
      await expectIndex(session, name, indexed);
      const comparison = await new CollectionComparison(oplog, connection, scope, name).run();
      sums.documents += comparison.live;
      sums.tombstones += comparison.tombstones;
      sums.differences += comparison.differences;
      count += 1;
      const rows = comparison.differences > 0 ? different : same;
      if (rows.length < options.limit) rows.push(comparison);
    }
  }
  const compared = [...different, ...same].slice(0, options.limit);
  return { database: oplog.db.databaseName, ...sums, compared, more: count - compared.length };
}

async function* scopesOf({ oplog }: Session, only: string | undefined): AsyncGenerator<string> {
  if (only === undefined) {
    for await (const { _id } of new TrimmingRepository(oplog).heads()) yield _id;
    return;
  }
  if (!(await oplog.readHead(only)))
    throw new SyncError('configuration', `--scope: no scope ${JSON.stringify(only)} has a log here.`);
  yield only;
}

/** A collection that is not there has no documents. */
async function expectIndex({ oplog }: Session, name: string, indexed: Set<string>): Promise<void> {
  if (indexed.has(name)) return;
  const indexes = await existingIndexes(oplog.db, name);
  if (indexes.length > 0 && missingIndexes([SYNCED_COLLECTION_INDEX], indexes).length > 0)
    throw new SyncError(
      'configuration',
      `${name} lacks the index of synced collections. Run \`nest-offline-sync init --collections ${name}\`.`,
    );
  indexed.add(name);
}

/** Those that have the index which the engine makes. */
async function syncedCollections({ oplog }: Session): Promise<string[]> {
  const synced: string[] = [];
  for (const { name } of await oplog.db.listCollections({ type: 'collection' }, { nameOnly: true }).toArray())
    if (missingIndexes([SYNCED_COLLECTION_INDEX], await existingIndexes(oplog.db, name)).length === 0)
      synced.push(name);
  return synced.sort();
}

const WORDS: Readonly<Record<Difference['what'], string>> = {
  'other version': 'the document has another version than its newest entry',
  'no document': 'an entry tells of it, and there is no document',
  'no tombstone': 'the log tells of its delete, and there is no tombstone',
  'no entry': 'no entry tells of this version of the document',
  'not deleted': 'the log tells of its delete, and the document is not deleted',
  deleted: 'the document is deleted, and the log does not tell of it',
};

function told({ scopes, documents, tombstones, differences, compared, more }: Verification): string {
  const rows = table(
    ['SCOPE', 'COLLECTION', 'DOCUMENTS', 'TOMBSTONES', 'ABOVE FLOOR', 'DIGEST', 'LOG DIGEST', 'DIFFERENCES'],
    compared.map((one) => [
      one.scope,
      one.collection,
      one.live,
      one.tombstones,
      one.documents.count,
      one.documents.hash,
      one.log.hash,
      one.differences,
    ]),
  );
  const rest = more > 0 ? `${more} more: --limit shows them, --scope shows one scope.\n` : '';
  const examples = compared.flatMap(({ scope, collection, examples: some, differences: all }) => [
    ...some.map(
      ({ doc, what, document, log }) =>
        `${scope} ${collection} ${doc}: ${WORDS[what]} (document ${document ?? '-'}, log ${log ?? '-'}).`,
    ),
    ...(all > some.length ? [`${scope} ${collection}: ${all - some.length} more differences.`] : []),
  ]);
  const end =
    differences === 0
      ? `Collections and log agree: ${scopes} scopes, ${documents} documents, ${tombstones} tombstones.`
      : `${differences} differences in ${scopes} scopes, ${documents} documents, ${tombstones} tombstones.`;
  return `${rows}${rest}\n${[...examples, end].map(printable).join('\n')}\n`;
}
