import type { Command } from 'commander';
import { SyncError } from 'nest-offline-sync-protocol';
import { createLayout, databaseLayout } from '../database/layout';
import type { OplogRepository } from '../log/oplog';
import { Upgrade, type UpgradeReport } from '../upgrade/upgrade';
import { checkNames, names } from './collection-names';
import { withDatabase, type ConnectionOptions } from './connection';
import { backfill } from './init';
import type { CliOutput } from './output';
import { ProgressLine } from './progress-line';

interface UpgradeOptions extends ConnectionOptions {
  readonly collections: readonly string[];
  readonly dryRun?: boolean;
  readonly reload?: boolean;
  readonly json?: boolean;
}

/** `upgrade`: takes over the database of fastapi-offline-sync. */
export function addUpgrade(program: Command, output: CliOutput): Command {
  return program
    .command('upgrade')
    .description(
      "make the log of fastapi-offline-sync this engine's; devices go on from their cursors. Stop the old server, and make a backup, before",
    )
    .option(
      '--collections <names>',
      'your synced collections, joined by commas; default: those in the log',
      names,
      [],
    )
    .option('--dry-run', 'write nothing; count what there is')
    .option('--reload', 'all devices load everything again: also what the old server may have kept from them')
    .option('--json', 'print the report as JSON')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<UpgradeOptions>();
      const { dryRun = false, reload = false } = options;
      const line = new ProgressLine(output);
      try {
        const report = await withDatabase(options, {}, async ({ oplog, settings, connection }) => {
          checkNames(options.collections, settings);
          const collections = await synced(oplog, options.collections);
          return new Upgrade(oplog, connection, {
            ...{ collections, dryRun, reload },
            prepare: async () => {
              await createLayout(oplog.db, databaseLayout(settings, collections));
              for (const name of collections) await backfill(oplog, name);
            },
            onProgress: (entries) => line.show(entries, undefined, 'entries'),
          }).run();
        });
        line.end();
        output.out(options.json ? `${JSON.stringify(report, null, 2)}\n` : told(report));
      } finally {
        line.end();
      }
    });
}

/** Those that are given, and those that the log names. */
async function synced({ db, entries }: OplogRepository, given: readonly string[]): Promise<string[]> {
  const logged = await db.collection(entries.collectionName).distinct('collection');
  const all = [...new Set([...given, ...(logged as string[])])].sort();
  if (all.length > 0) return all;
  throw new SyncError(
    'configuration',
    `Database ${db.databaseName} has no log in ${entries.collectionName}. Is it the right one? ` +
      'If its log has expired, name the collections: --collections tasks,orders.',
  );
}

/** Types that a collection without a schema takes side by side. */
const FREE = ['string', 'int', 'long', 'double'];

function told({ dryRun, scopes, entries, dropped, late, reloads, collections }: UpgradeReport): string {
  const lines = collections.flatMap(({ collection, types }) => {
    const each = Object.entries(types).map(([type, count]) => `${count} ${type}`);
    const isMixed = each.length > 1 && Object.keys(types).some((type) => !FREE.includes(type));
    const ids = `${collection}: ids of type ${each.join(', ') || 'none'}`;
    return isMixed
      ? [
          `to do     ${ids}: devices cannot write those that the _id of the collection's schema does not take.`,
        ]
      : [ids];
  });
  if (dropped > 0)
    lines.push(`${dropped} entries that no cursor can name, or older ones of their scopes, are dropped.`);
  if (late > 0)
    lines.push(
      `to do     ${late} entries came after their scope was upgraded: run \`nest-offline-sync verify --repair\`.`,
    );
  lines.push(
    `${dryRun ? 'Would upgrade' : 'Upgraded'} ${entries} entries of ${scopes} scopes; devices of ${reloads} scopes load again, ` +
      `all others go on.${dryRun ? ' Nothing was written.' : ' Next: `nest-offline-sync verify`.'}`,
  );
  return lines.map((text) => `${text}\n`).join('');
}
