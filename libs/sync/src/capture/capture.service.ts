import { randomUUID } from 'node:crypto';
import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { mongo } from 'mongoose';
import { SyncError, ZERO_VERSION } from 'nest-offline-sync-protocol';
import { ScopeFloors } from '../admin/scope-floors';
import { Lease, type LeaseRecord } from '../cluster/lease';
import type { SyncedCollection } from '../collections/collection';
import { CollectionRegistry } from '../collections/collection-registry';
import { codeOf, errorKind, MONGO_CODES } from '../database/errors';
import { OplogSetupService } from '../database/setup';
import { fullJitter, OUTAGE_PAUSE, pause, within } from '../database/waiting';
import { OplogRepository } from '../log/oplog';
import type { SyncSettings } from '../options/settings';
import { SYNC_SETTINGS } from '../options/tokens';
import { APP_ACTOR } from '../plan/foreign';
import { joined, tell, type Seen } from './change-events';
import { changesOf, latestTime, type ChangeBatch, type Start } from './change-source';
import { differing } from './capture-scan';
import { keyOf, Observation } from './observation';
import { sightingsOf } from './sightings';

/** How far the cluster has come. Kept with the leases. */
interface PositionRecord {
  readonly _id: string;
  readonly token?: unknown;
  /** Collections that were compared as a whole: what came later is in the stream. */
  readonly compared?: readonly string[];
}

