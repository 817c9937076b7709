import type { Observable } from 'rxjs';
import type { SyncIdentity } from './identity';

/** What an identity may do in a scope. */
export const ACCESS_LEVELS = ['none', 'read', 'write'] as const;
export type AccessLevel = (typeof ACCESS_LEVELS)[number];

/** The app's answer, at once or later. */
export type Answer<T> = T | Promise<T> | Observable<T>;

/**
 * Which scopes an identity may use besides its own: projects, teams, a shared catalogue. Its own scope is always there,
 * with `write`, and never asked for. All identities here are in their own scope: `identity.scopeId` is that one.
 *
 * `access` decides alone; what `list` gives is only shown to the client (GET scopes), as far as `access` allows it. It is
 * asked with each request, and again and again while somebody listens (invariant 5): look the membership up, and do
 * not keep it for long. Ids of scopes share one name space with the own scopes of all identities.
 */
export abstract class SyncScopes {
  /** The ids of the scopes that a client of this identity should know of. */
  abstract list(identity: SyncIdentity): Answer<readonly string[]>;

  /**
   * @param scopeId as the client named it: it need not exist
   * @returns `none` also for a scope that does not exist. Anything else than the three texts counts as `none`, and the log
   *   says once that the app is wrong. A ForbiddenException is a `none` too; any other error fails the request
   */
  abstract access(identity: SyncIdentity, scopeId: string): Answer<AccessLevel>;

  /**
   * What kind of scope it is, by its id alone: for collections that live in scopes of some kinds only (their option
   * `scopes`). Also asked about own scopes, and about those that the app writes to.
   */
  kind?(scopeId: string): string;
}

/** What the option `scopes` may be: an object, or a provider's class with the same methods. */
export type ScopesPort = Pick<SyncScopes, 'list' | 'access' | 'kind'>;
