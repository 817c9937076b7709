import type { SyncIdentity } from '../identity/identity';
import { SyncError } from '../protocol/errors';
import type { CollectionAction, SyncAuthorizerFunction } from './ports';

/**
 * Asks an authorizer. Only `true` allows. An authorizer of a Nest app may also say no in the app's own way, by a
 * thrown ForbiddenException; any other error is the caller's.
 */
export async function isAllowed(
  authorize: SyncAuthorizerFunction,
  identity: SyncIdentity,
  collection: string,
  action: CollectionAction,
): Promise<boolean> {
  try {
    return await authorize(identity, collection, action);
  } catch (error) {
    if (error instanceof SyncError ? error.status === 403 : httpStatus(error) === 403) return false;
    throw error;
  }
}

function httpStatus(error: unknown): unknown {
  return error instanceof Error && 'getStatus' in error && typeof error.getStatus === 'function'
    ? (error.getStatus as () => unknown)()
    : undefined;
}
