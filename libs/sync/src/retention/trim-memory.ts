/** Longest that a scope is left alone for what was once read of it, milliseconds. */
const LOOK_AGAIN_MS = 3_600_000;
const MAX_SCOPES = 100_000;

interface Known {
  readonly clearedSeq: number;
  readonly lookAt: number;
}

/**
 * What a trimming process remembers of the scopes between its runs, so that a scope in which nothing is due costs no
 * query. It holds hints only: whatever is forgotten or stale is read again, and no deletion goes by it.
 */
export class TrimMemory {
  private readonly scopes = new Map<string, Known>();

  /** Up to which seq this process has deleted the scope's entries. */
  clearedSeq(scope: string): number {
    return this.scopes.get(scope)?.clearedSeq ?? 0;
  }

  /** Whether the oldest entry of the scope may have become too old. */
  mayHaveExpired(scope: string, now: number): boolean {
    return now >= (this.scopes.get(scope)?.lookAt ?? 0);
  }

  cleared(scope: string, seq: number): void {
    this.keep(scope, { lookAt: this.scopes.get(scope)?.lookAt ?? 0, clearedSeq: seq });
  }

  /** The oldest entry that stays becomes too old at `expiresAt`; undefined when none stays. */
  oldestExpires(scope: string, expiresAt: number | undefined, now: number): void {
    const lookAt = expiresAt === undefined ? 0 : Math.min(expiresAt, now + LOOK_AGAIN_MS);
    this.keep(scope, { clearedSeq: this.clearedSeq(scope), lookAt });
  }

  private keep(scope: string, known: Known): void {
    if (this.scopes.size >= MAX_SCOPES && !this.scopes.has(scope)) this.scopes.clear();
    this.scopes.set(scope, known);
  }
}
