import type { Command } from 'commander';
import { SyncError } from 'nest-offline-sync-protocol';
import { databaseLayout, missingFromLayout } from '../database/layout';
import type { OplogRepository } from '../log/oplog';
import type { HeadRecord } from '../log/records';
import type { SyncSettings } from '../options/settings';
import { withDatabase, type ConnectionOptions } from './connection';
import { table, type CliOutput } from './output';

interface StatusOptions extends ConnectionOptions {
  readonly scope?: string;
  readonly limit: string;
  readonly json?: boolean;
}

interface ScopeStatus {
  readonly scope: string;
  readonly head: string;
  readonly seq: number;
  readonly floor: string;
  readonly floorSeq: number;
  /** Entries that a cursor can still begin at. */
  readonly entries: number;
  /** Entries below the floor that wait for their deletion. */
  readonly waiting: number;
}

interface CollectionStatus {
  readonly collection: string;
  /** Null when the database's user may not see it. */
  readonly documents: number | null;
  readonly bytes: number | null;
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
        const scopes = await readScopes(oplog, options);
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

async function readScopes(oplog: OplogRepository, options: StatusOptions): Promise<ScopeStatus[]> {
  const limit = limitOf(options);
  const heads = await oplog.heads
    .find(options.scope === undefined ? {} : { _id: options.scope }, { sort: { _id: 1 }, limit })
    .toArray();
  const scopes: ScopeStatus[] = [];
  for (const head of heads) scopes.push(await scopeStatus(oplog, head));
  return scopes;
}

function limitOf(options: StatusOptions): number {
  const limit = Number(options.limit);
  if (Number.isSafeInteger(limit) && limit >= 1) return limit;
  throw new SyncError('configuration', '--limit must be a whole number from 1 on.');
}

async function scopeStatus(oplog: OplogRepository, head: HeadRecord): Promise<ScopeStatus> {
  const { _id: scope, version, seq, floor, floorSeq } = head;
  const oldest = await oplog.entries.findOne({ scope }, { sort: { seq: 1 }, projection: { seq: 1 } });
  // Entries are a run without holes, so two ends tell how many there are.
  const waiting = oldest ? Math.max(0, floorSeq - oldest.seq + 1) : 0;
  return { scope, head: version, seq, floor, floorSeq, entries: seq - floorSeq, waiting };
}

async function readSizes(oplog: OplogRepository, settings: SyncSettings): Promise<CollectionStatus[]> {
  const sizes: CollectionStatus[] = [];
  for (const { name } of databaseLayout(settings, [])) {
    const stages = [{ $collStats: { storageStats: {} } }];
    // A sharded collection answers once a shard.
    const parts = await oplog.db
      .collection(name)
      .aggregate<{ storageStats: { count?: number; size?: number } }>(stages)
      .toArray()
      .catch(() => undefined);
    const sum = (field: 'count' | 'size') =>
      parts?.reduce((total, part) => total + (part.storageStats[field] ?? 0), 0) ?? null;
    sizes.push({ collection: name, documents: sum('count'), bytes: sum('size') });
  }
  return sizes;
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
