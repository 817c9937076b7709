import type { mongo } from 'mongoose';
import { DECODING } from '../collections/native-collection';
import { codeOf, isPassing, MONGO_CODES } from '../database/errors';
import { within } from '../database/waiting';
import type { OplogRepository } from '../log/oplog';
import { projection, surelyOwn, type ChangeEvent } from './change-events';

/** Where to begin: behind what was seen already, or at a time. */
export type Start = { readonly startAfter: unknown } | { readonly startAtOperationTime: mongo.Timestamp };

export interface ChangeBatch {
  readonly events: readonly ChangeEvent[];
  /** Everything before it was given. */
  readonly token: unknown;
  /** The stream ends here. */
  readonly isEnd: boolean;
}

interface Reply {
  readonly cursor: {
    readonly id: mongo.Long | number | bigint;
    readonly firstBatch?: readonly ChangeEvent[];
    readonly nextBatch?: readonly ChangeEvent[];
    readonly postBatchResumeToken: unknown;
  };
}

/** The server cannot tell what came after a position, and never will. */
export class HistoryLost extends Error {
  override readonly name = 'HistoryLost';
}

/** The server answers at least that often, also when nothing was written. Milliseconds. */
const ANSWER_EVERY_MS = 500;
const BATCH = 1000;
const LIMIT_MS = 15_000;
/** The first answer waits until the majority has what the primary had. */
const FIRST_LIMIT_MS = 60_000;

/**
 * The changes of some collections of a database, in their order, with the documents as they were before. By the commands
 * themselves: the driver's change stream does not tell the token of an answer without events, and a quiet collection would
 * fall out of MongoDB's own log. The next answer is asked for while one is worked on.
 *
 * @throws HistoryLost when the position is of no use any more; else what ends the stream
 */
export async function* changesOf(
  oplog: Pick<OplogRepository, 'client' | 'db'>,
  watched: Watched,
  start: Start,
  signal: AbortSignal,
): AsyncGenerator<ChangeBatch> {
  const { client, db } = oplog;
  const session = client.startSession();
  let id: Reply['cursor']['id'] = 0;
  let asked: Promise<Reply> | undefined;
  try {
    const { cursor } = await open(oplog, watched, start, session);
    id = cursor.id;
    for (let reply = cursor; ;) {
      asked = Number(id) === 0 ? undefined : run(db, session, LIMIT_MS, more(id));
      // It is heard below, but perhaps later than it fails.
      asked?.catch(() => undefined);
      yield batchOf(reply.firstBatch ?? reply.nextBatch, reply.postBatchResumeToken);
      if (!asked || signal.aborted) return;
      ({ cursor: reply } = await asked);
      id = reply.id;
    }
  } catch (error) {
    throw LOST.has(codeOf(error) ?? 0)
      ? new HistoryLost('It is not in the log any more', { cause: error })
      : error;
  } finally {
    await asked?.catch(() => undefined);
    if (Number(id) !== 0)
      await within(LIMIT_MS, () =>
        db.command({ killCursors: '$cmd.aggregate', cursors: [id] }, { session }),
      ).catch(() => undefined);
    await session.endSession();
  }
}

/** Names of collections, and the fields of their documents that name scopes. */
export interface Watched {
  readonly names: readonly string[];
  readonly scopeFields: readonly string[];
}

/** A position that the server refuses, where it takes the present, is of no use: whatever its words are. */
async function open(
  oplog: Pick<OplogRepository, 'client' | 'db'>,
  watched: Watched,
  start: Start,
  session: mongo.ClientSession,
): Promise<Reply> {
  const from = (place: Start): Promise<Reply> =>
    run(oplog.db, session, FIRST_LIMIT_MS, {
      aggregate: 1,
      pipeline: pipelineOf(watched, place),
      cursor: { batchSize: BATCH },
    });
  try {
    return await from(start);
  } catch (error) {
    if (isPassing(error)) throw error;
    const { cursor } = await from({ startAtOperationTime: await latestTime(oplog) });
    await run(oplog.db, session, LIMIT_MS, { killCursors: '$cmd.aggregate', cursors: [cursor.id] }).catch(
      () => undefined,
    );
    throw new HistoryLost('The position is refused', { cause: error });
  }
}

function pipelineOf({ names, scopeFields }: Watched, start: Start): mongo.Document[] {
  return [
    { $changeStream: { fullDocumentBeforeChange: 'whenAvailable', ...start } },
    {
      $match: {
        $or: [
          { 'ns.coll': { $in: [...names] } },
          { 'to.coll': { $in: [...names] } },
          { operationType: { $in: ['dropDatabase', 'invalidate'] } },
        ],
      },
    },
    // They are as many as all that the engine writes, and each would be sent and read for nothing.
    { $match: { $expr: { $not: [surelyOwn()] } } },
    { $project: projection(scopeFields) },
  ];
}

function more(id: Reply['cursor']['id']): mongo.Document {
  return { getMore: id, collection: '$cmd.aggregate', batchSize: BATCH, maxTimeMS: ANSWER_EVERY_MS };
}

function run(
  db: mongo.Db,
  session: mongo.ClientSession,
  ms: number,
  command: mongo.Document,
): Promise<Reply> {
  return within(ms, (limit) =>
    db.command(command, { session, readPreference: 'primary', signal: limit, ...DECODING }),
  ) as Promise<Reply>;
}

/** ChangeStreamHistoryLost, ChangeStreamFatalError, InvalidResumeToken, CappedPositionLost. The last: an event that is larger than MongoDB's own bound comes at the same place each time. */
const LOST = new Set<number>([286, 280, 260, 136, MONGO_CODES.BSONObjectTooLarge]);

/** A database that was dropped ends the stream; the next one begins behind that. */
function batchOf(events: readonly ChangeEvent[] = [], token: unknown): ChangeBatch {
  const last = events.at(-1);
  const isEnd = last?.operationType === 'invalidate';
  return { events, token: isEnd ? last._id : token, isEnd };
}

/** The time of the primary's newest operation. */
export async function latestTime({
  client,
  db,
}: Pick<OplogRepository, 'client' | 'db'>): Promise<mongo.Timestamp> {
  const session = client.startSession({ causalConsistency: true });
  try {
    await within(LIMIT_MS, (signal) =>
      db.command({ ping: 1 }, { session, readPreference: 'primary', signal }),
    );
    return session.operationTime as mongo.Timestamp;
  } finally {
    await session.endSession();
  }
}