const LEASE_MS = 5_000;
/** How often a process that has not the lease asks for it. */
const LOOK_EVERY_MS = 1_000;
const SAVE_EVERY_MS = 250;
const POSITION = 'capture:position';

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
  private readonly positions: mongo.Collection<PositionRecord>;
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
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
  ) {
    const options = { writeConcern: { w: 'majority' }, readPreference: 'primary' } as const;
    const { leasesCollection } = settings;
    this.lease = new Lease(
      oplog.db.collection<LeaseRecord>(leasesCollection, options),
      'capture',
      randomUUID(),
      LEASE_MS,
    );
    this.positions = oplog.db.collection<PositionRecord>(leasesCollection, options);
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.setup.whenReady();
    this.captured = this.collections
      .names()
      .flatMap((name) => this.collections.get(name) ?? [])
      .filter(({ rules }) => rules.capture);
    if (this.captured.length === 0) return;
    for (const { name } of this.captured) await this.keepPreImages(name);
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
        if (HISTORY_LOST.has(codeOf(error) ?? 0)) await this.startOver().catch(() => undefined);
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
    const position = await this.positions.findOne({ _id: POSITION });
    const start: Start =
      position?.token === undefined
        ? { startAtOperationTime: await latestTime(this.oplog) }
        : { startAfter: position.token };
    const fresh = this.captured.filter(({ name }) => !position?.compared?.includes(name));
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const comparing = this.compare(fresh, both);
    // It fails the stream too: both begin again then.
    comparing.catch(() => stop.abort());
    const names = this.captured.map(({ name }) => name);
    const scopeFields = [...new Set(this.captured.flatMap(({ rules }) => rules.capture?.scopeField ?? []))];
    try {
      for await (const batch of changesOf(this.oplog, { names, scopeFields }, start, both)) {
        if (both.aborted) break;
        await this.take(batch, both);
      }
    } finally {
      stop.abort();
      await comparing;
    }
  }

  private async compare(collections: readonly SyncedCollection[], signal: AbortSignal): Promise<void> {
    for (const collection of collections) {
      for await (const sightings of differing(this.oplog, collection)) {
        if (signal.aborted) return;
        await this.record(sightings, signal);
      }
      await this.positions.updateOne(
        { _id: POSITION },
        { $addToSet: { compared: collection.name } },
        { upsert: true },
      );
    }
  }

  private async take({ events, token, isEnd }: ChangeBatch, signal: AbortSignal): Promise<void> {
    const seen = new Map<string, Seen>();
    const unclear = new Set<SyncedCollection>();
    for (const event of events) {
      const told = tell(event);
      if (told.kind === 'write') {
        const key = `${told.collection}\0${keyOf(told.storedId)}`;
        seen.set(key, joined(seen.get(key), told));
      } else if (told.kind === 'unclear')
        for (const collection of this.captured)
          if (told.collection === undefined || told.collection === collection.name) unclear.add(collection);
    }
    await this.record(await sightingsOf([...seen.values()], (name) => this.collections.get(name)), signal);
    for (const collection of unclear) await this.look(collection, signal);
    if (isEnd) this.savedAt = -Infinity;
    await this.save(token, events.length > 0);
  }

  /** Something happened that the stream does not tell: the collection was dropped, or its pre-images were switched off. */
  private async look(collection: SyncedCollection, signal: AbortSignal): Promise<void> {
    this.logger.warn(
      `Collection ${collection.name}: documents went without a trace; it is compared with the log.`,
    );
    await this.keepPreImages(collection.name).catch(() => undefined);
    for await (const sightings of differing(this.oplog, collection)) {
      if (signal.aborted) return;
      await this.record(sightings, signal);
    }
  }

  private async record(sightings: Parameters<Observation['record']>[0], signal: AbortSignal): Promise<void> {
    if (sightings.length === 0) return;
    const refused = await this.observation.record(sightings, APP_ACTOR, () => !signal.aborted);
    for (const [at, { code, message }] of refused) {
      const name = sightings[at]?.collection.name ?? '';
      if (this.named.has(`${name} ${code}`)) continue;
      this.named.add(`${name} ${code}`);
      this.logger.warn(`Collection ${name}: a document of the app cannot be synced (${code}): ${message}`);
    }
  }

  private async save(token: unknown, isNews: boolean): Promise<void> {
    const now = performance.now();
    // While nothing happens the token moves too, but it is no hurry.
    if (now - this.savedAt < (isNews ? SAVE_EVERY_MS : SAVE_EVERY_MS * 20)) return;
    this.savedAt = now;
    await within(LEASE_MS, () =>
      this.positions.updateOne({ _id: POSITION }, { $set: { token } }, { upsert: true }),
    );
  }

  /** MongoDB does not know any more what came next: everything is compared, and devices load what cannot be. */
  private async startOver(): Promise<void> {
    this.logger.warn(
      'Capture was away for longer than MongoDB keeps its log: all captured collections are compared.',
    );
    for await (const { _id, floor } of this.oplog.heads.find({}, { projection: { floor: 1 } }))
      // Of documents whose entries were trimmed nobody can tell that they are gone.
      if (floor !== ZERO_VERSION) await this.floors.raise(_id);
    // Last: a process that is killed before this begins here again.
    await this.positions.deleteOne({ _id: POSITION });
  }

  private async keepPreImages(name: string): Promise<void> {
    const { db } = this.oplog;
    const [found] = await db.listCollections({ name }).toArray();
    const { options } = (found ?? {}) as {
      options?: { changeStreamPreAndPostImages?: { enabled?: boolean } };
    };
    if (options?.changeStreamPreAndPostImages?.enabled === true) return;
    try {
      await db.command({ collMod: name, changeStreamPreAndPostImages: { enabled: true } });
    } catch (error) {
      if (codeOf(error) !== MONGO_CODES.Unauthorized) throw error;
      throw new SyncError(
        'configuration',
        `SyncModule: collection ${name}: capture needs pre-images, and the database's user may not switch them on. ` +
          `Run db.runCommand({ collMod: '${name}', changeStreamPreAndPostImages: { enabled: true } }) in mongosh.`,
        { path: `collections.${name}.capture`, cause: error },
      );
    }
  }
}

/** ChangeStreamHistoryLost, ChangeStreamFatalError, InvalidResumeToken, CappedPositionLost. */
const HISTORY_LOST = new Set([286, 280, 260, 136]);
