import type { mongo } from 'mongoose';
import type { WriterRun } from './foreign-writer';
import { until } from './until';
import type { PlainNote } from './plain-notes';

const LIMIT_MS = 120_000;

interface Entry {
  readonly doc: string;
  readonly wire: string;
}

/** When an entry of a document could be read, and what it says of its last write. */
interface Reading {
  readonly writtenAt: number;
  readonly at: number;
}

/** Sees the log as it grows: when each write was to be read there, and what was recorded last. Times are of `Date.now()`. */
export class LogWatch {
  private readonly newest = new Map<string, number | null>();
  private readonly readings = new Map<string, Reading[]>();

  private constructor(private readonly stream: mongo.ChangeStream<Entry>) {
    stream.on('change', (event) => {
      if (event.operationType !== 'insert') return;
      const { doc, wire } = event.fullDocument;
      const { data } = JSON.parse(wire) as { data: PlainNote | null };
      this.newest.set(doc, data?.writtenAt ?? null);
      if (data?.writtenAt === undefined) return;
      const reading = { writtenAt: data.writtenAt, at: Date.now() };
      const same = this.readings.get(doc);
      if (same) same.push(reading);
      else this.readings.set(doc, [reading]);
    });
  }

  static async open(entries: mongo.Collection<Entry>): Promise<LogWatch> {
    const stream = entries.watch<Entry, mongo.ChangeStreamDocument<Entry>>([
      { $match: { operationType: 'insert' } },
      { $project: { operationType: 1, 'fullDocument.doc': 1, 'fullDocument.wire': 1 } },
    ]);
    const watch = new LogWatch(stream);
    await until(() => stream.resumeToken !== undefined && stream.resumeToken !== null, LIMIT_MS);
    return watch;
  }

  /** Waits until the newest entry of each document is its last write. What was deleted at once may have none. */
  async whenAll(written: Iterable<readonly [id: string, at: number | null]>): Promise<void> {
    let left = [...written];
    await until(() => {
      left = left.filter(([id, at]) => (this.newest.get(id) ?? null) !== at);
      return left.length === 0;
    }, LIMIT_MS);
  }

  /** How long after its acknowledgement each write, or a later one of its document, was to be read. Milliseconds. */
  lags(acknowledged: WriterRun['acknowledged']): number[] {
    return acknowledged.flatMap(([id, writtenAt, at]) => {
      const reading = this.readings.get(id)?.find((one) => one.writtenAt >= writtenAt);
      // What was deleted at once may have no entry.
      return reading ? [Math.max(0, reading.at - at)] : [];
    });
  }

  close(): Promise<void> {
    return this.stream.close();
  }
}

/**
 * How many documents the log tells otherwise than the collection has them, counted in the database: 0 is none.
 *
 * @param prefix of the scopes
 */
export async function differences(db: mongo.Db, documents: string, prefix: string): Promise<number> {
  const newest = db
    .collection<Entry>('sync_oplog')
    .aggregate<{ _id: string; wire: string }>(
      [
        { $match: { scope: { $regex: `^${prefix}-` } } },
        { $sort: { scope: 1, version: -1 } },
        { $group: { _id: '$doc', wire: { $first: '$wire' } } },
      ],
      { allowDiskUse: true },
    );
  const told = new Map<string, string>();
  for await (const { _id, wire } of newest) {
    const { data } = JSON.parse(wire) as { data: object | null };
    if (data) told.set(_id, text(data));
  }
  let differing = 0;
  const filter = { business_id: { $regex: `^${prefix}-` }, _sync_deleted: { $ne: true } };
  for await (const { _id, ...document } of db.collection<PlainNote>(documents).find(filter)) {
    if (told.get(_id) !== text(document)) differing += 1;
    told.delete(_id);
  }
  return differing + told.size;
}

function text(document: object): string {
  const own = Object.entries(document).filter(([field]) => !field.startsWith('_'));
  return JSON.stringify(own.sort(([a], [b]) => (a < b ? -1 : 1)));
}
