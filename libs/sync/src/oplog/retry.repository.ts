import mongoose from 'mongoose';
import { hasErrorLabel } from './oplog.repository';
import { isSocketError } from './socket-error';
import { SyncError } from '../protocol/errors';

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

const {
  MongoBulkWriteError,
  MongoNetworkError,
  MongoNotConnectedError,
  MongoServerError,
  MongoServerSelectionError,
} = mongoose.mongo;

/** Whoever waits is sent away: a session was ended from outside, a server woke up that was frozen. */
const INTERRUPTED = 11601;
const NO_SUCH_TRANSACTION = 251;

/**
 * Whether a failed commit may have happened all the same. The driver labels what came back from a server; it says
 * nothing when there is no server to ask again (a lost primary), though its first try may have arrived, and it fails
 * by itself, with a TypeError, over the bare error of a socket. A server that knows of no such transaction, but cannot
 * have that confirmed by the majority, may be a primary of yesterday: it sends its word without the transient label.
 */
export function mayBeCommitted(error: unknown): boolean {
  if (hasErrorLabel(error, 'TransientTransactionError')) return false;
  return (
    hasErrorLabel(error, 'UnknownTransactionCommitResult') ||
    isOutOfReach(error) ||
    isSocketError(error) ||
    error instanceof TypeError ||
    hasCode(error, NO_SUCH_TRANSACTION, INTERRUPTED)
  );
}

/**
 * Whether the whole transaction may be run again. Not when the outcome of its commit is unknown: it may have
 * happened, and a change without a mutation id would be doubled.
 */
export function isRetryable(error: unknown): boolean {
  if (hasErrorLabel(error, 'UnknownTransactionCommitResult')) return false;
  return (
    hasErrorLabel(error, 'TransientTransactionError') || isOutOfReach(error) || hasCode(error, INTERRUPTED)
  );
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

function isOutOfReach(error: unknown): boolean {
  return (
    error instanceof MongoNetworkError ||
    error instanceof MongoServerSelectionError ||
    error instanceof MongoNotConnectedError
  );
}

function hasCode(error: unknown, ...codes: readonly number[]): boolean {
  return error instanceof MongoServerError && codes.includes(Number(error.code));
}
