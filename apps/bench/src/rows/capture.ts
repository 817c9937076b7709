import type { mongo } from 'mongoose';
import type { Pacing } from '../load/foreign-writer';
import { differences, LogWatch } from '../load/log-watch';
import { entryOf, plainNotes, stampOf, type PlainNote } from '../load/plain-notes';
import type { Sample } from '../model';
import { percentile } from '../stats/summary';
import { NOTES } from '../workload/notes';
import { stamp } from '../workload/stamps';
import { until } from '../load/until';
import { WriterProcess } from '../load/writer-process';
import type { Bench, Row, Turn } from './bench';

const PER_SECOND = 2_000;
const SECONDS = 20;
const QUICK_SECONDS = 2;
const FLOOD = 20_000;
const QUICK_FLOOD = 2_000;
const FLOOD_SCOPES = 50;
const BATCH = 1_000;
const LIMIT_MS = 120_000;

/** Foreign writes at a steady rate, by a process of its own: how long after each it is in the log. The bare one is the change stream by itself. */
const STEADY_ROW: Row = {
  id: 'capture-steady',
  title: 'capture, 2,000 foreign writes a second for 20 s, 50 scopes',
  figures: [
    { name: 'rate', label: 'writes, until all are recorded', unit: 'per second' },
    { name: 'p50', label: 'p50, from the write acknowledged', unit: 'ms' },
    { name: 'p95', label: 'p95, from the write acknowledged', unit: 'ms' },
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
  variants: ['bare', 'ours-1'],
  maxRounds: 3,
  timed: false,
  overheadSeconds: 10,
  open: async (bench) => {
    const ours = await capturing(bench, 'bench_capture_flood');
    const bare = bench.client.db('bench_capture_flood_bare');
    await bare.createCollection(NOTES, { changeStreamPreAndPostImages: { enabled: true } });
    await bare.collection(NOTES).createIndex({ _sync_scope_id: 1, _id: 1 });
    await bare.collection('entries').createIndex({ scope: 1, version: 1 }, { unique: true });
    return {
      measures: {
        bare: (turn) => bareFlood(bench, bare, turn),
        'ours-1': (turn) => flood(bench, ours, turn),
      },
    };
  },
};

export const CAPTURE_ROWS: readonly Row[] = [STEADY_ROW, FLOOD_ROW];

async function capturing(bench: Bench, database: string): Promise<mongo.Db> {
  await bench.ownServer(database, { capture: true });
  return bench.client.db(database);
}

async function steady(bench: Bench, db: mongo.Db, { name }: Turn): Promise<Sample> {
  const watch = await LogWatch.open(db.collection('sync_oplog'));
  const writer = await WriterProcess.start(bench, db.databaseName, name);
  try {
    await watch.whenAll(writer.begun);
    const run = await writer.run(pacing(bench));
    await watch.whenAll(run.written);
    const recorded = Date.now();
    const lags = watch.lags(run.acknowledged);
    return {
      figures: {
        rate: (run.writes / (recorded - run.started)) * 1000,
        p50: percentile(lags, 0.5),
        p95: percentile(lags, 0.95),
        behind: Math.max(0, recorded - run.ended),
        missed: await differences(db, NOTES, name),
      },
    };
  } finally {
    await writer.stop();
    await watch.close();
  }
}

/** The change stream alone, as the driver gives it. */
async function bareStream(bench: Bench, db: mongo.Db, { name }: Turn): Promise<Sample> {
  const notes = db.collection<PlainNote>(NOTES);
  const stream = notes.watch<PlainNote, mongo.ChangeStreamUpdateDocument<PlainNote>>(
    [{ $match: { operationType: 'update' } }],
    { fullDocumentBeforeChange: 'whenAvailable' },
  );
  const seen = new Map<string, number>();
  stream.on('change', ({ documentKey, updateDescription: { updatedFields } }) =>
    seen.set(`${documentKey._id} ${String(updatedFields?.writtenAt)}`, Date.now()),
  );
  const writer = await WriterProcess.start(bench, db.databaseName, name);
  try {
    await until(() => Boolean(stream.resumeToken), LIMIT_MS);
    const { started, ended, writes, acknowledged } = await writer.run(pacing(bench));
    const lags = acknowledged.flatMap(([id, writtenAt, at]) => {
      const seenAt = seen.get(`${id} ${String(writtenAt)}`);
      return seenAt === undefined ? [] : [Math.max(0, seenAt - at)];
    });
    const rate = (writes / (ended - started)) * 1000;
    return { figures: { rate, p50: percentile(lags, 0.5), p95: percentile(lags, 0.95) } };
  } finally {
    await writer.stop();
    await stream.close();
  }
}

function pacing({ quick }: Bench): Pacing {
  return { perSecond: PER_SECOND, seconds: quick ? QUICK_SECONDS : SECONDS };
}

async function flood(bench: Bench, db: mongo.Db, { name }: Turn): Promise<Sample> {
  const watch = await LogWatch.open(db.collection('sync_oplog'));
  try {
    const rows = floodOf(bench, name);
    const started = performance.now();
    await db.collection<PlainNote>(NOTES).insertMany(rows, { ordered: false });
    await watch.whenAll(rows.map(({ _id }) => [_id, 0] as const));
    const seconds = (performance.now() - started) / 1000;
    return { figures: { rate: rows.length / seconds, missed: await differences(db, NOTES, name) } };
  } finally {
    await watch.close();
  }
}

/** What the driver needs at least: the change stream, the fields, and an entry of the same size. No transaction, no head, nothing read. */
async function bareFlood(bench: Bench, db: mongo.Db, { name }: Turn): Promise<Sample> {
  const options = { writeConcern: { w: 'majority' } } as const;
  const notes = db.collection<PlainNote>(NOTES, options);
  const entries = db.collection('entries', options);
  const stream = notes.watch<PlainNote, mongo.ChangeStreamInsertDocument<PlainNote>>(
    [{ $match: { operationType: 'insert' } }],
    { batchSize: 1000 },
  );
  try {
    const rows = floodOf(bench, name);
    await stream.tryNext();
    const started = performance.now();
    const at = Date.now();
    const writing = notes.insertMany(rows, { ordered: false });
    for (let done = 0; done < rows.length;) {
      const batch = [(await stream.next()).fullDocument];
      for (
        let more = await stream.tryNext();
        more;
        more = batch.length < BATCH ? await stream.tryNext() : null
      )
        batch.push(more.fullDocument);
      const versions = batch.map((_, place) => stamp(at, done + place));
      await Promise.all([
        notes.bulkWrite(
          batch.map((row, place) => ({
            updateOne: { filter: { _id: row._id }, update: { $set: stampOf(row, versions[place] ?? '') } },
          })),
        ),
        entries.insertMany(batch.map((row, place) => entryOf(row, versions[place] ?? ''))),
      ]);
      done += batch.length;
    }
    await writing;
    return { figures: { rate: rows.length / ((performance.now() - started) / 1000) } };
  } finally {
    await stream.close();
  }
}

function floodOf({ seed, quick }: Bench, name: string): PlainNote[] {
  const rows = plainNotes(seed, name, quick ? QUICK_FLOOD : FLOOD, FLOOD_SCOPES);
  return rows.map((row) => ({ ...row, writtenAt: 0 }));
}
