import type { PlanRequest, RequestOutcome } from '../plan/plan';

/** A push that waits for its turn in its scope. Times are of a monotonic clock, milliseconds. */
export interface PushJob {
  request: PlanRequest;
  readonly bytes: number;
  /** How many of its changes are documents that were written past the engine. */
  readonly observed: number;
  readonly deadline: number;
  readonly enqueuedAt: number;
  /** Its own error broke a group: it shares no transaction any more. */
  solo: boolean;
  readonly resolve: (outcome: RequestOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** How much a transaction holds already. */
export interface GroupSize {
  jobs: number;
  changes: number;
  bytes: number;
  observed: number;
}

/** A transaction's size: enough to spread its round trips, small enough to stay short. A larger request goes alone. */
export const GROUP_CHANGES = 1000;
export const GROUP_BYTES = 2 << 20;

/** What waits in one scope, oldest first, and what it weighs. */
export class ScopeQueue {
  private jobs: PushJob[] = [];
  /** The app's transactions that wait for the scope's turn. */
  readonly turns: (() => void)[] = [];
  changes = 0;
  bytes = 0;
  /** A lane or a turn has the scope. */
  busy = false;
  /** A pause after a conflict. */
  notBefore = 0;
  /** Conflicts in a row. */
  attempts = 0;
  /** The last to have the scope was a turn: pushes that wait come next, so that neither starves the other. */
  afterTurn = false;

  get first(): PushJob | undefined {
    return this.jobs[0];
  }

  get isIdle(): boolean {
    return !this.busy && this.jobs.length === 0 && this.turns.length === 0;
  }

  isReady(now: number): boolean {
    return !this.busy && this.jobs.length > 0 && this.notBefore <= now;
  }

  add(job: PushJob): void {
    this.jobs.push(job);
    this.count(job, 1);
  }

  putBack(jobs: readonly PushJob[]): void {
    this.jobs.unshift(...jobs);
    for (const job of jobs) this.count(job, 1);
  }

  /**
   * Takes what still fits into the group; the group's first push always does.
   *
   * @param mostObserved how many observed changes fit
   */
  take(size: GroupSize, mostObserved: number): PushJob[] {
    let end = 0;
    for (const job of this.jobs) {
      const changes = size.changes + job.request.changes.length;
      const bytes = size.bytes + job.bytes;
      const observed = size.observed + job.observed;
      const isFull =
        changes > GROUP_CHANGES || bytes > GROUP_BYTES || (job.observed > 0 && observed > mostObserved);
      if (size.jobs > 0 && (job.solo || isFull)) break;
      Object.assign(size, { jobs: size.jobs + 1, changes, bytes, observed });
      end++;
      if (job.solo) break;
    }
    const taken = this.jobs.splice(0, end);
    for (const job of taken) this.count(job, -1);
    return taken;
  }

  remove(which: (job: PushJob) => boolean): PushJob[] {
    const gone = this.jobs.filter(which);
    if (gone.length === 0) return gone;
    this.jobs = this.jobs.filter((job) => !which(job));
    for (const job of gone) this.count(job, -1);
    return gone;
  }

  earliestDeadline(): number {
    return this.jobs.reduce((earliest, job) => Math.min(earliest, job.deadline), Infinity);
  }

  private count(job: PushJob, sign: 1 | -1): void {
    this.changes += sign * job.request.changes.length;
    this.bytes += sign * job.bytes;
  }
}
