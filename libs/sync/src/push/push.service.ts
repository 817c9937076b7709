import { Inject, Injectable } from '@nestjs/common';
import { parsePushRequest, type PushResponse } from 'nest-offline-sync-protocol';
import { isoTime } from '../clock/bounded-wall';
import { WallClock } from '../clock/wall-clock';
import { Admission } from '../identity/admission';
import type { SyncIdentity } from '../identity/identity';
import { SyncMetrics } from '../metrics/metrics';
import { Register } from '../register/register';
import type { SyncSettings } from '../options/settings';
import { SYNC_METRICS, SYNC_SETTINGS } from '../options/tokens';
import { AppTime } from './app-time';
import { lateBatch, lateRejection, withoutLate } from './late-changes';
import { withFindings, type Decision, type Finding, type Need, type PlanRequest } from '../plan/plan';
import { PushAnswers } from './answers';
import { PushIntake } from './intake';
import { Permissions } from './permissions';
import { PushQueue } from './queue';
import { MAX_TRIES, MOVES_TOO_FAST, ResolverService } from './resolver';

/** Takes a client's changes: checks them, waits for their commit, answers each (invariants 1, 4, 10). */
@Injectable()
export class PushService {
  constructor(
    private readonly admission: Admission,
    private readonly intake: PushIntake,
    private readonly answers: PushAnswers,
    private readonly queue: PushQueue,
    private readonly resolvers: ResolverService,
    private readonly clock: WallClock,
    private readonly register: Register,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
    @Inject(SYNC_METRICS) private readonly metrics: SyncMetrics,
  ) {}

  /**
   * @param body a push request as it travelled
   * @param isDevice false: an operator applies a change again, and no device has done anything
   * @throws SyncError when the request as a whole is refused; a bad change only gets its own rejection
   */
  async push(identity: SyncIdentity, body: unknown, isDevice = true): Promise<PushResponse> {
    const started = performance.now();
    let changes = 0;
    try {
      const { limits, batchAtomic } = this.settings;
      const parsed = parsePushRequest(body, limits.maxChanges);
      changes = parsed.changes.length;
      const writer = await this.admission.admit(identity, parsed, 'write');
      if (isDevice) this.register.saw(writer, 'push', parsed);
      const permissions = new Permissions(writer);
      const time = new AppTime(this.settings.prepareTimeoutMs);
      const intake = await this.intake.prepareChanges(writer, parsed.changes, permissions, time);
      const isGrouped = parsed.changes.some(({ group }) => group !== undefined);
      const atomic = parsed.atomic ?? (batchAtomic && !isGrouped ? 'batch' : 'mutation');
      if (intake.late && atomic === 'batch') throw lateBatch(intake.late, intake.late.done, changes);
      const request: PlanRequest = {
        scopeId: writer.scopeId,
        actorId: writer.actorId,
        clientId: parsed.clientId,
        atomic,
        changes: intake.changes,
      };
      const decisions = await this.commit(writer, request, intake.bytes, time);
      for (const [index, change] of request.changes.entries()) {
        const { conflict, replayed } = decisions[index] ?? {};
        if (conflict && change.kind === 'ready' && !replayed) this.metrics.conflict(change.collection);
      }
      const results = await this.answers.resultsOf(request.changes, decisions, permissions);
      const success = results.every((result) => result.status !== 'rejected');
      if (isDevice && !success) this.register.answered(writer, parsed, body, results);
      this.metrics.push(success ? 'success' : 'failure', changes, (performance.now() - started) / 1000);
      return { results, server_time: isoTime(this.clock.now()) };
    } catch (error) {
      this.metrics.push('failure', changes, (performance.now() - started) / 1000);
      throw error;
    }
  }

  /**
   * Waits for the commit; asks the app's resolvers and validators between tries, outside of any transaction. Only the waiting for the
   * database counts to the deadline.
   */
  private async commit(
    identity: SyncIdentity,
    first: PlanRequest,
    bytes: number,
    time: AppTime,
  ): Promise<readonly Decision[]> {
    let request = first;
    let leftMs = this.settings.retryDeadlineMs;
    const tries = new Map<number, number>();
    for (;;) {
      const started = performance.now();
      const outcome = await this.queue.submit(request, bytes, started + leftMs);
      leftMs -= performance.now() - started;
      if (outcome.kind === 'decided') return outcome.decisions;
      request = await this.settle(identity, request, outcome.needs, tries, time);
    }
  }

  /** The request with the answers of the app's code, or without the changes whose answer is late. */
  private async settle(
    identity: SyncIdentity,
    request: PlanRequest,
    needs: readonly Need[],
    tries: Map<number, number>,
    time: AppTime,
  ): Promise<PlanRequest> {
    const made = await time.each(needs, (need): Finding | Promise<Finding> => {
      const count = (tries.get(need.index) ?? 0) + 1;
      tries.set(need.index, count);
      // A patch is asked about as often as others patch the same document: only its time ends that.
      if (count > MAX_TRIES && (need.kind === 'resolver' || !need.change.patch))
        return { verdict: MOVES_TOO_FAST };
      return this.resolvers.ask(identity, need);
    });
    const findings = new Map<number, Finding>();
    const late = new Set<number>();
    for (const [at, { index }] of needs.entries()) {
      const finding = made[at];
      if (finding) findings.set(index, finding);
      else late.add(index);
    }
    const answered = withFindings(request, findings);
    const firstLate = needs.find(({ index }) => late.has(index));
    if (!firstLate) return answered;
    const what = ASKED[firstLate.kind];
    const waitedFor = `${what} of collection ${firstLate.change.collection}`;
    const lateness = { limitMs: time.limitMs, waitedFor };
    const { length } = request.changes;
    if (request.atomic === 'batch') throw lateBatch(lateness, length - late.size, length);
    return withoutLate(answered, late, lateRejection(lateness));
  }
}

const ASKED: Readonly<Record<Need['kind'], string>> = {
  verdict: 'the validators',
  preparation: 'the transform and the DTO',
  resolver: 'the resolver',
};
