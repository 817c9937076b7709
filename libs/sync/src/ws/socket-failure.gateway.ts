import { HttpException } from '@nestjs/common';
import { isPassing } from '../database/errors';
import { SyncError } from '../protocol/errors';

/** What a client may know of an error. The app's guards throw HttpExceptions; texts of unknown errors stay inside. */
export function asSyncError(error: unknown): SyncError {
  if (error instanceof SyncError) return error;
  if (isPassing(error))
    return new SyncError('unavailable', 'The database is out of reach at the moment. Try again shortly.');
  if (!(error instanceof HttpException))
    return new SyncError('internal', 'Something went wrong in the server.');
  const status = error.getStatus();
  return status >= 500 || status === 429
    ? new SyncError('unavailable', 'The credentials could not be checked. Try again later.')
    : new SyncError('forbidden', 'The guard of the app does not let this socket pass.');
}
