import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import mongoose, { type mongo } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { Observation } from '../capture/observation';
import { wakings } from '../capture/wakings';
import { Lease, type LeaseRecord } from '../cluster/lease';
import type { SyncedCollection } from '../collections/collection';
import { isOwnPath } from '../collections/collection-options';
import { CollectionRegistry } from '../collections/collection-registry';
import { createLayout, databaseLayout } from '../database/layout';
import { OplogSetupService } from '../database/setup';
import { identityText } from '../identity/identity';
import { OplogRepository } from '../log/oplog';
import type { SyncSettings } from '../options/settings';
import { SYNC_SETTINGS } from '../options/tokens';
import { APP_ACTOR } from '../plan/foreign';
import { Adoption, type AdoptionPlan, type AdoptProgress, type AdoptReport } from './adoption';
import { comparedCollection } from '../verify/compared-collection';
import { Repairs } from '../verify/repairs';
import type { VerifyProgress, VerifyReport } from '../verify/report';
import { Verification } from '../verify/verification';
import { Reversal, type RevertReport } from './reversal';
import { ScopeFloors } from './scope-floors';
import { isFilter } from './filter';
import { countUnscoped } from './unscoped-walk';

export interface AdoptOptions {
  /** A synced collection with global ids. */
  readonly collection: string;
  /** The field that names a document's scope: a dotted path. */
  readonly scopeField: string;
  /** Only documents that match this filter of MongoDB. */
  readonly where?: object;
  /** Kept as `_sync_actor_id` of the documents. Default `app`. */
  readonly actor?: string;
  /**
   * True (default): each document gets a log entry, and devices that sync already get it. False: no entries, and in the
   * end the floors of the scopes move, so that devices load their scope again.
   */
  readonly log?: boolean;
  /** Writes nothing, and tells what would be done. */
  readonly dryRun?: boolean;
  readonly onProgress?: (progress: AdoptProgress) => void;
  /** Ends the run between two batches; the next run goes on. */
  readonly signal?: AbortSignal;
}

export interface RevertOptions {
  readonly collection: string;
  readonly onProgress?: (documents: number) => void;
  readonly signal?: AbortSignal;
}

export interface VerifyOptions {
  /** Synced collections; default: all. */
  readonly collections?: readonly string[];
  /** Only this scope. */
  readonly scope?: string;
  /** Records what differs. False (default): nothing is written. */
  readonly repair?: boolean;
  /** How many comparisons the report has, those that differ first. Default 100. */
  readonly limit?: number;
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** Ends the run between two steps. */
  readonly signal?: AbortSignal;
}

/** What an unfinished adoption was begun with. Kept with the leases. */
interface AdoptionRecord {
  readonly _id: string;
  readonly scopeField: string;
  readonly log: boolean;
  readonly where: string;
}

/** How long a run that was killed keeps the next one waiting. */
const LEASE_MS = 15_000;

/** Brings data that the app has already into sync. Each call is one job at a time for a collection, in the whole cluster. */
@Injectable()
export class SyncAdminService {
  private readonly records: mongo.Collection<AdoptionRecord>;
  private readonly leases: mongo.Collection<LeaseRecord>;

  constructor(
    private readonly oplog: OplogRepository,
    private readonly collections: CollectionRegistry,
    private readonly setup: OplogSetupService,
    private readonly observation: Observation,
    private readonly floors: ScopeFloors,
    private readonly repairs: Repairs,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
  ) {
    const options = { writeConcern: { w: 'majority' }, readPreference: 'primary' } as const;
    this.records = oplog.db.collection<AdoptionRecord>(settings.leasesCollection, options);
    this.leases = oplog.db.collection<LeaseRecord>(settings.leasesCollection, options);
  }

