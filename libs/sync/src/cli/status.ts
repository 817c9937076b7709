import type { Command } from 'commander';
import { SyncError } from 'nest-offline-sync-protocol';
import { readScopes, readSizes, type CollectionStatus, type ScopeStatus } from '../admin/scope-status';
import { databaseLayout, missingFromLayout } from '../database/layout';
import type { OplogRepository } from '../log/oplog';
import type { SyncSettings } from '../options/settings';
import { withDatabase, type ConnectionOptions } from './connection';
import { table, type CliOutput } from './output';

interface StatusOptions extends ConnectionOptions {
  readonly scope?: string;
  readonly limit: string;
  readonly json?: boolean;
}

/** `status`: what the engine keeps in a database. Reads only. */
export function addStatus(program: Command, { out }: CliOutput): Command {
  return program
    .command('status')
    .description('show scopes, heads, floors and sizes')
    .option('--scope <id>', 'only this scope')
    .option('--limit <count>', 'how many scopes to show', '100')
    .option('--json', 'print it as JSON')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<StatusOptions>();
      await withDatabase(options, {}, async ({ oplog, settings }) => {
        const layout = databaseLayout(settings, []);
        const missing = await missingFromLayout(oplog.db, layout);
        expectHeads(missing, oplog, settings);
        const { scope } = options;
        const scopes = await readScopes(oplog, { scope, limit: limitOf(options) });
        const collections = await readSizes(oplog, settings);
        const total = await oplog.heads.estimatedDocumentCount();
        const database = oplog.db.databaseName;
        out(
          options.json
            ? `${JSON.stringify({ database, collections, missing, scopes, scopesInAll: total }, null, 2)}\n`
            : told(collections, missing, scopes, options.scope === undefined ? total : scopes.length),
        );
      });
    });
}

/** @throws SyncError `configuration` where the engine was never set up */
export function expectHeads(
  missing: readonly string[],
  { db }: OplogRepository,
  { headsCollection }: SyncSettings,
): void {
  if (!missing.includes(headsCollection)) return;
  throw new SyncError(
    'configuration',
    `Database ${db.databaseName} has no ${headsCollection}. Is it the right database? ` +
      'If so, run `nest-offline-sync init` or start the app once.',
  );
}

function limitOf(options: StatusOptions): number {
  const limit = Number(options.limit);
  if (Number.isSafeInteger(limit) && limit >= 1) return limit;
  throw new SyncError('configuration', '--limit must be a whole number from 1 on.');
}

function told(
  collections: readonly CollectionStatus[],
  missing: readonly string[],
  scopes: readonly ScopeStatus[],
  total: number,
): string {
  const sizes = table(
    ['COLLECTION', 'DOCUMENTS', 'BYTES'],
    collections.map(({ collection, documents, bytes }) => [collection, documents ?? '?', bytes ?? '?']),
  );
  const rows = table(
    ['SCOPE', 'HEAD', 'SEQ', 'FLOOR', 'FLOOR SEQ', 'ENTRIES', 'WAITING'],
    scopes.map((s) => [s.scope, s.head, s.seq, s.floor, s.floorSeq, s.entries, s.waiting]),
  );
  const more =
    total > scopes.length ? `${total - scopes.length} more: --limit shows them, --scope shows one.\n` : '';
  const lost = missing.map((what) => `Missing: ${what}. Run \`nest-offline-sync init\`.\n`).join('');
  return `${sizes}${lost}\n${rows}${more}`;
}
