import type { AccessLevel, ScopesPort, SyncIdentity } from 'nest-offline-sync';

/** Who may do what in which scope, as an app's table of members: it can change at any moment. */
export class Memberships implements ScopesPort {
  /** Every question that `access` was asked: the actor, the own scope, the scope. */
  readonly asked: (readonly [string, string, string])[] = [];
  private readonly levels = new Map<string, Map<string, AccessLevel>>();

  set(actor: string, scope: string, level: AccessLevel): void {
    const scopes = this.levels.get(actor) ?? new Map<string, AccessLevel>();
    this.levels.set(actor, scopes.set(scope, level));
  }

  list({ actorId }: SyncIdentity): string[] {
    return [...(this.levels.get(actorId)?.keys() ?? [])];
  }

  access({ actorId, scopeId }: SyncIdentity, scope: string): AccessLevel {
    this.asked.push([actorId, scopeId, scope]);
    return this.levels.get(actorId)?.get(scope) ?? 'none';
  }
}
