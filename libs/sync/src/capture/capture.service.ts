import { randomUUID } from 'node:crypto';
import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { ScopeFloors } from '../admin/scope-floors';
import { WallClock } from '../clock/wall-clock';
import { Lease, type LeaseRecord } from '../cluster/lease';
import type { SyncedCollection } from '../collections/collection';
import { CollectionRegistry } from '../collections/collection-registry';
import { errorKind } from '../database/errors';
import { OplogSetupService } from '../database/setup';
import { fullJitter, OUTAGE_PAUSE, pause, within } from '../database/waiting';
import { OplogRepository } from '../log/oplog';
import { SyncMetrics } from '../metrics/metrics';
import type { SyncSettings } from '../options/settings';
import { SYNC_METRICS, SYNC_SETTINGS } from '../options/tokens';
import { HistoryLost } from './change-source';
import { Follower } from './follower';
import { Observation } from './observation';
import { Position, type PositionRecord } from './position';
import { keepPreImages } from './pre-images';
import { Readiness } from './readiness';
import { Recorder } from './recorder';

/** The name of the job's lease. */
export const CAPTURE_LEASE = 'capture';
const LEASE_MS = 5_000;
/** How often a process that has not the lease asks for it. */
const LOOK_EVERY_MS = 1_000;

/**
 * Records what is written past the engine: one process of the cluster follows the changes of the captured collections, and
 * has each document looked at that somebody else has written. It may be killed anywhere: the next one goes on from the
 * last position that was kept, and what is recorded twice is recorded once.
 */
@Injectable()
export class CaptureService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('SyncModule');
  private readonly stopping = new AbortController();
  /** This process, as the lease names it. */
  readonly leaseOwner = randomUUID();
  private readonly lease: Lease;
  private readonly position: Position;
  private captured: readonly SyncedCollection[] = [];
  private job: Promise<void> = Promise.resolve();

  constructor(
    private readonly oplog: OplogRepository,
    private readonly collections: CollectionRegistry,
    private readonly setup: OplogSetupService,
    private readonly observation: Observation,
    private readonly floors: ScopeFloors,
    private readonly clock: WallClock,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
    @Inject(SYNC_METRICS) private readonly metrics: SyncMetrics,
  ) {
    const options = { writeConcern: { w: 'majority' }, readPreference: 'primary' } as const;
    const { leasesCollection } = settings;
    this.lease = new Lease(
      oplog.db.collection<LeaseRecord>(leasesCollection, options),
      CAPTURE_LEASE,
      this.leaseOwner,
      LEASE_MS,
    );
    this.position = new Position(oplog, oplog.db.collection<PositionRecord>(leasesCollection, options));
  }

  /**
   * How long the oldest write that nobody has recorded may be waiting, in the whole cluster. Milliseconds; undefined: this
   * process captures nothing, or nothing was ever followed.
   */
  async behindMs(): Promise<number | undefined> {
    const upTo = await this.recordedUpTo();
    return upTo && Math.max(0, this.clock.now() - upTo.getTime());
  }

  /** Until when everything is recorded, in the whole cluster. Undefined: as {@link behindMs}. */
  async recordedUpTo(): Promise<Date | undefined> {
    return this.captured.length === 0 ? undefined : this.position.upTo();
  }

  /** The captured collections; none before the app has started. */
  get collectionNames(): readonly string[] {
    return this.captured.map(({ name }) => name);
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.setup.whenReady();
    this.captured = this.collections
      .names()
      .flatMap((name) => this.collections.get(name) ?? [])
      .filter(({ rules }) => rules.capture);
    if (this.captured.length === 0) return;
    for (const { name } of this.captured) await keepPreImages(this.oplog.db, name);
    const follower = this.follower();
    this.job = this.run((signal) => follower.follow(signal));
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await within(
      this.settings.shutdownTimeoutMs,
      () => this.job.then(() => this.lease.release()).catch(() => undefined),
      () => undefined,
    );
  }

  private follower(): Follower {
    const { oplog, observation, floors, metrics, position, clock, logger, captured } = this;
    const readiness = new Readiness(oplog.db, this.settings, logger);
    const recorder = new Recorder({ oplog, observation, floors, metrics, readiness }, captured, logger);
    return new Follower({ oplog, position, readiness, recorder, clock, metrics, logger }, captured);
  }

  private async run(follow: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.stopping;
    for (let failures = 0; !signal.aborted;) {
      try {
        if ((await this.lease.acquire()) === undefined) await pause(LOOK_EVERY_MS, signal);
        else {
          await this.whileLeased(follow);
          failures = 0;
        }
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        this.metrics.captureFailure();
        if (error instanceof HistoryLost) await this.startOver(error).catch(() => undefined);
        else
          this.logger.warn({
            message: 'Capture was interrupted; it goes on',
            reason: errorKind(error),
            failures,
          });
        await pause(fullJitter(failures, OUTAGE_PAUSE, Math.random()), signal);
      }
    }
  }

  private async whileLeased(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const lost = new AbortController();
    const signal = AbortSignal.any([this.stopping.signal, lost.signal]);
    const keep = async (): Promise<void> => {
      if ((await this.lease.acquire()) === undefined) lost.abort();
    };
    // An error is a matter of the moment: what the lease guards may be done twice.
    const keeping = setInterval(() => void keep().catch(() => undefined), LEASE_MS / 3);
    try {
      await work(signal);
    } finally {
      clearInterval(keeping);
      lost.abort();
    }
  }

  /** MongoDB does not know any more what came next: everything is compared, and devices load what cannot be. */
  private async startOver({ message, cause }: HistoryLost): Promise<void> {
    this.logger.warn({
      message: `Capture cannot go on where it was: ${message}. All captured collections are compared.`,
      reason: errorKind(cause),
    });
    await this.position.forget();
  }
}
