import mongoose from 'mongoose';
import { SyncError } from '../protocol/errors';
import { isOutOfReach, isSocketError } from './errors';

const { MongoBulkWriteError, MongoError, MongoNetworkError } = mongoose.mongo;

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
 * as it is. The driver lets two through in a shape that says nothing of a retry: what befell a bulk write before it
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
