import type { mongo } from 'mongoose';
import { until } from './until';
import type { PlainNote } from './plain-notes';

const LIMIT_MS = 120_000;

interface Entry {
  readonly doc: string;
  readonly wire: string;
}

/** Sees the log as it grows: how long after its write each document was recorded, and what was recorded last. */
export class LogWatch {
  readonly lags: number[] = [];
  private readonly recorded = new Map<string, number | undefined>();

  private constructor(private readonly stream: mongo.ChangeStream<Entry>) {
    stream.on('change', (event) => {
      if (event.operationType !== 'insert') return;
      const { doc, wire } = event.fullDocument;
      const { data } = JSON.parse(wire) as { data: PlainNote | null };
      this.recorded.set(doc, data?.writtenAt);
      if (data?.writtenAt !== undefined) this.lags.push(Date.now() - data.writtenAt);
    });
  }

  static async open(entries: mongo.Collection<Entry>): Promise<LogWatch> {
    const stream = entries.watch<Entry, mongo.ChangeStreamDocument<Entry>>([
      { $match: { operationType: 'insert' } },
    ]);
    const watch = new LogWatch(stream);
    await until(() => stream.resumeToken !== undefined && stream.resumeToken !== null, LIMIT_MS);
    return watch;
  }

  /** Waits until the newest entry of each document is its last write. What was deleted at once may have none. */
  async whenAll(written: ReadonlyMap<string, number | undefined>): Promise<void> {
    let left = [...written];
    await until(() => {
      left = left.filter(([id, at]) => this.recorded.get(id) !== at);
      return left.length === 0;
    }, LIMIT_MS);
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
