import { ObservedBound } from './observed-bound';
import { ScopeQueue, type GroupSize, type PushJob } from './scope-queue';

export interface Group {
  readonly jobs: readonly PushJob[];
  readonly scopes: readonly string[];
}

/** What may wait in one scope: one tenant's flood costs the others nothing (invariant 9). */
const SCOPE_CHANGES = 20_000;
const SCOPE_BYTES = 64 << 20;
/** How long a scope that conflicted or broke a group shares no transaction with others. Milliseconds. */
const ALONE_MS = 1000;

/**
 * Which pushes go into the next transaction. Plain bookkeeping: no clock, no I/O. The states of one scope:
 *
 *                 add, addTurn              takeGroup (a lane), grantTurns (the app's transaction)
 *     no queue ─────────────────▶ waiting ──────────────────────────────────────────────────────▶ busy
 *        ▲                         ▲   ▲                                                            │
 *        │                         │   └──────────────── release, something waits ──────────────────┤
 *        │                         │ time passes                                                    │
 *        │                       paused ◀─── release after putBack or holdBack set `notBefore` ─────┤
 *        │                                                                                          │
 *        └─────────────────────────────────── release, nothing waits ───────────────────────────────┘
 *
 * Paused are the pushes; a turn for the app's own transaction is granted meanwhile too. A push leaves by takeGroup,
 * removeExpired (its deadline) or removeAll (shutdown), and comes back by putBack. It shares a group with other scopes
 * unless it is `solo` (it broke a group), its scope is isolated (for a second after a conflict or a broken group), or
 * processes conflict and another shared group is under way.
 */
export class ScopeQueues {
  /** In the order of the scopes' turns: a scope that has been served goes to the end. */
  private readonly scopes = new Map<string, ScopeQueue>();
  /** Until when a scope goes alone, soonest first: all for the same time, so in the order of their coming. */
  private readonly alone = new Map<string, number>();
  private readonly observed = new ObservedBound();
  private contendedUntil = 0;
  /** No push expires before. Lets most calls pass without a look at each push that waits. */
  private nextExpiry = Infinity;

  isFull(scopeId: string, changes: number, bytes: number): boolean {
    const queue = this.scopes.get(scopeId);
    if (!queue?.first) return false;
    return queue.changes + changes > SCOPE_CHANGES || queue.bytes + bytes > SCOPE_BYTES;
  }

  /** Whether nothing waits and nobody has a scope. */
  isEmpty(): boolean {
    return this.scopes.size === 0;
  }

  add(job: PushJob): void {
    this.queue(job.request.scopeId).add(job);
    this.nextExpiry = Math.min(this.nextExpiry, job.deadline);
  }

  addTurn(scopeId: string, granted: () => void): void {
    this.queue(scopeId).turns.push(granted);
  }

  /** Gives free scopes to the app's transactions that wait for them: in turn with the pushes of the scope. */
  grantTurns(now: number): void {
    for (const queue of this.scopes.values()) {
      if (queue.busy || (queue.afterTurn && queue.isReady(now))) continue;
      const granted = queue.turns.shift();
      if (!granted) continue;
      queue.busy = true;
      queue.afterTurn = true;
      granted();
    }
  }

  /**
   * The next transaction's pushes: those of the scope whose turn it is, and of further waiting scopes as long as they
   * fit, unless one has to go alone. A scope that does not fit any more comes first in one of the next groups.
   *
   * @param sharedRunning another lane runs a transaction of several scopes: while processes conflict, one is enough
   */
  takeGroup(now: number, sharedRunning: boolean): Group | undefined {
    const jobs: PushJob[] = [];
    const taken = new Map<string, ScopeQueue>();
    const size: GroupSize = { jobs: 0, changes: 0, bytes: 0, observed: 0 };
    const singles = sharedRunning && this.contendedUntil > now;
    this.forgetAlone(now);
    for (const [scopeId, queue] of this.scopes) {
      if (!queue.isReady(now)) continue;
      const alone = singles || this.alone.has(scopeId) || queue.first?.solo === true;
      if (alone && taken.size > 0) continue;
      const some = queue.take(size, this.observed.most);
      if (some.length === 0) break;
      jobs.push(...some);
      taken.set(scopeId, queue);
      if (alone) break;
    }
    if (taken.size === 0) return undefined;
    for (const [scopeId, queue] of taken) {
      queue.busy = true;
      queue.afterTurn = false;
      this.scopes.delete(scopeId);
      this.scopes.set(scopeId, queue);
    }
    return { jobs, scopes: [...taken.keys()] };
  }

