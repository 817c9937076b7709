import { SyncError } from '../protocol/errors';
import type { SyncIdentity } from './identity';

// Not a property of the request: nothing that a client sends or a host's middleware copies can get in here.
const identities = new WeakMap<object, SyncIdentity>();

export function keepIdentity(request: object, identity: SyncIdentity): void {
  identities.set(request, identity);
}

/**
 * The identity that `SyncGuard` found for this request.
 *
 * @throws SyncError `configuration` when the guard did not run on the route
 */
export function identityOf(request: object): SyncIdentity {
  const identity = identities.get(request);
  if (identity) return identity;
  throw new SyncError(
    'configuration',
    'This request has no sync identity: put @UseGuards(SyncGuard) on the route or its controller.',
  );
}
