import { Injectable } from '@nestjs/common';
import type { AccessLevel, SyncIdentity, SyncScopes } from 'nest-offline-sync';

/** The price list of the wholesaler: one scope that everybody may read, and that only the app writes to. */
export const CATALOG = 'catalog';
const USER = 'user:';

/**
 * Which scopes a person may use besides their business: their own private one, in whichever business they work, and the
 * catalogue. This demo can tell by the ids alone; an app with projects or teams looks its members up here.
 *
 * All scopes share one name space: TokenRequestDto lets no business have one of these names.
 */
@Injectable()
export class ShopScopes implements SyncScopes {
  list({ actorId }: SyncIdentity): string[] {
    return [`${USER}${actorId}`, CATALOG];
  }

  access({ actorId }: SyncIdentity, scopeId: string): AccessLevel {
    if (scopeId === `${USER}${actorId}`) return 'write';
    return scopeId === CATALOG ? 'read' : 'none';
  }

  /** The collections name these kinds in their option `scopes`. */
  kind(scopeId: string): 'business' | 'user' | 'catalog' {
    if (scopeId.startsWith(USER)) return 'user';
    return scopeId === CATALOG ? 'catalog' : 'business';
  }
}
