import { isPassing } from '../database/errors';
import { hostRefusal } from '../http/failure';
import { SyncError } from '../protocol/errors';

/**
 * What a client may know of an error: the same code as over HTTP, where a socket can say it. A guard of the app that
 * refuses for another reason (402, say) does not let the socket pass; one that fails is asked again later. Texts of
 * unknown errors stay inside.
 */
export function asSyncError(error: unknown): SyncError {
  if (isPassing(error))
    return new SyncError('unavailable', 'The database is out of reach at the moment. Try again shortly.');
  const refusal = error instanceof SyncError ? hostRefusal(error.cause) && error : hostRefusal(error);
  if (!refusal)
    return error instanceof SyncError
      ? error
      : new SyncError('internal', 'Something went wrong in the server.');
  switch (refusal.code) {
    case 'malformed_request':
    case 'payload_too_large':
      return new SyncError('forbidden', 'The guard of the app does not let this socket pass.');
    case 'internal':
      return new SyncError('unavailable', 'The credentials could not be checked. Try again later.');
    default:
      return refusal;
  }
}
