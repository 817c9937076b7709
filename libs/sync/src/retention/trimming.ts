import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { CollectionRegistry } from '../collections/collection-registry';
import { codeOf, errorKind } from '../database/errors';
import { SyncMetrics } from '../metrics/metrics';
import type { SyncSettings } from '../options/settings';
import { SYNC_METRICS, SYNC_SETTINGS } from '../options/tokens';
import { Lease, type LeaseRecord } from '../cluster/lease';
import { within } from '../database/waiting';
import { OplogRepository } from '../log/oplog';
import { TrimMemory } from './trim-plan';
import { trimOnce, type TrimDependencies, type TrimReport } from './trim-once';
import { TrimmingRepository } from './trimming-store';

/** How much longer than the interval a lease lasts: a dead holder's successor waits at most that long. */
const LEASE_SLACK_MS = 60_000;
/** The name of the job's lease. */
export const TRIM_LEASE = 'trim';
/** Longest that a timer of Node can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * The retention job: every `trimIntervalMs`, in the process of the cluster that has the lease. The lease saves work,
 * it does not guard anything: two processes that trim at once do no harm (see {@link trimOnce}).
 */
@Injectable()
export class TrimmingService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('SyncModule');
  private readonly stopping = new AbortController();
  private readonly memory = new TrimMemory();
  /** This process, as the lease names it. */
  readonly leaseOwner = randomUUID();
  private readonly lease: Lease;
  private job: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly oplog: OplogRepository,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
    @Inject(SYNC_METRICS) private readonly metrics: SyncMetrics,
    private readonly collections: CollectionRegistry,
  ) {
    this.lease = new Lease(
      oplog.db.collection<LeaseRecord>(settings.leasesCollection, { writeConcern: { w: 'majority' } }),
      TRIM_LEASE,
      this.leaseOwner,
      settings.trimIntervalMs + LEASE_SLACK_MS,
    );
  }

  onApplicationBootstrap(): void {
    if (this.settings.trimIntervalMs > 0) this.job = this.everyInterval();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    // Between two commands a run ends by itself; a command that hangs must not hold the shutdown up.
    await within(
      this.settings.shutdownTimeoutMs,
      () =>
        this.job
          .then(() => this.lease.release())
          .catch((error: unknown) => this.warn('give its lease back', error)),
      () => undefined,
    );
  }

  /**
   * One run, if this process has or gets the lease.
   *
   * @returns undefined while another process has it
   */
  async runOnce(): Promise<TrimReport | undefined> {
    this.metrics.oplogSize(await new TrimmingRepository(this.oplog).oplogSize());
    if ((await this.lease.acquire()) === undefined) return undefined;
    const { oplog, metrics, memory } = this;
    const mayContinue = async () => !this.stopping.signal.aborted && (await this.lease.keep());
    const report = await trimOnce(
      { oplog, metrics, memory, mayContinue, stores: this.stores() },
      this.settings,
    );
    const { raised, deletedEntries, deletedReceipts, deletedTombstones } = report;
    if (raised + deletedEntries + deletedReceipts + deletedTombstones > 0)
      this.logger.debug({ message: 'Log trimmed', ...report });
    return report;
  }

  private stores(): TrimDependencies['stores'] {
    if (this.settings.tombstoneTtlDays === 0) return [];
    return this.collections.names().flatMap((name) => this.collections.get(name)?.store ?? []);
  }

  private async everyInterval(): Promise<void> {
    const pause = Math.min(this.settings.trimIntervalMs, MAX_TIMER_MS);
    const { signal } = this.stopping;
    for (;;) {
      try {
        await delay(pause, undefined, { ref: false, signal });
      } catch {
        return;
      }
      await this.runOnce().catch((error: unknown) => this.warn('trim the log; it tries again', error));
    }
  }

  private warn(what: string, error: unknown): void {
    // The server's own texts may quote documents: its code says enough.
    const reason =
      codeOf(error) !== undefined ? errorKind(error) : error instanceof Error ? error.message : String(error);
    this.logger.warn(`Could not ${what}: ${reason}`);
  }
}
