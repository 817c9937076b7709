import type { mongo } from 'mongoose';
import { ForeignWriter } from '../load/foreign-writer';
import { differences, LogWatch } from '../load/log-watch';
import { plainNotes, type PlainNote } from '../load/plain-notes';
import type { Sample } from '../model';
import { percentile } from '../stats/summary';
import { NOTES } from '../workload/notes';
import { until } from '../load/until';
import type { Bench, Row, Turn } from './bench';

const PER_SECOND = 2_000;
const SECONDS = 20;
const QUICK_SECONDS = 2;
const FLOOD = 20_000;
const QUICK_FLOOD = 2_000;
const FLOOD_SCOPES = 50;
const LIMIT_MS = 120_000;

/** Foreign writes at a steady rate: how long after each it is in the log. The bare one is the change stream by itself. */
const STEADY_ROW: Row = {
  id: 'capture-steady',
  title: 'capture, 2,000 foreign writes a second for 20 s, 50 scopes',
  figures: [
    { name: 'rate', label: 'writes, until all are recorded', unit: 'per second' },
    { name: 'p50', label: 'p50, from the write sent', unit: 'ms' },
    { name: 'p95', label: 'p95, from the write sent', unit: 'ms' },
    { name: 'behind', label: 'from the last write until all are recorded', unit: 'ms' },
    { name: 'missed', label: 'documents that differ at the end', unit: 'count' },
  ],
  targets: [
    { figure: 'p50', bound: { most: 100 } },
    { figure: 'missed', bound: { most: 0 } },
  ],
  variants: ['bare', 'ours-1'],
  maxRounds: 2,
  timed: false,
  warmUp: false,
  overheadSeconds: 30,
  open: async (bench) => {
    const ours = await capturing(bench, 'bench_capture_steady');
    const bare = bench.client.db('bench_capture_bare');
    await bare.createCollection(NOTES, { changeStreamPreAndPostImages: { enabled: true } });
    return {
      measures: {
        bare: (turn) => bareStream(bench, bare, turn),
        'ours-1': (turn) => steady(bench, ours, turn),
      },
    };
  },
};

/** As many inserts as the database takes, and the time until all of them are in the log. */
const FLOOD_ROW: Row = {
  id: 'capture-flood',
  title: 'capture, 20,000 inserts at once, 50 scopes',
  figures: [
    { name: 'rate', label: 'documents, until all are recorded', unit: 'per second' },
    { name: 'missed', label: 'documents that differ at the end', unit: 'count' },
  ],
  targets: [
    { figure: 'rate', bound: { least: 2_000 } },
    { figure: 'missed', bound: { most: 0 } },
  ],
  variants: ['ours-1'],
  maxRounds: 3,
  timed: false,
  overheadSeconds: 10,
  open: async (bench) => {
    const ours = await capturing(bench, 'bench_capture_flood');
    return { measures: { 'ours-1': (turn) => flood(bench, ours, turn) } };
  },
};

export const CAPTURE_ROWS: readonly Row[] = [STEADY_ROW, FLOOD_ROW];

async function capturing(bench: Bench, database: string): Promise<mongo.Db> {
  await bench.ownServer(database, { capture: true });
  return bench.client.db(database);
}

async function steady(bench: Bench, db: mongo.Db, { name }: Turn): Promise<Sample> {
  const watch = await LogWatch.open(db.collection('sync_oplog'));
  try {
    const writer = new ForeignWriter(bench.seed, name, db.collection<PlainNote>(NOTES));
    await writer.begin();
    await watch.whenAll(writer.written);
    watch.lags.length = 0;
    const started = performance.now();
    const writes = await writer.run(PER_SECOND, bench.quick ? QUICK_SECONDS : SECONDS);
    const ended = performance.now();
    await watch.whenAll(writer.written);
    const recorded = performance.now();
    return {
      figures: {
        rate: (writes / (recorded - started)) * 1000,
        p50: percentile(watch.lags, 0.5),
        p95: percentile(watch.lags, 0.95),
        behind: recorded - ended,
        missed: await differences(db, NOTES, name),
      },
    };
  } finally {
    await watch.close();
  }
}

async function bareStream(bench: Bench, db: mongo.Db, { name }: Turn): Promise<Sample> {
  const notes = db.collection<PlainNote>(NOTES);
  const stream = notes.watch<PlainNote, mongo.ChangeStreamUpdateDocument<PlainNote>>(
    [{ $match: { operationType: 'update' } }],
    { fullDocumentBeforeChange: 'whenAvailable' },
  );
  const lags: number[] = [];
  stream.on('change', ({ updateDescription: { updatedFields } }) =>
    lags.push(Date.now() - (updatedFields?.writtenAt ?? NaN)),
  );
  try {
    await until(() => Boolean(stream.resumeToken), LIMIT_MS);
    const writer = new ForeignWriter(bench.seed, name, notes);
    await writer.begin();
    const started = performance.now();
    const writes = await writer.run(PER_SECOND, bench.quick ? QUICK_SECONDS : SECONDS);
    const seconds = (performance.now() - started) / 1000;
    return { figures: { rate: writes / seconds, p50: percentile(lags, 0.5), p95: percentile(lags, 0.95) } };
  } finally {
    await stream.close();
  }
}

async function flood(bench: Bench, db: mongo.Db, { name }: Turn): Promise<Sample> {
  const watch = await LogWatch.open(db.collection('sync_oplog'));
  try {
    const rows = plainNotes(bench.seed, name, bench.quick ? QUICK_FLOOD : FLOOD, FLOOD_SCOPES).map((row) => ({
      ...row,
      writtenAt: 0,
    }));
    const started = performance.now();
    await db.collection<PlainNote>(NOTES).insertMany(rows, { ordered: false });
    await watch.whenAll(new Map(rows.map(({ _id }) => [_id, 0])));
    const seconds = (performance.now() - started) / 1000;
    return { figures: { rate: rows.length / seconds, missed: await differences(db, NOTES, name) } };
  } finally {
    await watch.close();
  }
}
