import type { FakeSession } from './fake-socket.ts';

/** What an actor may do in a scope that is not its own. */
export type FakeAccessLevel = 'none' | 'read' | 'write';

/** Who may use which scopes and collections of the fake server. */
export class FakeAccess {
  private readonly levels = new Map<string, FakeAccessLevel>();
  private readonly closed = new Set<string>();

  constructor(private readonly collections: readonly string[]) {}

  /** In a scope of somebody else; nothing is granted at first. */
  grant(actor: string, scope: string, level: FakeAccessLevel): void {
    this.levels.set(keyOf(actor, scope), level);
  }

  /** Neither reads nor writes of the collection, or both again. */
  close(actor: string, collection: string, isClosed: boolean): void {
    if (isClosed) this.closed.add(keyOf(actor, collection));
    else this.closed.delete(keyOf(actor, collection));
  }

  to(scope: string, session: FakeSession): FakeAccessLevel {
    return scope === session.scope ? 'write' : (this.levels.get(keyOf(session.actor, scope)) ?? 'none');
  }

  mayUse(collection: string, { actor }: FakeSession): boolean {
    return !this.closed.has(keyOf(actor, collection));
  }

  /** Of the named collections the first that may not be used. */
  denied(names: readonly string[], session: FakeSession): string | undefined {
    return names.find((name) => !this.mayUse(name, session));
  }

  readable(session: FakeSession): string[] {
    return this.collections.filter((name) => this.mayUse(name, session));
  }

  /** As GET scopes lists them. */
  scopes(session: FakeSession): { scope: string; access: FakeAccessLevel; own: boolean }[] {
    const others = [...this.levels]
      .map(([key, access]) => ({ ...(JSON.parse(key) as { actor: string; of: string }), access }))
      .filter(({ actor, access }) => actor === session.actor && access !== 'none')
      .map(({ of, access }) => ({ scope: of, access, own: false }));
    return [{ scope: session.scope, access: 'write', own: true }, ...others];
  }
}

function keyOf(actor: string, of: string): string {
  return JSON.stringify({ actor, of });
}
