import type { mongo } from 'mongoose';
import { DECODING } from '../collections/native-collection';
import { within } from '../database/waiting';
import type { OplogRepository } from '../log/oplog';
import { projection, type ChangeEvent } from './change-events';

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

/** The server answers at least that often, also when nothing was written. Milliseconds. */
const ANSWER_EVERY_MS = 500;
const BATCH = 1000;
const LIMIT_MS = 15_000;
/** The first answer waits until the majority has what the primary had. */
const FIRST_LIMIT_MS = 60_000;

/**
 * The changes of some collections of a database, in their order, with the documents as they were before. By the commands
 * themselves: the driver's change stream does not tell the token of an answer without events, and a quiet collection would
 * fall out of MongoDB's own log.
 *
 * @throws what ends the stream
 */
export async function* changesOf(
  { client, db }: Pick<OplogRepository, 'client' | 'db'>,
  { names, scopeFields }: { readonly names: readonly string[]; readonly scopeFields: readonly string[] },
  start: Start,
  signal: AbortSignal,
): AsyncGenerator<ChangeBatch> {
  const session = client.startSession();
  const run = (command: mongo.Document, ms: number): Promise<Reply> =>
    within(ms, (limit) =>
      db.command(command, { session, readPreference: 'primary', signal: limit, ...DECODING }),
    ) as Promise<Reply>;
  let id: Reply['cursor']['id'] = 0;
  try {
    const pipeline = [
      { $changeStream: { fullDocumentBeforeChange: 'whenAvailable', ...start } },
      {
        $match: {
          $or: [
            { 'ns.coll': { $in: [...names] } },
            { operationType: { $in: ['dropDatabase', 'invalidate'] } },
          ],
        },
      },
      { $project: projection(scopeFields) },
    ];
    const { cursor } = await run({ aggregate: 1, pipeline, cursor: { batchSize: BATCH } }, FIRST_LIMIT_MS);
    id = cursor.id;
    yield batchOf(cursor.firstBatch, cursor.postBatchResumeToken);
    while (!signal.aborted && Number(id) !== 0) {
      const more = {
        getMore: id,
        collection: '$cmd.aggregate',
        batchSize: BATCH,
        maxTimeMS: ANSWER_EVERY_MS,
      };
      const { cursor: next } = await run(more, LIMIT_MS);
      id = next.id;
      yield batchOf(next.nextBatch, next.postBatchResumeToken);
    }
  } finally {
    if (Number(id) !== 0)
      await within(LIMIT_MS, () =>
        db.command({ killCursors: '$cmd.aggregate', cursors: [id] }, { session }),
      ).catch(() => undefined);
    await session.endSession();
  }
}

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
