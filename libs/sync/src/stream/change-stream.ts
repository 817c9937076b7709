import mongoose, { type mongo } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import type { OplogRepository } from '../log/oplog';
import { within } from '../database/waiting';
import { INSERT_FIELDS, RawInsert } from '../log/entry';

const INSERTS = [
  { $match: { operationType: 'insert' } },
  { $project: Object.fromEntries(INSERT_FIELDS.map((field) => [field, 1])) },
];

/** The server answers at least once in a second, also when nothing was written. Milliseconds. */
const ANSWER_EVERY_MS = 1_000;
/** A stream that is silent for this many times as long hangs. */
const SILENT_ANSWERS = 5;
/** The first answer waits until the majority has what the primary had; each one given up keeps a connection till then. */
const SILENT_AT_FIRST = 300;
/** The first answer only tells that the stream is open: it waits for no write. */
const FIRST_ANSWER_MS = 1;
/** Longest that the first question may take. Milliseconds. */
const PING_LIMIT_MS = 10_000;

export interface InsertListener {
  /** The stream is open: nothing that is written after `time` will be missed. May be called again. */
  opened(time: mongo.Timestamp): void;
  /** What one answer of the database brought, in the order of the commits; at least one. The next one is asked for after. */
  inserted(entries: readonly RawInsert[]): Promise<void>;
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
  if (signal.aborted) return;
  // The driver's own change stream makes objects of all events, also of those that nobody of this process listens to.
  const cursor = oplog.db.runCursorCommand(
    {
      aggregate: oplog.entries.collectionName,
      pipeline: [{ $changeStream: { startAtOperationTime: start } }, ...INSERTS],
      cursor: {},
    },
    { raw: true },
  );
  const ended = new AbortController();
  const silence = new Silence(ended.signal);
  const pump = async (): Promise<void> => {
    cursor.setMaxTimeMS(FIRST_ANSWER_MS);
    for (;;) {
      silence.begin();
      const first = (await cursor.tryNext()) as Buffer | null;
      // The first answer may come long after it was given up: another stream's listeners are not told then.
      if (signal.aborted || ended.signal.aborted) return;
      silence.end();
      cursor.setMaxTimeMS(ANSWER_EVERY_MS);
      listener.opened(start);
      if (!first) {
        // Gone with its collection: asked again it would only say the same, at once.
        if (cursor.closed) throw new mongoose.mongo.MongoCursorExhaustedError('The log was dropped.');
        continue;
      }
      const others = cursor.readBufferedDocuments() as unknown as Buffer[];
      await listener.inserted([first, ...others].map((bytes) => new RawInsert(bytes)));
    }
  };
  try {
    await Promise.race([
      pump(),
      silence.lasting,
      serverLost(oplog.client, ended.signal),
      aborted(signal, ended.signal),
    ]);
  } finally {
    ended.abort();
    const closed = cursor.close().catch(() => undefined);
    if (signal.aborted) await closed;
  }
}

/** Tells when an answer has been waited for too long: those who listen to the stream would never learn that it hangs. */
class Silence {
  private waiting = false;
  private quietFor = 0;
  private limit = SILENT_AT_FIRST;
  /** Rejects then. */
  readonly lasting: Promise<never>;

  constructor(ended: AbortSignal) {
    this.lasting = new Promise((_, reject) => {
      // Counted, not measured: a process that was frozen itself first hears what has come meanwhile.
      const timer = setInterval(() => {
        if (this.waiting) this.quietFor += 1;
        if (this.quietFor > this.limit)
          reject(new mongoose.mongo.MongoNetworkTimeoutError('The change stream has fallen silent.'));
      }, ANSWER_EVERY_MS);
      ended.addEventListener('abort', () => clearInterval(timer));
    });
  }

  begin(): void {
    this.waiting = true;
  }

  end(): void {
    this.waiting = false;
    this.quietFor = 0;
    this.limit = SILENT_ANSWERS;
  }
}

/**
 * Rejects when the server that took the reads is gone or is a primary no more. The cursor's own error may come later: the
 * driver first tries to close the cursor on the dead server, for as long as serverSelectionTimeoutMS.
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
    await within(PING_LIMIT_MS, (signal) =>
      oplog.db.command({ ping: 1 }, { session, readPreference: 'primary', signal }),
    );
    if (session.operationTime) return session.operationTime;
    throw new SyncError('configuration', 'MongoDB is not a replica set: it tells no operation time.');
  } finally {
    await session.endSession();
  }
}
