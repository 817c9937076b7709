import { randomUUID } from 'node:crypto';
import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { Rejection } from 'nest-offline-sync-protocol';
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
import { APP_ACTOR } from '../plan/foreign';
import { joined, tell, type ChangeEvent, type Seen } from './change-events';
import { changesOf, HistoryLost, type ChangeBatch } from './change-source';
import { differing } from './capture-scan';
import { keyOf, Observation, type Sighting } from './observation';
import { Position, type PositionRecord } from './position';
import { keepPreImages } from './pre-images';
import { Readiness } from './readiness';
import { sightingsOf } from './sightings';
import { wakings } from './wakings';

const LEASE_MS = 5_000;
/** How often a process that has not the lease asks for it. */
const LOOK_EVERY_MS = 1_000;
const SAVE_EVERY_MS = 250;

/**
 * Records what is written past the engine: one process of the cluster follows the changes of the captured collections, and
 * has each document looked at that somebody else has written. It may be killed anywhere: the next one goes on from the
 * last position that was kept, and what is recorded twice is recorded once.
 */
@Injectable()
export class CaptureService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('SyncModule');
  private readonly stopping = new AbortController();
  private readonly lease: Lease;
  private readonly position: Position;
  private readonly readiness: Readiness;
  private captured: readonly SyncedCollection[] = [];
  private job: Promise<void> = Promise.resolve();
  private savedAt = -Infinity;
  private readonly named = new Set<string>();

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
      'capture',
      randomUUID(),
      LEASE_MS,
    );
    this.readiness = new Readiness(oplog.db, settings, this.logger);
    this.position = new Position(oplog, oplog.db.collection<PositionRecord>(leasesCollection, options));
  }

  /**
   * How long the oldest write that nobody has recorded may be waiting, in the whole cluster. Milliseconds; undefined: this
   * process captures nothing, or nothing was ever followed.
   */
  async behindMs(): Promise<number | undefined> {
    if (this.captured.length === 0) return undefined;
    const upTo = await this.position.upTo();
    return upTo && Math.max(0, this.clock.now() - upTo.getTime());
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.setup.whenReady();
    this.captured = this.collections
      .names()
      .flatMap((name) => this.collections.get(name) ?? [])
      .filter(({ rules }) => rules.capture);
    if (this.captured.length === 0) return;
    for (const { name } of this.captured) await keepPreImages(this.oplog.db, name);
    this.job = this.run();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await within(
      this.settings.shutdownTimeoutMs,
      () => this.job.then(() => this.lease.release()).catch(() => undefined),
      () => undefined,
    );
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    for (let failures = 0; !signal.aborted;) {
      try {
        if ((await this.lease.acquire()) === undefined) await pause(LOOK_EVERY_MS, signal);
        else {
          await this.whileLeased((inner) => this.follow(inner));
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

  private async follow(signal: AbortSignal): Promise<void> {
    const names = this.captured.map(({ name }) => name);
    const scopeFields = [...new Set(this.captured.flatMap(({ rules }) => rules.capture?.scopeField ?? []))];
    const { start, fresh } = await this.position.open(names);
    this.savedAt = -Infinity;
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const comparing = this.compare(fresh, both, (name) => this.position.compared(name));
    // It fails the stream too: both begin again then.
    comparing.catch(() => stop.abort());
    try {
      for await (const batch of changesOf(this.oplog, { names, scopeFields }, start, both)) {
        if (both.aborted) break;
        await this.take(batch, both);
      }
    } catch (error) {
      if (!both.aborted) throw error;
    } finally {
      stop.abort();
      await comparing.catch((error: unknown) => {
        if (error !== stop.signal.reason && !signal.aborted) throw error;
      });
    }
  }

  /**
   * Records what differs in whole collections.
   *
   * @param done called for each that is compared
   * @throws the signal's reason when it fires before all is compared
   */
  private async compare(
    names: readonly string[],
    signal: AbortSignal,
    done: (name: string) => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    const collections = this.captured.filter(({ name }) => names.includes(name));
    if (collections.length === 0) return;
    // Of documents whose entries were trimmed nobody can tell that they are gone: devices load the scope again.
    for await (const scopeIds of this.floors.trimmed()) {
      signal.throwIfAborted();
      await this.floors.raise(scopeIds);
      for (const collection of collections) await this.record(await wakings(collection, scopeIds), signal);
    }
    for (const collection of collections) {
      for await (const sightings of differing(this.oplog, collection)) {
        signal.throwIfAborted();
        await this.record(sightings, signal);
      }
      signal.throwIfAborted();
      await done(collection.name);
    }
  }

  private async take({ events, token, isEnd }: ChangeBatch, signal: AbortSignal): Promise<void> {
    const seen = new Map<string, Seen>();
    const unclear = new Set<SyncedCollection>();
    const foreign: ChangeEvent[] = [];
    const blind = new Set<string>();
    for (const event of events) {
      const told = tell(event, (name) => this.collections.get(name)?.rules.capture?.scopeField);
      if (told.kind !== 'own') foreign.push(event);
      if (told.kind === 'write') {
        if (told.isBlind) blind.add(told.collection);
        const key = `${told.collection}\0${keyOf(told.storedId)}`;
        seen.set(key, joined(seen.get(key), told));
      } else if (told.kind === 'unclear')
        for (const collection of this.captured)
          if (told.collections === 'all' || told.collections.includes(collection.name))
            unclear.add(collection);
    }
    for (const { ns } of events)
      for (const collection of this.captured)
        if (ns?.coll === collection.name && this.readiness.isUnfit(ns.coll)) unclear.add(collection);
    for (const collection of unclear)
      if (!(await this.readiness.restore(collection.name))) unclear.delete(collection);
    for (const name of blind)
      if (!this.readiness.isUnfit(name)) await keepPreImages(this.oplog.db, name).catch(() => undefined);
    const sightings = await sightingsOf(
      this.oplog,
      [...seen.values()].filter(({ collection }) => !this.readiness.isUnfit(collection)),
      (name) => this.collections.get(name),
      ({ name, rules }) => this.refuse(name, namesNoScope(rules.capture?.scopeField ?? '')),
    );
    await this.record(sightings, signal);
    for (const { name } of unclear) await this.look(name, signal);
    this.measure(foreign);
    if (isEnd) this.savedAt = -Infinity;
    await this.save(token, events.at(-1));
  }

  /** Something happened that the stream does not tell: the collection was dropped, or its pre-images were switched off. */
  private async look(name: string, signal: AbortSignal): Promise<void> {
    this.logger.warn(`Collection ${name}: documents went without a trace; it is compared with the log.`);
    await this.compare([name], signal);
  }

  private async record(sightings: readonly Sighting[], signal: AbortSignal): Promise<void> {
    if (sightings.length === 0) return;
    const refused = await this.observation.record(sightings, APP_ACTOR, () => !signal.aborted);
    this.metrics.captured(sightings.length - refused.size, refused.size);
    for (const [at, rejection] of refused) this.refuse(sightings[at]?.collection.name ?? '', rejection);
  }

  /** Said once for each reason: it may be true of many documents. */
  private refuse(name: string, { code, message }: Rejection): void {
    if (this.named.has(`${name} ${code}`)) return;
    this.named.add(`${name} ${code}`);
    this.logger.warn(`Collection ${name}: a document of the app cannot be synced (${code}): ${message}`);
  }

  private measure(foreign: readonly ChangeEvent[]): void {
    const now = this.clock.now();
    for (const { wallTime } of foreign)
      this.metrics.captureLag(Math.max(0, now - (wallTime?.getTime() ?? now)) / 1000);
  }

  private async save(token: unknown, last: ChangeEvent | undefined): Promise<void> {
    const now = performance.now();
    // While nothing happens the token moves too, but it is no hurry.
    if (now - this.savedAt < (last ? SAVE_EVERY_MS : SAVE_EVERY_MS * 20)) return;
    this.savedAt = now;
    await this.position.save(token, last?.wallTime ?? new Date(this.clock.now()));
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

function namesNoScope(scopeField: string): Rejection {
  return {
    code: 'scope_missing',
    message: `its field ${scopeField} names no scope (a text, a whole number or an ObjectId), so no device gets it`,
  };
}