  /**
   * Gives the documents of a collection their scope, version and the other fields of sync. The app and devices may write
   * meanwhile. Flat in memory; a run that was killed is continued by the next call with the same options.
   *
   * @throws SyncError `configuration` for options that cannot be, and while an adoption by other options is unfinished;
   *   `busy` while another process adopts or reverts the collection; `shutting_down` when the signal fired
   */
  async adopt(options: AdoptOptions): Promise<AdoptReport> {
    await this.setup.whenReady();
    const plan = this.planOf(options);
    const { store } = plan.collection;
    if (!(await isFilter(store, plan.where)))
      throw bad('where', 'must be a filter of MongoDB, and the database takes it for none');
    const run = async (mayContinue: () => Promise<boolean>): Promise<AdoptReport> => {
      const total = await countUnscoped(store, plan.where);
      const report = await new Adoption(
        plan,
        total,
        { observation: this.observation, floors: this.floors },
        mayContinue,
        options.onProgress ?? (() => undefined),
      ).run();
      if (!report) throw stopped();
      if (!plan.dryRun) await this.finish(plan, mayContinue);
      return report;
    };
    if (plan.dryRun) return run(() => Promise.resolve(!options.signal?.aborted));
    return this.alone(jobOn(plan.collection.name), options.signal, async (mayContinue) => {
      await this.begin(plan);
      return run(mayContinue);
    });
  }

  /**
   * Takes the fields of sync off a collection's documents again, and removes its tombstones. Devices load their scopes
   * again, and have none of its documents then.
   *
   * @throws SyncError as {@link adopt}
   */
  async revert({ collection: name, signal, onProgress }: RevertOptions): Promise<RevertReport> {
    await this.setup.whenReady();
    const collection = this.collectionOf(name);
    return this.alone(jobOn(name), signal, async (mayContinue) => {
      const { observation, floors } = this;
      const reversal = new Reversal(collection, { observation, floors }, mayContinue, onProgress);
      const report = await reversal.run();
      if (!report) throw stopped();
      await this.records.deleteOne({ _id: recordId(name) });
      return report;
    });
  }

