import type { PlanRequest, RequestOutcome } from './plan';

/** A push that waits for its turn in its scope. Times are of a monotonic clock, milliseconds. */
export interface PushJob {
  request: PlanRequest;
  readonly bytes: number;
  readonly deadline: number;
  readonly enqueuedAt: number;
  /** It broke a group by an error of its own: it shares no transaction any more. */
  solo: boolean;
  readonly resolve: (outcome: RequestOutcome) => void;
  readonly reject: (error: unknown) => void;
}

export interface Group {
  readonly jobs: readonly PushJob[];
  readonly scopes: readonly string[];
}

interface ScopeQueue {
  jobs: PushJob[];
  readonly turns: (() => void)[];
  changes: number;
  bytes: number;
  busy: boolean;
  notBefore: number;
  /** Until then it shares no transaction with other scopes. */
  aloneUntil: number;
  /** Conflicts in a row. */
  attempts: number;
}

/** A transaction's size: enough to spread its round trips, small enough to stay short. A larger request goes alone. */
const GROUP_CHANGES = 1000;
const GROUP_BYTES = 2 << 20;
/** What may wait in one scope: one tenant's flood costs the others nothing (invariant 9). */
const SCOPE_CHANGES = 20_000;
const SCOPE_BYTES = 64 << 20;

/** Which pushes go into the next transaction. Plain bookkeeping: no clock, no I/O. */
export class ScopeQueues {
  /** In the order of the scopes' turns: a scope that has been served goes to the end. */
  private readonly scopes = new Map<string, ScopeQueue>();

  isFull(scopeId: string, changes: number, bytes: number): boolean {
    const queue = this.scopes.get(scopeId);
    if (!queue || queue.jobs.length === 0) return false;
    return queue.changes + changes > SCOPE_CHANGES || queue.bytes + bytes > SCOPE_BYTES;
  }

  isEmpty(): boolean {
    return this.scopes.size === 0;
  }

  add(job: PushJob): void {
    const queue = this.queue(job.request.scopeId);
    queue.jobs.push(job);
    count(queue, job, 1);
  }

  addTurn(scopeId: string, granted: () => void): void {
    this.queue(scopeId).turns.push(granted);
  }

  /** Gives free scopes to the app's transactions that wait for them; they go before pushes. */
  grantTurns(): void {
    for (const queue of this.scopes.values()) {
      if (queue.busy) continue;
      const granted = queue.turns.shift();
      if (!granted) continue;
      queue.busy = true;
      granted();
    }
  }

  /**
   * The next transaction's pushes: those of the scope whose turn it is, and of further waiting scopes as long as they
   * fit, unless one has to go alone.
   *
   * @param singleOnly another lane runs a shared transaction already and processes conflict: keep to one scope
   */
  takeGroup(now: number, sharedRunning: boolean): Group | undefined {
    const jobs: PushJob[] = [];
    const scopes: string[] = [];
    const size = { changes: 0, bytes: 0 };
    const contended = this.isContended(now);
    for (const [scopeId, queue] of this.scopes) {
      if (queue.busy || queue.jobs.length === 0 || queue.notBefore > now) continue;
      const alone = queue.aloneUntil > now || (contended && sharedRunning) || queue.jobs[0]?.solo === true;
      if (alone && scopes.length > 0) continue;
      const taken = take(queue, size);
      if (taken.length === 0) break;
      jobs.push(...taken);
      scopes.push(scopeId);
      if (alone) break;
    }
    if (scopes.length === 0) return undefined;
    for (const scopeId of scopes) {
      const queue = this.queue(scopeId);
      queue.busy = true;
      this.scopes.delete(scopeId);
      this.scopes.set(scopeId, queue);
    }
    return { jobs, scopes };
  }

  release(scopeId: string): void {
    const queue = this.scopes.get(scopeId);
    if (!queue) return;
    queue.busy = false;
    if (queue.jobs.length === 0 && queue.turns.length === 0) this.scopes.delete(scopeId);
  }

  succeeded(scopes: readonly string[]): void {
    for (const scopeId of scopes) this.queue(scopeId).attempts = 0;
  }

  /** Counts a conflict of these scopes; gives the most that one of them has had in a row. */
  conflicted(scopes: readonly string[]): number {
    return Math.max(...scopes.map((scopeId) => ++this.queue(scopeId).attempts));
  }

  /** Puts a failed group back to the front, in its old order. */
  putBack(
    jobs: readonly PushJob[],
    { aloneUntil, notBefore }: { aloneUntil: number; notBefore: number },
  ): void {
    for (const job of [...jobs].reverse()) {
      const queue = this.queue(job.request.scopeId);
      queue.jobs.unshift(job);
      count(queue, job, 1);
      queue.aloneUntil = aloneUntil;
      queue.notBefore = notBefore;
    }
  }

  removeExpired(now: number): PushJob[] {
    return this.remove((job) => job.deadline <= now);
  }

  removeAll(): PushJob[] {
    return this.remove(() => true);
  }

  /** When something may have to be done without anything else happening: a pause ends, a push expires. */
  nextWake(now: number): number | undefined {
    let wake: number | undefined;
    for (const queue of this.scopes.values()) {
      if (queue.jobs.length === 0) continue;
      if (!queue.busy && queue.notBefore > now) wake = Math.min(wake ?? Infinity, queue.notBefore);
      for (const job of queue.jobs) wake = Math.min(wake ?? Infinity, job.deadline);
    }
    return wake;
  }

  private isContended(now: number): boolean {
    for (const queue of this.scopes.values()) if (queue.aloneUntil > now) return true;
    return false;
  }

  private remove(which: (job: PushJob) => boolean): PushJob[] {
    const removed: PushJob[] = [];
    for (const [scopeId, queue] of this.scopes) {
      if (!queue.jobs.some(which)) continue;
      const gone = queue.jobs.filter(which);
      queue.jobs = queue.jobs.filter((job) => !which(job));
      for (const job of gone) count(queue, job, -1);
      removed.push(...gone);
      if (!queue.busy) this.release(scopeId);
    }
    return removed;
  }

  private queue(scopeId: string): ScopeQueue {
    let queue = this.scopes.get(scopeId);
    if (!queue) {
      queue = {
        jobs: [],
        turns: [],
        changes: 0,
        bytes: 0,
        busy: false,
        notBefore: 0,
        aloneUntil: 0,
        attempts: 0,
      };
      this.scopes.set(scopeId, queue);
    }
    return queue;
  }
}

/** Takes what still fits into the group; the group's first push always does. */
function take(queue: ScopeQueue, size: { changes: number; bytes: number }): PushJob[] {
  const taken: PushJob[] = [];
  for (const job of queue.jobs) {
    const changes = size.changes + job.request.changes.length;
    const bytes = size.bytes + job.bytes;
    const first = size.changes === 0;
    if (!first && (job.solo || changes > GROUP_CHANGES || bytes > GROUP_BYTES)) break;
    taken.push(job);
    size.changes = changes;
    size.bytes = bytes;
    if (job.solo) break;
  }
  queue.jobs.splice(0, taken.length);
  for (const job of taken) count(queue, job, -1);
  return taken;
}

function count(queue: ScopeQueue, job: PushJob, sign: 1 | -1): void {
  queue.changes += sign * job.request.changes.length;
  queue.bytes += sign * job.bytes;
}
