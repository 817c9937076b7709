import type { mongo } from 'mongoose';
import type { OplogRepository } from '../oplog/oplog.repository';
import type { EntryRecord } from '../oplog/records';
import { SyncError } from '../protocol/errors';

/** What the change stream brings of an entry. */
export type InsertedEntry = Pick<EntryRecord, 'scope' | 'seq' | 'version' | 'collection' | 'wire' | 'at'>;
type Insert = mongo.ChangeStreamInsertDocument<InsertedEntry>;

const FIELDS = ['scope', 'seq', 'version', 'collection', 'wire', 'at'] satisfies (keyof InsertedEntry)[];
const PIPELINE = [
  { $match: { operationType: 'insert' } },
  {
    $project: {
      operationType: 1,
      clusterTime: 1,
      ...Object.fromEntries(FIELDS.map((field) => [`fullDocument.${field}`, 1])),
    },
  },
];

export interface InsertListener {
  /** The stream is open: nothing that is written after `time` will be missed. May be called again. */
  opened(time: mongo.Timestamp): void;
  /** One entry, in the order of the commits. The next one comes when the promise, if any, has resolved. */
  inserted(entry: InsertedEntry, time: mongo.Timestamp | undefined): Promise<void> | undefined;
}

/**
 * Follows the log's inserts until the signal fires. What the driver can resume by itself (an election) goes unnoticed.
 *
 * @throws whatever ended the stream for good: entries may have been missed
 */
export async function followInserts(
  oplog: OplogRepository,
  listener: InsertListener,
  signal: AbortSignal,
): Promise<void> {
  const start = await latestTime(oplog);
  const stream = oplog.entries.watch<InsertedEntry, Insert>(PIPELINE, { startAtOperationTime: start });
  const opened = (): void => listener.opened(start);
  const close = (): void => void stream.close().catch(() => undefined);
  signal.addEventListener('abort', close);
  // The server's first answer. Waiting for `next` would not tell until something is written.
  stream.once('resumeTokenChanged', opened);
  try {
    for (let first = true; !signal.aborted; first = false) {
      const { fullDocument, clusterTime } = await stream.next();
      if (first) opened();
      await listener.inserted(fullDocument, clusterTime);
    }
  } finally {
    signal.removeEventListener('abort', close);
    await stream.close();
  }
}

/**
 * The time of the primary's newest operation. A stream that starts there and a read that sees at least that much miss
 * nothing between them. The operation time of the stream's own first answer would not do: it is what the majority has
 * confirmed so far, and a stream without a start begins behind that, at what the primary has applied.
 */
async function latestTime(oplog: OplogRepository): Promise<mongo.Timestamp> {
  const session = oplog.client.startSession({ causalConsistency: true });
  try {
    await oplog.db.command({ ping: 1 }, { session, readPreference: 'primary' });
    if (session.operationTime) return session.operationTime;
    throw new SyncError('configuration', 'MongoDB is not a replica set: it tells no operation time.');
  } finally {
    await session.endSession();
  }
}
