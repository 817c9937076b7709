import type { Connection, mongo } from 'mongoose';
import { formatHlc, parseHlc, sendHlc, ZERO_HLC } from 'nest-offline-sync-protocol';
import { SYNC_FIELDS, type StoredDocument } from '../codec/stored-document';
import { nativeCollection } from '../collections/native-collection';
import { isDuplicateKey } from '../database/errors';
import type { OplogRepository } from '../log/oplog';
import type { HeadRecord } from '../log/records';
import { scopesOf } from '../verify/scopes';
import { LegacyLog, stillWritten, type UpgradedScope } from './legacy-log';

/** The types of the ids of a collection, and how many documents have each. */
export interface IdTypesFound {
  readonly collection: string;
  readonly types: Readonly<Record<string, number>>;
}

/** What an upgrade has done, or would do. */
export interface UpgradeReport {
  readonly dryRun: boolean;
  readonly scopes: number;
  readonly entries: number;
  /** Entries that no cursor can name, and older ones of their scopes: devices that are older load again. */
  readonly dropped: number;
  /** Entries that the old server has written after its scope was upgraded: `verify --repair` records what they have told. */
  readonly late: number;
  /** Scopes of which devices load everything again. */
  readonly reloads: number;
  readonly collections: readonly IdTypesFound[];
}

export interface UpgradePlan {
  readonly collections: readonly string[];
  readonly dryRun: boolean;
  /** All devices load again. */
  readonly reload: boolean;
  /** Makes the engine's collections and indexes. */
  readonly prepare: () => Promise<unknown>;
  readonly onProgress: (entries: number) => void;
}

/** Comes behind versions that an old server may have made in the same moment. */
const NODE = 'upgrade';

/**
 * Makes the log of fastapi-offline-sync this engine's: the same collection, the same versions, so that the cursors of devices
 * stay good. Documents stay as they are. Broken off anywhere, it is finished by the next run.
 */
export class Upgrade {
  private readonly legacy: LegacyLog;
  private readonly sums = { scopes: 0, entries: 0, dropped: 0, late: 0, reloads: 0 };

  constructor(
    private readonly oplog: OplogRepository,
    private readonly connection: Connection,
    private readonly plan: UpgradePlan,
  ) {
    this.legacy = new LegacyLog(oplog);
  }

  async run(): Promise<UpgradeReport> {
    const { plan, legacy, sums } = this;
    const isThere = await legacy.isThere();
    if (isThere && !plan.dryRun) await legacy.stopExpiry();
    const upgraded = new Map<string, UpgradedScope>();
    for await (const scope of legacy.scopes()) {
      if ((await this.oplog.readHead(scope)) && !plan.dryRun) sums.late += await legacy.dropLate(scope);
      const done = await legacy.upgrade(scope, plan.dryRun);
      upgraded.set(scope, done);
      sums.entries += done.entries;
      sums.dropped += done.dropped;
      plan.onProgress(sums.entries);
    }
    if (!plan.dryRun) {
      const waiting = await legacy.waiting();
      if (waiting > 0) throw stillWritten(waiting);
      await plan.prepare();
    }
    for await (const scope of this.scopes(upgraded)) await this.makeHead(scope, upgraded.get(scope));
    if (isThere && !plan.dryRun) await legacy.finish();
    const collections: IdTypesFound[] = [];
    for (const name of plan.collections) collections.push(await this.idTypes(name));
    return { dryRun: plan.dryRun, ...sums, collections };
  }

  /** Those of the log, and those that have documents alone, because their log has expired. */
  private async *scopes(upgraded: ReadonlyMap<string, UpgradedScope>): AsyncGenerator<string> {
    yield* upgraded.keys();
    const stores = this.plan.collections.map((name) => ({ store: this.store(name) }));
    const { dryRun } = this.plan;
    // The index that finds them quickly is made by now.
    if (dryRun) return;
    for await (const scope of scopesOf(this.oplog, stores)) if (!upgraded.has(scope)) yield scope;
  }

  private async makeHead(scope: string, upgraded: UpgradedScope | undefined): Promise<void> {
    const { plan, sums } = this;
    sums.scopes += 1;
    const isReloaded = plan.reload || upgraded?.first === undefined;
    if (plan.dryRun) {
      if (isReloaded) sums.reloads += 1;
      return;
    }
    if (await this.oplog.readHead(scope)) return;
    const head = await this.headOf(scope, upgraded);
    try {
      await this.oplog.heads.insertOne(head);
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
    }
    if (isReloaded) sums.reloads += 1;
  }

  /**
   * Nobody can tell what has expired below the oldest entry: as on the old server, a device that stands below it loads again.
   * Above all that documents have, so that devices may build on them.
   */
  private async headOf(scope: string, upgraded: UpgradedScope | undefined): Promise<HeadRecord> {
    const { entries = 0, first, last = '' } = upgraded ?? {};
    const newest = [
      last,
      ...(await Promise.all(this.plan.collections.map((name) => this.newestIn(name, scope)))),
    ]
      .sort()
      .at(-1) as string;
    if (first !== undefined && !this.plan.reload)
      return { _id: scope, version: newest, seq: entries, floor: first, floorSeq: 1 };
    const floor = formatHlc(sendHlc(parseHlc(newest) ?? ZERO_HLC, Date.now(), NODE));
    return { _id: scope, version: floor, seq: entries + 1, floor, floorSeq: entries + 1 };
  }

  private async newestIn(name: string, scope: string): Promise<string> {
    const { version } = SYNC_FIELDS;
    const usable = /^\d{8}T\d{6}\.\d{3}Z-\d{4}(-[\w.-]{1,64})?$/;
    const row = await this.store(name).findOne(
      { [SYNC_FIELDS.scope]: scope, [version]: usable },
      { sort: { [version]: -1 }, projection: { _id: 0, [version]: 1 } },
    );
    const found = row?.[version];
    return typeof found === 'string' && parseHlc(found) ? found : '';
  }

  private async idTypes(collection: string): Promise<IdTypesFound> {
    const rows = await this.store(collection)
      .aggregate<{ _id: string; count: number }>([
        { $group: { _id: { $type: '$_id' }, count: { $sum: 1 } } },
        { $sort: { count: -1 } },
      ])
      .toArray();
    return { collection, types: Object.fromEntries(rows.map(({ _id, count }) => [_id, count])) };
  }

  private store(name: string): mongo.Collection<StoredDocument> {
    return nativeCollection(this.connection, name);
  }
}
