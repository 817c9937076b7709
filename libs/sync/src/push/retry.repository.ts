import mongoose from 'mongoose';
import { hasErrorLabel } from '../oplog/oplog.repository';

const { MongoNetworkError, MongoServerSelectionError, MongoNotConnectedError } = mongoose.mongo;

/**
 * Whether the whole transaction may be run again. Not when the outcome of its commit is unknown: it may have
 * happened, and a change without a mutation id would be doubled.
 */
export function isRetryable(error: unknown): boolean {
  if (hasErrorLabel(error, 'UnknownTransactionCommitResult')) return false;
  if (hasErrorLabel(error, 'TransientTransactionError')) return true;
  return (
    error instanceof MongoNetworkError ||
    error instanceof MongoServerSelectionError ||
    error instanceof MongoNotConnectedError
  );
}
