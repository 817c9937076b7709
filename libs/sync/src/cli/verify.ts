import type { Command } from 'commander';
import { SyncError } from 'nest-offline-sync-protocol';
import { encodeBy } from '../codec/wire-codec';
import { hiddenFacts } from '../collections/schema-facts';
import { nativeCollection } from '../collections/native-collection';
import { missingIndexes, SYNCED_COLLECTION_INDEX } from '../database/indexes';
import { databaseLayout, existingIndexes, missingFromLayout } from '../database/layout';
import { DocumentForm } from '../plan/document-form';
import { TrimmingRepository } from '../retention/trimming-store';
import type { ComparedCollection } from '../verify/compared-collection';
import type { VerifyProgress, VerifyReport } from '../verify/report';
import { expectIndex, loggedCollections } from '../verify/scopes';
import { Verification } from '../verify/verification';
import { sampleOf, untilSignal, withAdmin, type AdminCollection, type SampleDocument } from './admin-app';
import { checkNames, names } from './collection-names';
import { withDatabase, type ConnectionOptions, type Session } from './connection';
import type { CliOutput } from './output';
import { ProgressLine } from './progress-line';
import { expectHeads } from './status';
import { told } from './verify-report';

interface VerifyCommandOptions extends ConnectionOptions {
  readonly collection?: readonly string[];
  readonly scope?: string;
  readonly repair?: boolean;
  readonly hidden?: readonly string[];
  readonly limit: string;
  readonly json?: boolean;
}

/** `verify`: whether the documents and the log say the same, scope by scope. */
export function addVerify(program: Command, output: CliOutput, exitWith: (code: number) => void): Command {
  return program
    .command('verify')
    .description(
      'compare the documents with the log, and say what differs; the app may go on writing. ' +
        'Exit code 0: nothing differs (any more); 1: something does; 2: it could not be compared',
    )
    .option('--collection <names>', 'only these, joined by commas; default: all synced', names)
    .option('--scope <id>', 'only this scope')
    .option('--repair', 'record what differs, as writes of the app: devices get it, and no document changes')
    .option(
      '--hidden <paths>',
      'fields that never leave the server, as in the options of the app; with --repair needed: `none` if there are none',
      names,
    )
    .option('--limit <count>', 'how many comparisons to show', '100')
    .option('--json', 'print the report as JSON')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<VerifyCommandOptions>();
      const line = new ProgressLine(output);
      const onProgress = ({ documents }: VerifyProgress): void =>
        line.show(documents, undefined, 'documents compared');
      try {
        const report = await (options.repair ? repaired : compared)(options, onProgress);
        line.end();
        output.out(
          options.json ? `${JSON.stringify(report, null, 2)}\n` : told(report, options.repair === true),
        );
        if (report.left > 0) exitWith(1);
      } finally {
        line.end();
      }
    });
}

type OnProgress = (progress: VerifyProgress) => void;

/** Reads only. */
function compared(options: VerifyCommandOptions, onProgress: OnProgress): Promise<VerifyReport> {
  return withDatabase(options, {}, async (session) => {
    const found = await collectionsOf(session, options);
    const { oplog } = session;
    const captured = await capturedNames(session);
    const form = new DocumentForm(hiddenFacts(['__v', ...hiddenOf(options)]));
    const collections = found.map(({ name }): ComparedCollection => ({
      name,
      store: nativeCollection(session.connection, name),
      encode: (stored) => encodeBy(form, stored),
      isCaptured: captured.includes(name),
      livesIn: () => true,
    }));
    return untilSignal((signal) =>
      new Verification(oplog, {
        ...{ collections, scope: options.scope, rows: limitOf(options), signal, onProgress },
        mayContinue: () => Promise.resolve(!signal.aborted),
      }).run(),
    );
  });
}

async function repaired(options: VerifyCommandOptions, onProgress: OnProgress): Promise<VerifyReport> {
  if (!options.hidden)
    throw new SyncError(
      'configuration',
      '--repair needs --hidden: the fields that never leave the server, as in the options of your app, or `--hidden none`. ' +
        'This command does not know the schema; SyncAdminService.verify({ repair: true }) in the app does.',
    );
  const found = await withDatabase(options, {}, (session) => collectionsOf(session, options));
  const { scope } = options;
  return withAdmin(options, found, (admin, signal) =>
    admin.verify({
      repair: true,
      ...(scope === undefined ? {} : { scope }),
      limit: limitOf(options),
      signal,
      onProgress,
    }),
  );
}

/** Those that are asked for, else those that have the index which the engine makes, or that the log names. */
async function collectionsOf(session: Session, options: VerifyCommandOptions): Promise<AdminCollection[]> {
  const { oplog, settings } = session;
  checkNames(options.collection ?? [], settings);
  expectHeads(await missingFromLayout(oplog.db, databaseLayout(settings, [])), oplog, settings);
  const logged = new Map<string, SampleDocument>();
  for await (const { _id: scope } of new TrimmingRepository(oplog).heads())
    for (const { collection, doc } of await loggedCollections(oplog, scope))
      if (!logged.has(collection)) logged.set(collection, { storedId: doc, scope });
  const all = options.collection ?? [...new Set([...(await syncedCollections(session)), ...logged.keys()])];
  const collections: AdminCollection[] = [];
  for (const name of all) {
    await expectIndex(oplog, name);
    const one = await oplog.db.collection(name).findOne({}, { projection: { _id: 1, _sync_scope_id: 1 } });
    const sample = one ? sampleOf(one) : logged.get(name);
    collections.push({ name, hidden: hiddenOf(options), sample, isInSync: true });
  }
  return collections;
}

/** Those that have the index which the engine makes. */
async function syncedCollections({ oplog }: Session): Promise<string[]> {
  const synced: string[] = [];
  for (const { name } of await oplog.db.listCollections({ type: 'collection' }, { nameOnly: true }).toArray())
    if (missingIndexes([SYNCED_COLLECTION_INDEX], await existingIndexes(oplog.db, name)).length === 0)
      synced.push(name);
  return synced.sort();
}

/** As the process that captures has noted them. */
async function capturedNames({ oplog, settings }: Session): Promise<readonly string[]> {
  const position = await oplog.db
    .collection<{ _id: string; compared?: readonly string[] }>(settings.leasesCollection)
    .findOne({ _id: 'capture:position' });
  return position?.compared ?? [];
}

function hiddenOf({ hidden = [] }: VerifyCommandOptions): string[] {
  return hidden.filter((path) => path !== 'none');
}

function limitOf(options: VerifyCommandOptions): number {
  const limit = Number(options.limit);
  if (Number.isSafeInteger(limit) && limit >= 1) return limit;
  throw new SyncError('configuration', '--limit must be a whole number from 1 on.');
}
