import { Inject, Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { SyncError } from 'nest-offline-sync-protocol';
import { SyncMetrics } from '../metrics/metrics';
import type { SyncSettings } from '../options/settings';
import { SYNC_METRICS, SYNC_SETTINGS } from '../options/tokens';
import { Committer, type Committed } from '../commit/committer';
import { FairTurns } from '../cluster/fair-turns';
import { errorKind, isRetryable } from '../database/errors';
import { UnknownCommitError } from '../database/transaction';
import { CONFLICT_PAUSE, fullJitter, within } from '../database/waiting';
import { observes, withFindings, type PlanRequest, type RequestOutcome } from '../plan/plan';
import { RefusedWrite } from '../commit/refused-write';
import type { PushJob } from './scope-queue';
import { ScopeQueues, type Group } from './scope-queues';

/** Longest that a turn is held. MongoDB's own limit on transactions is a minute. Milliseconds. */
const TURN_LIMIT_MS = 65_000;

/**
 * The pushes that wait in this process, and the lanes that commit them.
 *
 * All pushes that wait share a transaction (group commit): round trips do not grow with the number of clients. A scope
 * is in one lane at a time, so the processes' own pushes never conflict with each other. A group that fails is put
 * back and formed again with what has come meanwhile; each push is retried to its own deadline, then refused with 503.
 */
@Injectable()
export class PushQueue implements BeforeApplicationShutdown {
  private readonly logger = new Logger('SyncModule');
  private readonly queues = new ScopeQueues();
  private lanes = 0;
  private sharedLanes = 0;
  /** Pushes of which it is found out, out of the queue, what else the database refuses. */
  private sifted = 0;
  /** Takes nothing new. */
  private closed = false;
  /** Tries nothing again. */
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;
  private idle: (() => void) | undefined;

  constructor(
    private readonly committer: Committer,
    private readonly turns: FairTurns,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
    @Inject(SYNC_METRICS) private readonly metrics: SyncMetrics,
  ) {}

  /**
   * Waits for the scope's turn and the commit.
   *
   * @param bytes about how large the request is
   * @param deadline performance.now() after which it is given up
   * @throws SyncError `busy` past the deadline or with too much waiting, `shutting_down`; else the database's error
   */
  submit(request: PlanRequest, bytes: number, deadline: number): Promise<RequestOutcome> {
    const outcome = this.enqueue(request, bytes, deadline);
    this.pump();
    return outcome;
  }

  /** The same for many that should share transactions from the first on. Each is refused for itself. */
  submitAll(
    requests: readonly { readonly request: PlanRequest; readonly bytes: number }[],
    deadline: number,
  ): Promise<RequestOutcome>[] {
    const outcomes = requests.map(async ({ request, bytes }) => this.enqueue(request, bytes, deadline));
    this.pump();
    return outcomes;
  }

  private enqueue(request: PlanRequest, bytes: number, deadline: number): Promise<RequestOutcome> {
    if (this.closed) throw shuttingDown();
    if (this.queues.isFull(request.scopeId, request.changes.length, bytes))
      throw busy('Too many changes of this scope are waiting');
    const enqueuedAt = performance.now();
    const observed = observes(request) ? request.changes.length : 0;
    return new Promise((resolve, reject) => {
      this.queues.add({ request, bytes, observed, deadline, enqueuedAt, solo: false, resolve, reject });
    });
  }

  /**
   * Holds a scope's turn in this process: no push of it runs until the returned function is called. For the app's own
   * transaction that has met a conflict. MongoDB has ended that one after a minute: then the turn ends too, whatever hangs.
   */
  async holdTurn(scopeId: string): Promise<() => void> {
    if (this.closed) throw shuttingDown();
    await new Promise<void>((granted) => {
      this.queues.addTurn(scopeId, granted);
      this.pump();
    });
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      clearTimeout(limit);
      this.queues.release(scopeId);
      this.pump();
    };
    const limit = setTimeout(release, TURN_LIMIT_MS).unref();
    return release;
  }

  /** Takes nothing more, and waits for what is in flight. */
  async beforeApplicationShutdown(): Promise<void> {
    this.closed = true;
    if (this.isIdle) return;
    await within(
      this.settings.shutdownTimeoutMs,
      () => new Promise<void>((resolve) => (this.idle = resolve)),
      () => undefined,
    );
    this.stopped = true;
    for (const job of this.queues.removeAll()) job.reject(shuttingDown());
    this.pump();
  }

  private get isIdle(): boolean {
    return this.queues.isEmpty() && this.lanes === 0 && this.sifted === 0;
  }

  private pump(): void {
    const now = performance.now();
    for (const job of this.queues.removeExpired(now)) job.reject(busy('The database was too busy'));
    this.queues.grantTurns(now);
    while (this.lanes < this.settings.lanes) {
      const group = this.queues.takeGroup(now, this.sharedLanes > 0);
      if (!group) break;
      void this.runLane(group);
    }
    this.wakeAt(this.queues.nextWake(now), now);
    if (this.isIdle) this.idle?.();
  }

  private wakeAt(at: number | undefined, now: number): void {
    clearTimeout(this.timer);
    if (at === undefined) return;
    this.timer = setTimeout(
      () => {
        this.pump();
      },
      Math.max(0, Math.ceil(at - now)),
    );
  }

  private async runLane(group: Group): Promise<void> {
    const { scopes } = group;
    const shared = scopes.length > 1;
    this.lanes++;
    if (shared) this.sharedLanes++;
    try {
      await this.commitGroup(group);
    } finally {
      this.lanes--;
      if (shared) this.sharedLanes--;
      for (const scope of scopes) this.queues.release(scope);
      this.pump();
    }
  }

  private async commitGroup(group: Group): Promise<void> {
    const { jobs, scopes } = group;
    const [scope = ''] = scopes;
    const contended = scopes.length === 1 && this.turns.isContended(scope);
    const wait = contended ? await this.turns.take(scope) : 0;
    if (wait > 0) {
      this.queues.isolate(scope, performance.now());
      this.tryAgain(jobs, performance.now() + wait);
      return;
    }
    const started = performance.now();
    let committed: Committed;
    try {
      committed = await this.committer.commit(
        jobs.map((job) => job.request),
        Math.max(...jobs.map((job) => job.deadline)),
      );
    } catch (error) {
      this.failed(error, group);
      return;
    }
    jobs.forEach((job, index) => {
      const outcome = committed.plan.outcomes[index];
      if (outcome) job.resolve(outcome);
      else job.reject(new Error('A plan lacks an outcome'));
    });
    this.queues.succeeded(group, committed.conflicts === 0);
    const changes = jobs.reduce((sum, job) => sum + job.request.changes.length, 0);
    const oldest = Math.min(...jobs.map((job) => job.enqueuedAt));
    this.metrics.group(changes, (started - oldest) / 1000);
    if (contended) await this.yieldScope(scope);
  }

  /** Lets the next process write a contended scope when this one has had its share. */
  private async yieldScope(scopeId: string): Promise<void> {
    const now = performance.now();
    this.queues.isolate(scopeId, now);
    const pause = await this.turns.pass(scopeId, this.queues.hasJobs(scopeId));
    if (pause > 0) this.queues.holdBack(scopeId, performance.now() + pause);
  }

  /** Puts the group back in a form that can succeed, or gives up what cannot. */
  private failed(error: unknown, group: Group): void {
    const { jobs, scopes } = group;
    const now = performance.now();
    const [first, second] = jobs;
    if (isRetryable(error)) {
      this.metrics.transactionRetry();
      const attempts = this.queues.conflicted(group, now);
      for (const scopeId of scopes) this.turns.conflicted(scopeId);
      this.tryAgain(jobs, now + fullJitter(attempts, CONFLICT_PAUSE, Math.random()));
    } else if (error instanceof UnknownCommitError) {
      // It may have happened: to run it again would double what has no mutation id.
      for (const job of jobs) job.reject(error);
    } else if (error instanceof RefusedWrite) {
      const culprit = jobs[error.writer.request] ?? first;
      if (!culprit) return;
      culprit.solo = true;
      this.queues.isolate(culprit.request.scopeId, now);
      if (second) this.tryAgain(jobs, now);
      else void this.refuse(culprit, error);
    } else if (second) {
      // One of them cannot be committed: each goes alone once, so that it fails for itself only.
      for (const job of jobs) job.solo = true;
      for (const scopeId of scopes) this.queues.isolate(scopeId, now);
      this.tryAgain(jobs, now);
    } else if (first?.request.hasDuplicates) {
      // Perhaps only what was looked up about the indexes has failed: the database refuses one at a time too.
      first.request = { ...first.request, hasDuplicates: false };
      this.tryAgain([first], now);
    } else {
      if (first && !observes(first.request))
        this.logger.error(`A push could not be committed: ${errorKind(error)}`);
      first?.reject(error);
    }
  }

  /**
   * The database's word counts once the push was alone: in a group a value may only seem to be taken, by another push
   * that is rolled back in the end or gives it up.
   */
  private async refuse(job: PushJob, refused: RefusedWrite): Promise<void> {
    const verdicts = new Map([[refused.writer.change, { verdict: refused.rejection }]]);
    const hasOthers = job.request.changes.length > 1;
    if (hasOthers && refused.isOfDocument) {
      // Meanwhile the scope is free for other pushes.
      this.sifted++;
      const others = await this.committer.othersRefused(refused, job.deadline).catch(() => undefined);
      this.sifted--;
      for (const [change, verdict] of others ?? []) verdicts.set(change, { verdict });
    }
    const request = withFindings(job.request, verdicts);
    job.request = hasOthers && refused.isOfValue ? { ...request, hasDuplicates: true } : request;
    this.tryAgain([job], performance.now());
    this.pump();
  }

  private tryAgain(jobs: readonly PushJob[], notBefore: number): void {
    if (this.stopped) for (const job of jobs) job.reject(shuttingDown());
    else this.queues.putBack(jobs, notBefore);
  }
}

export function busy(why: string): SyncError {
  return new SyncError('busy', `${why}; nothing is lost: send the same mutations again.`, {
    retryAfterSeconds: 1,
  });
}

function shuttingDown(): SyncError {
  return new SyncError('shutting_down', 'This server is stopping; send the same mutations again.', {
    retryAfterSeconds: 1,
  });
}