  /** The lane or the turn that had the scope is done with it. */
  release(scopeId: string): void {
    const queue = this.scopes.get(scopeId);
    if (!queue) return;
    queue.busy = false;
    this.forgetIdle(scopeId, queue);
  }

  /** @param atOnce it was not done again because of somebody else's writes */
  succeeded({ jobs, scopes }: Group, atOnce: boolean): void {
    for (const scopeId of scopes) this.queue(scopeId).attempts = 0;
    const observed = observedIn(jobs);
    if (atOnce) this.observed.succeeded(observed);
    else this.observed.conflicted(observed);
  }

  /**
   * Another process, or the app past the engine, has written these scopes: each goes alone for a while.
   *
   * @returns the most conflicts that one of them has had in a row
   */
  conflicted({ jobs, scopes }: Group, now: number): number {
    this.observed.conflicted(observedIn(jobs));
    this.contendedUntil = now + ALONE_MS;
    for (const scopeId of scopes) this.isolate(scopeId, now);
    return Math.max(...scopes.map((scopeId) => ++this.queue(scopeId).attempts));
  }

  /** For a while the scope shares no transaction with others. */
  isolate(scopeId: string, now: number): void {
    this.alone.delete(scopeId);
    this.alone.set(scopeId, now + ALONE_MS);
  }

  /** Puts a failed group back to the front, in its old order. */
  putBack(jobs: readonly PushJob[], notBefore: number): void {
    const byScope = new Map<string, PushJob[]>();
    for (const job of jobs) {
      const { scopeId } = job.request;
      const same = byScope.get(scopeId);
      if (same) same.push(job);
      else byScope.set(scopeId, [job]);
      this.nextExpiry = Math.min(this.nextExpiry, job.deadline);
    }
    for (const [scopeId, some] of byScope) {
      const queue = this.queue(scopeId);
      queue.putBack(some);
      queue.notBefore = notBefore;
    }
  }

  /** Whether pushes of the scope wait. */
  hasJobs(scopeId: string): boolean {
    return this.scopes.get(scopeId)?.first !== undefined;
  }

  /** The scope's pushes wait at least until then. */
  holdBack(scopeId: string, notBefore: number): void {
    const queue = this.scopes.get(scopeId);
    if (queue) queue.notBefore = Math.max(queue.notBefore, notBefore);
  }

  removeExpired(now: number): PushJob[] {
    if (now < this.nextExpiry) return [];
    const removed = this.remove((job) => job.deadline <= now);
    this.nextExpiry = Infinity;
    for (const queue of this.scopes.values())
      this.nextExpiry = Math.min(this.nextExpiry, queue.earliestDeadline());
    return removed;
  }

  removeAll(): PushJob[] {
    return this.remove(() => true);
  }

  /** When something may have to be done without anything else happening: a pause ends, a push expires. */
  nextWake(now: number): number | undefined {
    let wake = Infinity;
    let waiting = false;
    for (const queue of this.scopes.values()) {
      if (!queue.first) continue;
      waiting = true;
      if (!queue.busy && queue.notBefore > now) wake = Math.min(wake, queue.notBefore);
    }
    return waiting ? Math.min(wake, this.nextExpiry) : undefined;
  }

  private remove(which: (job: PushJob) => boolean): PushJob[] {
    const removed: PushJob[] = [];
    for (const [scopeId, queue] of this.scopes) {
      removed.push(...queue.remove(which));
      this.forgetIdle(scopeId, queue);
    }
    return removed;
  }

  private forgetIdle(scopeId: string, queue: ScopeQueue): void {
    if (queue.isIdle) this.scopes.delete(scopeId);
  }

  private forgetAlone(now: number): void {
    for (const [scopeId, until] of this.alone) {
      if (until > now) return;
      this.alone.delete(scopeId);
    }
  }

  private queue(scopeId: string): ScopeQueue {
    let queue = this.scopes.get(scopeId);
    if (!queue) this.scopes.set(scopeId, (queue = new ScopeQueue()));
    return queue;
  }
}

function observedIn(jobs: readonly PushJob[]): number {
  return jobs.reduce((sum, job) => sum + job.observed, 0);
}
