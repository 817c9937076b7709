import type { Command } from 'commander';
import mongoose from 'mongoose';
import type { AdoptProgress, AdoptReport } from '../admin/adoption';
import { SyncError } from 'nest-offline-sync-protocol';
import { sampleOf, withAdmin, type AdminCollection } from './admin-app';
import { withDatabase, type ConnectionOptions } from './connection';
import { ProgressLine } from './progress-line';
import { printable, table, type CliOutput } from './output';
import { checkNames, names } from './collection-names';

interface AdoptCommandOptions extends ConnectionOptions {
  readonly collection: string;
  readonly scopeField?: string;
  readonly where?: string;
  readonly actor?: string;
  readonly log: boolean;
  readonly dryRun?: boolean;
  readonly revert?: boolean;
  readonly hidden: readonly string[];
  readonly json?: boolean;
}

/** `adopt`: brings documents that the app has already into sync, or takes them out again. */
export function addAdopt(program: Command, output: CliOutput, exitWith: (code: number) => void): Command {
  return program
    .command('adopt')
    .description(
      'give the documents of a collection what sync needs: scope, version, log entry; the app may go on writing',
    )
    .requiredOption('--collection <name>', 'the collection; with global ids')
    .option('--scope-field <path>', "the field that names a document's scope, such as business_id")
    .option('--where <json>', 'only documents that match this filter, as Extended JSON')
    .option('--actor <id>', 'who is said to have written them', 'app')
    .option('--log', 'a log entry for each document (default): devices that sync already get them', true)
    .option('--no-log', 'no entries: in the end devices load their scopes again')
    .option('--hidden <paths>', 'fields that never leave the server, as in the options of the app', names, [])
    .option('--dry-run', 'write nothing; count scopes, and name what cannot be adopted')
    .option('--revert', 'instead, take the fields of sync off the documents again')
    .option('--json', 'print the result as JSON')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<AdoptCommandOptions>();
      const line = new ProgressLine(output);
      const { collection } = options;
      try {
        const report = await withAdmin(options, [await adminCollection(options)], async (admin, signal) => {
          if (options.revert)
            return admin.revert({
              collection,
              signal,
              onProgress: (documents) => line.show(documents, undefined, 'documents released'),
            });
          const { actor, log, dryRun } = options;
          return admin.adopt({
            collection,
            scopeField: scopeFieldOf(options),
            where: filterOf(options),
            ...{ actor, log, dryRun, signal },
            onProgress: ({ seen, total }: AdoptProgress) => line.show(seen, total, 'documents'),
          });
        });
        line.end();
        if (options.json) output.out(`${JSON.stringify(report, null, 2)}\n`);
        else if ('adopted' in report) output.out(told(report));
        else
          output.out(
            `Released ${report.released} documents of ${report.scopes} scopes, removed ${report.removedTombstones} tombstones.\n`,
          );
        if ('refused' in report && report.refused.length > 0) exitWith(1);
      } finally {
        line.end();
      }
    });
}

async function adminCollection({
  collection: name,
  hidden,
  ...options
}: AdoptCommandOptions): Promise<AdminCollection> {
  return withDatabase(options, {}, async ({ oplog, settings, connection }) => {
    checkNames([name], settings);
    const one = await oplog.db.collection(name).findOne({}, { projection: { _id: 1 } });
    if (one) return { name, hidden, sample: sampleOf(one) };
    throw new SyncError(
      'configuration',
      `--collection: ${name} has no documents in database ${connection.name}.`,
    );
  });
}

function scopeFieldOf({ scopeField }: AdoptCommandOptions): string {
  if (scopeField !== undefined) return scopeField;
  throw new SyncError('configuration', 'Give --scope-field: the field that names the scope of a document.');
}

function filterOf({ where }: AdoptCommandOptions): object {
  if (where === undefined) return {};
  try {
    const { EJSON } = mongoose.mongo.BSON;
    const filter: unknown = EJSON.parse(where);
    if (typeof filter === 'object' && filter !== null && !Array.isArray(filter)) return filter;
  } catch {
    // Told below.
  }
  throw new SyncError(
    'configuration',
    '--where must be a filter of MongoDB as Extended JSON, such as \'{"active":true}\'.',
  );
}

function told({ collection, dryRun, adopted, scopes, largestScopes, refused }: AdoptReport): string {
  const largest = table(
    ['SCOPE', 'DOCUMENTS'],
    largestScopes.map(({ scope, documents }) => [scope, documents]),
  );
  const bad = refused
    .map(({ code, message, count, examples }) =>
      printable(`Not adopted: ${count} documents (${code}): ${message}. For example ${examples.join(', ')}`),
    )
    .map((text) => `${text}\n`)
    .join('');
  const end = dryRun
    ? `Would adopt ${adopted} documents of ${collection} into ${scopes} scopes. Nothing was written.`
    : `Adopted ${adopted} documents of ${collection} into ${scopes} scopes.`;
  return `${adopted > 0 ? `${largest}\n` : ''}${bad}${end}\n`;
}
