import mongoose, { type mongo } from 'mongoose';
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
 * Follows the log's inserts until the signal fires.
 *
 * @throws whatever ended the stream: entries may have been missed
 */
export async function followInserts(
  oplog: OplogRepository,
  listener: InsertListener,
  signal: AbortSignal,
): Promise<void> {
  const start = await latestTime(oplog);
  const stream = oplog.entries.watch<InsertedEntry, Insert>(PIPELINE, { startAtOperationTime: start });
  const ended = new AbortController();
  // The server's first answer. Waiting for `next` would not tell until something is written.
  stream.once('resumeTokenChanged', () => listener.opened(start));
  const pump = async (): Promise<void> => {
    for (let first = true; ; first = false) {
      const { fullDocument, clusterTime } = await stream.next();
      if (ended.signal.aborted) return;
      if (first) listener.opened(start);
      await listener.inserted(fullDocument, clusterTime);
    }
  };
  try {
    await Promise.race([pump(), serverLost(oplog.client, ended.signal), aborted(signal, ended.signal)]);
  } finally {
    ended.abort();
    const closed = stream.close().catch(() => undefined);
    if (signal.aborted) await closed;
  }
}

/**
 * Rejects when the server that took the reads is gone or is a primary no more. The driver would resume the stream by
 * itself, but first it tries to close the cursor on the dead server, for as long as serverSelectionTimeoutMS.
 */
function serverLost(client: mongo.MongoClient, ended: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const changed = ({ previousDescription, newDescription }: mongo.ServerDescriptionChangedEvent): void => {
      const { type } = previousDescription;
      if ((type === 'RSPrimary' || type === 'Mongos') && newDescription.type !== type)
        reject(new mongoose.mongo.MongoRuntimeError('The server of the change stream is gone.'));
    };
    client.on('serverDescriptionChanged', changed);
    ended.addEventListener('abort', () => client.off('serverDescriptionChanged', changed));
  });
}

function aborted(signal: AbortSignal, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { signal: ended });
  });
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
