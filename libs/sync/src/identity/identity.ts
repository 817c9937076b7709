/**
 * Who asks, and in which scope (tenant). Comes from the host's guard and the configured fields or resolvers, never
 * from what the client sends. Everything that a request reads or writes is bound to `scopeId` (invariant 5).
 */
export interface SyncIdentity {
  /** The tenant whose log and documents this identity works on. Never empty. */
  readonly scopeId: string;
  /** Who acts inside the scope. Kept with each document as `_sync_actor_id`. Never empty. */
  readonly actorId: string;
  /** What the guard put on the request: given to authorizers, transforms and resolvers as it is. */
  readonly user?: unknown;
  /** When the credentials end, if known. A stream is closed then (4401). */
  readonly expiresAt?: Date;
}
