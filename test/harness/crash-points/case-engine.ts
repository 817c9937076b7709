import type { PushResult } from 'nest-offline-sync';
import { HlcService } from '../../../libs/sync/src/clock/hlc-service';
import { Admission } from '../../../libs/sync/src/identity/admission';
import { WallClock } from '../../../libs/sync/src/clock/wall-clock';
import { NoMetrics } from '../../../libs/sync/src/metrics/metrics';
import { EngineSessions } from '../../../libs/sync/src/cluster/engine-sessions';
import { OplogRepository } from '../../../libs/sync/src/log/oplog';
import { Committer } from '../../../libs/sync/src/commit/committer';
import { FairTurns } from '../../../libs/sync/src/cluster/fair-turns';
import { PlanWriter } from '../../../libs/sync/src/commit/plan-writer';
import { Sieve } from '../../../libs/sync/src/commit/sieve';
import { TakenValues } from '../../../libs/sync/src/commit/taken-values';
import { PushAnswers } from '../../../libs/sync/src/push/answers';
import { PushIntake } from '../../../libs/sync/src/push/intake';
import { PushQueue } from '../../../libs/sync/src/push/queue';
import { PushService } from '../../../libs/sync/src/push/push.service';
import { Register } from '../../../libs/sync/src/register/register';
import { ResolverService } from '../../../libs/sync/src/push/resolver';
import { SnapshotRepository } from '../../../libs/sync/src/commit/snapshot';
import type { SyncSettings } from '../../../libs/sync/src/options/settings';
import { SYNC_SETTINGS } from '../../../libs/sync/src/options/tokens';
import type { Case } from './case';
import type { EngineProcess } from './engine-process';

/** Longer than what a lane does when its pushes are answered, also on a busy machine. */
const SETTLED_MS = 10_000;

/**
 * What takes one case's pushes in a process: all that keeps something in memory over a push is the case's own. So what
 * other cases do in the process changes none of its steps, and what shares a transaction is its own. It has one lane.
 */
export class CaseEngine {
  private readonly queue: CaseQueue;
  private readonly service: PushService;
  private readonly settings: SyncSettings & { shutdownTimeoutMs: number };

  constructor({ of }: EngineProcess) {
    const given = of<SyncSettings>(SYNC_SETTINGS);
    const settings = (this.settings = { ...given, lanes: 1, shutdownTimeoutMs: SETTLED_MS });
    const metrics = new NoMetrics();
    const committer = new Committer(
      of(EngineSessions),
      of(SnapshotRepository),
      of(PlanWriter),
      of(HlcService),
      of(WallClock),
      settings,
      of(TakenValues),
      of(Sieve),
    );
    this.queue = new CaseQueue(committer, new FairTurns(of(OplogRepository), settings), settings, metrics);
    this.service = new PushService(
      of(Admission),
      of(PushIntake),
      of(PushAnswers),
      this.queue,
      of(ResolverService),
      of(WallClock),
      of(Register),
      settings,
      metrics,
    );
  }

  /** Sends the case's pushes, each when the one before waits, and ends when the lane has nothing more to do. */
  async push(on: Case): Promise<PushResult[][]> {
    const answers: Promise<PushResult[]>[] = [];
    for (const push of on.pushes) {
      const waits = this.queue.nextPush();
      const answer = on.send(push, this.service);
      answers.push(answer);
      await Promise.race([waits, answer]);
    }
    on.allSent();
    const results = await Promise.all(answers);
    await this.queue.beforeApplicationShutdown();
    return results;
  }

  /** Tries nothing again. */
  async stop(): Promise<void> {
    this.settings.shutdownTimeoutMs = 0;
    await this.queue.beforeApplicationShutdown();
  }
}

/** Resolves when a push waits in it. */
class CaseQueue extends PushQueue {
  private came = (): void => undefined;

  nextPush(): Promise<void> {
    return new Promise((resolve) => (this.came = resolve));
  }

  override submit(...push: Parameters<PushQueue['submit']>): ReturnType<PushQueue['submit']> {
    const outcome = super.submit(...push);
    this.came();
    return outcome;
  }
}
