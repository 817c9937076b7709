import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { mongo } from 'mongoose';
import { collectGarbage } from '../load/drive';
import { entryOf, plainNotes, stampOf, type PlainNote } from '../load/plain-notes';
import { projectFolder } from '../processes/folders';
import type { Sample } from '../model';
import { NOTES } from '../workload/notes';
import { stamp } from '../workload/stamps';
import type { Bench, Row, Turn } from './bench';

/** As `npx nest-offline-sync` starts it. */
const COMMAND = join(projectFolder(), 'libs/sync/dist/cli/main.js');
const DOCUMENTS = 100_000;
const QUICK_DOCUMENTS = 5_000;
const SCOPES = 200;
const BATCH = 1_000;

/** Documents of the app that nobody has synced, taken in by the command as a user starts it, its start included. */
function adoptRow(id: string, title: string, log: boolean, least: number): Row {
  return {
    id,
    title,
    figures: [{ name: 'rate', label: 'documents', unit: 'per second' }],
    targets: [{ figure: 'rate', bound: { least } }],
    variants: ['bare', 'ours-1'],
    maxRounds: 2,
    timed: false,
    warmUp: false,
    overheadSeconds: 40,
    open: async (bench) => ({
      measures: {
        bare: (turn) => measureBare(bench, turn, log),
        'ours-1': (turn) => measureOurs(bench, turn, log),
      },
    }),
  };
}

export const ADOPT_ROWS: readonly Row[] = [
  adoptRow('adopt-log', 'adopt 100,000 documents of 200 scopes, with the log', true, 3_000),
  adoptRow('adopt-no-log', 'adopt 100,000 documents of 200 scopes, without the log', false, 5_000),
];

async function measureOurs(bench: Bench, { name }: Turn, log: boolean): Promise<Sample> {
  const { db, rows } = await plain(bench, name);
  const started = performance.now();
  const child = spawn(
    process.execPath,
    [
      ...[COMMAND, 'adopt', '--collection', NOTES],
      ...['--scope-field', 'business_id', log ? '--log' : '--no-log', '--json'],
      ...['--mongodb-uri', bench.mongoUri, '--database', db.databaseName],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const [code] = (await once(child, 'exit')) as [number | null];
  const seconds = (performance.now() - started) / 1000;
  if (code !== 0) throw new Error(`adopt ended with ${String(code)}`);
  await check(db, rows.length, log);
  await db.dropDatabase();
  return { figures: { rate: rows.length / seconds } };
}

/** @throws Error unless each document is in its own scope, and has an entry where there is a log */
async function check(db: mongo.Db, count: number, log: boolean): Promise<void> {
  const adopted = await db.collection(NOTES).countDocuments({
    $expr: { $eq: ['$business_id', '$_sync_scope_id'] },
    _sync_version: { $type: 'string' },
    _sync_hash: { $type: 'string' },
  });
  const entries = await db.collection('sync_oplog').countDocuments();
  const heads = await db.collection('sync_heads').countDocuments({ adopting: { $exists: false } });
  // Without the log, one entry tells each scope's listeners of the gap.
  if (adopted !== count || entries !== (log ? count : SCOPES) || heads !== SCOPES)
    throw new Error(`Of ${String(count)} documents: ${String([adopted, entries, heads])}`);
}

/** The fields alone, and an entry of the same size: what the driver needs at least. No transaction, no head. */
async function measureBare(bench: Bench, { name }: Turn, log: boolean): Promise<Sample> {
  const { db, rows } = await plain(bench, name);
  const options = { writeConcern: { w: 'majority' } } as const;
  const documents = db.collection<PlainNote>(NOTES, options);
  const entries = db.collection('entries', options);
  await documents.createIndex({ _sync_scope_id: 1, _id: 1 });
  await entries.createIndex({ scope: 1, version: 1 }, { unique: true });
  const now = Date.now();
  const batches: { updates: mongo.AnyBulkWriteOperation<PlainNote>[]; entries: object[] }[] = [];
  rows.forEach((row, index) => {
    const version = stamp(now, index);
    if (index % BATCH === 0) batches.push({ updates: [], entries: [] });
    batches
      .at(-1)
      ?.updates.push({ updateOne: { filter: { _id: row._id }, update: { $set: stampOf(row, version) } } });
    batches.at(-1)?.entries.push(entryOf(row, version));
  });
  collectGarbage();
  const started = performance.now();
  for (const batch of batches)
    await Promise.all([
      documents.bulkWrite(batch.updates, { ordered: false }),
      ...(log ? [entries.insertMany(batch.entries, { ordered: false })] : []),
    ]);
  const seconds = (performance.now() - started) / 1000;
  await db.dropDatabase();
  return { figures: { rate: rows.length / seconds } };
}

async function plain(bench: Bench, name: string): Promise<{ db: mongo.Db; rows: readonly PlainNote[] }> {
  const db = bench.client.db(`bench_${name.replaceAll('-', '_')}`);
  const rows = plainNotes(bench.seed, name, bench.quick ? QUICK_DOCUMENTS : DOCUMENTS, SCOPES);
  await db.collection<PlainNote>(NOTES).insertMany([...rows], { writeConcern: { w: 'majority' } });
  return { db, rows };
}
