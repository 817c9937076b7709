import { isObject, isScopeId } from 'nest-offline-sync-protocol';

export { MAX_IDENTITY_BYTES } from 'nest-offline-sync-protocol';

/**
 * Who asks, and in which scope (tenant). Comes from the host's guard and the configured fields or resolvers, never
 * from what the client sends, unless the app's option `scopes` lets it into the scope that it names. Everything that a request reads or writes is bound to `scopeId` (invariant 5).
 */
export interface SyncIdentity {
  /**
   * The scope (tenant) whose log and documents this identity works on. Never empty. In a request that names another
   * scope, and may use it, this is that scope: authorizers, transforms and resolvers see where they are asked about.
   */
  readonly scopeId: string;
  /**
   * The identity's own scope, where `scopeId` is another one that it may use by the option `scopes`. Missing where
   * `scopeId` is the own one, so that `ownScopeId ?? scopeId` always is.
   */
  readonly ownScopeId?: string;
  /** Who acts inside the scope. Kept with each document as `_sync_actor_id`. Never empty. */
  readonly actorId: string;
  /** What the guard put on the request: given to authorizers, transforms and resolvers as it is. */
  readonly user?: unknown;
  /** When the credentials end, if known. A stream is closed then (4401). */
  readonly expiresAt?: Date;
}

/**
 * The value at a dotted path inside the user. A property with the whole path as its name comes first, so that claims
 * such as `https://acme.example/tenant` can be named.
 */
export function readField(user: unknown, path: string): unknown {
  if (isObject(user) && path in user) return user[path];
  let value = user;
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

/**
 * An id as text: a string, a safe integer or an ObjectId. Undefined for everything that names nobody for certain:
 * missing, blank, objects, fractions, and texts that the database could not store as they are (two lone surrogates
 * would become the same stored text, and two tenants one).
 */
export function identityText(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  if (typeof value === 'string') return isScopeId(value) ? value : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  const { toHexString } = value as { toHexString?: unknown };
  if (typeof toHexString !== 'function') return undefined;
  const hex: unknown = toHexString.call(value);
  return typeof hex === 'string' && isScopeId(hex) ? hex : undefined;
}
