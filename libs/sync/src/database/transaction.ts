import { setTimeout as delay } from 'node:timers/promises';
import mongoose, { type mongo } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { CONFLICT_PAUSE, fullJitter, within } from './waiting';
import { isOutOfReach, isSocketError, mayBeCommitted } from './errors';

const { MongoBulkWriteError, MongoError, MongoNetworkError } = mongoose.mongo;

/** How every transaction of the engine runs: what it reads is of one moment, what it writes survives a failover. */
export const TRANSACTION_OPTIONS: mongo.TransactionOptions = {
  readConcern: { level: 'snapshot' },
  writeConcern: { w: 'majority' },
  readPreference: 'primary',
};

/** Longest that a commit may take that begins after its deadline. Milliseconds. */
const COMMIT_LIMIT_MS = 10_000;
/** The commit was asked for, and until the deadline nobody said what became of it. */
export class UnknownCommitError extends SyncError {
  constructor(cause: unknown) {
    super(
      'unavailable',
      'The database did not say in time whether the transaction was committed. What has a mutation_id is safe to send again; anything else: look first.',
      { retryAfterSeconds: 2, cause },
    );
  }
}

/**
 * An error of ours that asks for the whole transaction to be tried again. It extends the driver's own error and
 * carries its label: `withTransaction` of the app's own code would not retry it otherwise.
 */
export class TransientSyncError extends MongoError {
  constructor(message: string) {
    super(message);
    this.addErrorLabel('TransientTransactionError');
  }

  override get name(): string {
    return 'TransientSyncError';
  }
}

/**
 * The error by which a command inside a transaction should have failed when the connection was lost; any other error
 * as it is. The driver lets two through in a shape that says nothing of a retry: what happened to a bulk write before it
 * was sent (a cleared pool, no primary) is a MongoBulkWriteError without a label, and what ends a command while it is
 * still being sent is the bare error of Node's socket.
 */
export function asLostConnection(error: unknown): unknown {
  const inBulkWrite = error instanceof MongoBulkWriteError && isOutOfReach(error.errorResponse);
  if (!inBulkWrite && !isSocketError(error)) return error;
  const lost = new MongoNetworkError('The connection to the database was lost', { cause: error as Error });
  lost.addErrorLabel('TransientTransactionError');
  return lost;
}

/**
 * Commits, and asks again while the outcome is unknown: a commit may be sent twice, it happens once.
 *
 * @throws UnknownCommitError past the deadline; else the driver's error: the transaction is undone
 */
export async function commitUntil(session: mongo.ClientSession, deadline: number): Promise<void> {
  for (let attempts = 0; ; attempts++) {
    try {
      await within(Math.max(deadline - performance.now(), COMMIT_LIMIT_MS), () =>
        session.commitTransaction(),
      );
      return;
    } catch (error) {
      if (!mayBeCommitted(error)) throw error;
      if (performance.now() > deadline) throw new UnknownCommitError(error);
    }
    await delay(fullJitter(attempts, CONFLICT_PAUSE, Math.random()));
  }
}

/** The transaction is lost already; why the abort failed would hide why it came to it. */
export async function abortQuietly(session: mongo.ClientSession): Promise<void> {
  try {
    await session.abortTransaction();
  } catch {
    // The server ends it by itself.
  }
}
