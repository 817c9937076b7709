import { SyncError } from '../protocol/errors';

/**
 * Whether an authorizer has said no by what it threw: a SyncError of that status, or the app's own ForbiddenException.
 * Any other error is the caller's.
 */
export function isRefusal(error: unknown): boolean {
  return (error instanceof SyncError ? error.status : httpStatus(error)) === 403;
}

function httpStatus(error: unknown): unknown {
  return error instanceof Error && 'getStatus' in error && typeof error.getStatus === 'function'
    ? (error.getStatus as () => unknown)()
    : undefined;
}
