import { InvalidArgumentError, type Command } from 'commander';
import { SyncError } from 'nest-offline-sync-protocol';
import { databaseLayout, missingFromLayout } from '../database/layout';
import type { OplogRepository } from '../log/oplog';
import type { SyncSettings } from '../options/settings';
import { trimOnce, type TrimReport } from '../retention/trim-once';
import { nativeCollection } from '../collections/native-collection';
import { withDatabase, type ConnectionOptions } from './connection';
import { checkNames, names } from './collection-names';
import type { CliOutput } from './output';

interface TrimOptions extends ConnectionOptions {
  readonly oplogTtlDays: number;
  readonly oplogMaxEntries?: number;
  readonly receiptTtlDays: number;
  readonly tombstoneTtlDays: number;
  readonly collections: readonly string[];
  readonly grace: number;
  readonly json?: boolean;
}

/** `trim`: one run of the retention job, next to the app's own ones or in their place. */
export function addTrim(program: Command, { out }: CliOutput): Command {
  return program
    .command('trim')
    .description('do now what the retention job of the app does; give the same values as the app has')
    .option('--oplog-ttl-days <days>', 'keep log entries that long; 0 keeps them for ever', number, 30)
    .option('--oplog-max-entries <count>', 'keep that many entries of each scope', number)
    .option('--receipt-ttl-days <days>', 'keep receipts that much longer than the log', number, 30)
    .option(
      '--tombstone-ttl-days <days>',
      'remove the tombstones of --collections that are older, and no device needs; 0 keeps them for ever',
      number,
      0,
    )
    .option('--collections <names>', 'your synced collections, joined by commas', names, [])
    .option(
      '--grace <seconds>',
      "wait that long between raising a scope's floor and deleting below it; " +
        '0 deletes at once: only while the app is stopped, a client that reads meanwhile may miss changes',
      number,
      600,
    )
    .option('--json', 'print the result as JSON')
    .action(async (_: unknown, command: Command) => {
      const { grace, json, ...options } = command.optsWithGlobals<TrimOptions>();
      const { oplogTtlDays, oplogMaxEntries, receiptTtlDays, tombstoneTtlDays, collections } = options;
      const trimGraceMs = Math.round(grace * 1000);
      const rules = { oplogTtlDays, oplogMaxEntries, receiptTtlDays, tombstoneTtlDays, trimGraceMs };
      const report = await withDatabase(options, rules, async ({ oplog, settings, connection }) => {
        await checkTombstones(oplog, settings, collections);
        const stores = collections.map((name) => nativeCollection(connection, name));
        return trimOnce({ oplog, stores }, settings);
      });
      out(json ? `${JSON.stringify(report)}\n` : told(report, grace));
    });
}

function told(report: TrimReport, grace: number): string {
  const { scopes, raised, waiting, deletedEntries, deletedReceipts, deletedTombstones, moreTombstones } =
    report;
  const more = moreTombstones ? 'More tombstones are due: run it again.\n' : '';
  const rest =
    waiting > 0
      ? `${waiting} scopes have entries below their floor: a run after the grace period of ${grace} s deletes them.\n`
      : '';
  return (
    `Looked at ${scopes} scopes: raised the floor of ${raised}, ` +
    `deleted ${deletedEntries} entries, ${deletedReceipts} receipts and ${deletedTombstones} tombstones.\n${rest}${more}`
  );
}

async function checkTombstones(
  oplog: OplogRepository,
  settings: SyncSettings,
  collections: readonly string[],
): Promise<void> {
  checkNames(collections, settings);
  if (settings.tombstoneTtlDays === 0) return;
  if (collections.length === 0)
    throw new SyncError(
      'configuration',
      '--tombstone-ttl-days needs --collections: name the collections that clients sync, such as tasks,orders.',
    );
  const missing = await missingFromLayout(oplog.db, databaseLayout(settings, collections));
  if (missing.length === 0) return;
  throw new SyncError(
    'configuration',
    `Missing: ${missing.join('; ')}. Run \`nest-offline-sync init\` with the same --collections and --tombstone-ttl-days.`,
  );
}

function number(value: string): number {
  const parsed = Number(value);
  if (value.trim() === '' || !Number.isFinite(parsed) || parsed < 0)
    throw new InvalidArgumentError('It must be a number that is not negative.');
  return parsed;
}