  /**
   * Compares the documents of synced collections with the log, scope by scope, while the app and devices write; with `repair`
   * it records what differs as writes of the app, so that devices get it. Documents of the app stay as they are. Where the
   * log was trimmed and something differs, nobody can tell what else does: the scope's floor moves, and its devices load
   * again. Flat in memory; a run that was killed leaves nothing half done.
   *
   * @throws SyncError `configuration` for options that cannot be; `busy` while another process repairs; `shutting_down` when
   *   the signal fired
   */
  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    await this.setup.whenReady();
    const { collections: asked, scope, repair = false, limit = 100, onProgress } = options;
    const { signal = new AbortController().signal } = options;
    if (!Number.isSafeInteger(limit) || limit < 1) throw bad('limit', 'must be a whole number from 1 on');
    const names = asked ?? this.collections.names();
    const collections = [...new Set(names)].map((name) => comparedCollection(this.syncedOf(name)));
    const run = (mayContinue: () => Promise<boolean>): Promise<VerifyReport> =>
      new Verification(this.oplog, {
        ...{ collections, scope, signal, mayContinue, rows: limit },
        ...(repair ? { repairs: this.repairs } : {}),
        onProgress: onProgress ?? (() => undefined),
      }).run();
    if (!repair) return run(() => Promise.resolve(!signal.aborted));
    return this.alone({ lease: 'verify', what: 'repairs' }, signal, async (mayContinue) => {
      // A collection may have been dropped since the start.
      if (this.settings.autoIndex) await createLayout(this.oplog.db, databaseLayout(this.settings, names));
      return run(mayContinue);
    });
  }

  private planOf(options: AdoptOptions): AdoptionPlan {
    const { scopeField, where = {}, actor = APP_ACTOR, log = true, dryRun = false } = options;
    const collection = this.collectionOf(options.collection);
    if (typeof scopeField !== 'string' || !isOwnPath(scopeField))
      throw bad('scopeField', 'must be the dotted path of a field of the documents, and no _id or _sync_*');
    if (typeof where !== 'object' || where === null || Array.isArray(where))
      throw bad('where', 'must be a filter of MongoDB');
    const capturedBy = collection.rules.capture?.scopeField;
    if (capturedBy !== undefined && capturedBy !== scopeField)
      throw bad('scopeField', `must be ${capturedBy}: the app captures ${collection.name} by it`);
    const actorId = identityText(actor);
    if (actorId === undefined) throw bad('actor', 'must be a text of 1 to 256 bytes');
    return { collection, scopeField, where, actorId, log, dryRun };
  }

  private syncedOf(name: string): SyncedCollection {
    const collection = this.collections.get(name);
    if (!collection) throw bad('collection', `names ${JSON.stringify(name)}, which is not synced`);
    return collection;
  }

  private collectionOf(name: string): SyncedCollection {
    const collection = this.syncedOf(name);
    if (collection.idMode !== 'global')
      throw bad(
        'collection',
        `names ${name}, whose ids are scoped: its documents would need other ids. Write them with tx.upsert of sync.transaction() and remove the old ones, or sync it with ids: 'global'`,
      );
    return collection;
  }

  /** Two runs with different options would leave a collection of which nobody knows by which field it is divided. */
  private async begin({ collection, scopeField, log, where }: AdoptionPlan): Promise<void> {
    const _id = recordId(collection.name);
    const record = { scopeField, log, where: mongoose.mongo.BSON.EJSON.stringify(where) };
    const found = await this.records.findOneAndUpdate(
      { _id },
      { $setOnInsert: record },
      { upsert: true, returnDocument: 'after' },
    );
    if (!found || found.scopeField !== scopeField || found.log !== log)
      throw new SyncError(
        'configuration',
        `An adoption of ${collection.name} by ${found?.scopeField ?? 'another field'} ${found?.log === false ? 'without' : 'with'} the log is not finished: ` +
          'run it again with the same options, or take it back (revert), before you begin another.',
        { path: 'scopeField' },
      );
  }

  private async finish(
    { collection, actorId }: AdoptionPlan,
    mayContinue: () => Promise<boolean>,
  ): Promise<void> {
    const { name } = collection;
    for await (const scopeIds of this.floors.marked(name)) {
      if (!(await mayContinue())) throw stopped();
      await this.floors.raise(scopeIds);
      await this.observation.record(await wakings(collection, scopeIds), actorId, mayContinue);
      await this.floors.unmark(scopeIds, name);
    }
    await this.records.deleteOne({ _id: recordId(name) });
  }

  private async alone<T>(
    job: Job,
    signal: AbortSignal | undefined,
    work: (mayContinue: () => Promise<boolean>) => Promise<T>,
  ): Promise<T> {
    const lease = new Lease(this.leases, job.lease, randomUUID(), LEASE_MS);
    if ((await lease.acquire()) === undefined)
      throw new SyncError('busy', `Another process ${job.what} at the moment.`, {
        retryAfterSeconds: LEASE_MS / 1000,
      });
    // A batch that waits for the database must not lose the lease.
    const keeping = setInterval(() => void lease.acquire().catch(() => undefined), LEASE_MS / 3);
    try {
      return await work(async () => signal?.aborted !== true && (await lease.keep()));
    } finally {
      clearInterval(keeping);
      await lease.release().catch(() => undefined);
    }
  }
}

/** What one process does at a time. */
interface Job {
  readonly lease: string;
  readonly what: string;
}

function jobOn(collection: string): Job {
  return { lease: `adopt:${collection}`, what: `adopts or reverts ${collection}` };
}

function recordId(collection: string): string {
  return `adoption:${collection}`;
}

function stopped(): SyncError {
  return new SyncError('shutting_down', 'The run was stopped; the next one with the same options goes on.');
}

function bad(option: string, problem: string): SyncError {
  return new SyncError('configuration', `SyncModule: ${option} ${problem}.`, { path: option });
}
