import { formatHlc, ZERO_HLC } from 'nest-offline-sync-protocol';

/**
 * What retention does with one scope's log, decided without I/O. Trimming removes a prefix only (invariants 3 and 7),
 * in two steps that never overlap: the floor is raised, so that older cursors get a full resync; after the grace
 * period, when no reader that began before can still be reading, the entries up to the floor are deleted. Only then
 * is the floor raised again: a scope that writes all day would otherwise push its own deletion ahead of itself for ever.
 */
export interface TrimState {
  /** Entries that the scope has ever had: the newest one's seq. */
  readonly seq: number;
  readonly floorSeq: number;
  /** Database time of the last raise, milliseconds. */
  readonly floorAt: number | undefined;
  /** Everything up to this seq is known to be deleted; 0 when nothing is known. */
  readonly clearedSeq: number;
}

/** Up to which seq the retention rules let entries go. */
export interface TrimRules {
  /**
   * Seq of the oldest entry that is still young enough to stay; `none` when all are too old, `unlimited` when
   * nothing goes by age.
   */
  readonly oldestYoung: number | 'none' | 'unlimited';
  /** Entries that the scope may keep; undefined for any number. */
  readonly maxEntries: number | undefined;
}

export type TrimStep =
  | { readonly kind: 'nothing' }
  /** Entries up to the floor may still be there, and a reader may still be among them. */
  | { readonly kind: 'wait'; readonly ms: number }
  /** Delete all entries up to this seq, oldest first. */
  | { readonly kind: 'delete'; readonly upTo: number }
  /** The entry of this seq becomes the floor. It exists: it is above everything that was ever deleted. */
  | { readonly kind: 'raise'; readonly to: number };

/** Whether deletion below the present floor comes first: before it is done, the floor does not move. */
export function planDeletion(state: TrimState, now: number, graceMs: number): TrimStep {
  if (state.floorSeq <= state.clearedSeq) return { kind: 'nothing' };
  // A floor without a time was never raised by trimming. Nothing tells how long readers know it: leave it alone.
  if (state.floorAt === undefined) return { kind: 'nothing' };
  const ms = state.floorAt + graceMs - now;
  return ms > 0 ? { kind: 'wait', ms } : { kind: 'delete', upTo: state.floorSeq };
}

/** Where the floor goes, once nothing is left below the present one. */
export function planRaise(state: TrimState, rules: TrimRules): TrimStep {
  const to = Math.min(
    state.seq,
    Math.max(byAge(state.seq, rules.oldestYoung), byCount(state.seq, rules.maxEntries)),
  );
  return to > state.floorSeq ? { kind: 'raise', to } : { kind: 'nothing' };
}

function byAge(seq: number, oldestYoung: TrimRules['oldestYoung']): number {
  if (oldestYoung === 'unlimited') return 0;
  return oldestYoung === 'none' ? seq : oldestYoung - 1;
}

function byCount(seq: number, maxEntries: number | undefined): number {
  return maxEntries === undefined ? 0 : seq - maxEntries;
}

/**
 * The newest version whose tombstone may go: every device that need not load everything again has seen the delete, and it
 * is old enough. A version is never from before the moment that it was written at.
 *
 * @param floor of the log
 * @param cutoff what is older may go. Milliseconds
 */
export function removableUpTo(floor: string, cutoff: number): string {
  const old = formatHlc({ ...ZERO_HLC, ms: Math.max(0, Math.floor(cutoff)) });
  return floor < old ? floor : old;
}

/** Longest that a scope is left alone for what was once read of it, milliseconds. */
const LOOK_AGAIN_MS = 3_600_000;
const MAX_SCOPES = 100_000;

/** The oldest version that a tombstone of a scope may have: that of one that is there, or any above the scope's head. */
type OldestTombstone = string | { readonly above: string };

interface Known {
  readonly clearedSeq: number;
  readonly lookAt: number;
  readonly oldestTombstone?: OldestTombstone;
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
    this.keep(scope, { clearedSeq: seq });
  }

  /** Whether a tombstone up to this version may be there. */
  mayHaveTombstones(scope: string, upTo: string): boolean {
    const oldest = this.scopes.get(scope)?.oldestTombstone;
    if (oldest === undefined) return true;
    return typeof oldest === 'string' ? oldest <= upTo : oldest.above < upTo;
  }

  oldestTombstone(scope: string, oldest: OldestTombstone): void {
    this.keep(scope, { oldestTombstone: oldest });
  }

  /** The oldest entry that stays becomes too old at `expiresAt`; undefined when none stays. */
  oldestExpires(scope: string, expiresAt: number | undefined, now: number): void {
    const lookAt = expiresAt === undefined ? 0 : Math.min(expiresAt, now + LOOK_AGAIN_MS);
    this.keep(scope, { lookAt });
  }

  private keep(scope: string, known: Partial<Known>): void {
    if (this.scopes.size >= MAX_SCOPES && !this.scopes.has(scope)) this.scopes.clear();
    this.scopes.set(scope, { clearedSeq: 0, lookAt: 0, ...this.scopes.get(scope), ...known });
  }
}
