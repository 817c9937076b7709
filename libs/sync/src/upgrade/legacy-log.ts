import mongoose, { type mongo } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { codeOf, MONGO_CODES } from '../database/errors';
import type { OplogRepository } from '../log/oplog';
import { isUsable, upgradedEntry, type LegacyEntry } from './legacy-entry';

const BATCH = 500;
const BATCH_BYTES = 8 << 20;
/** Only for the time of the upgrade. */
const BY_SCOPE = { scope_id: 1, _id: 1 } as const;
const LEGACY_FIELDS = ['timestamp', 'doc_id', 'data', 'actor_id', 'scope_id', 'parent_version'];

/** What became of the log of one scope. */
export interface UpgradedScope {
  readonly entries: number;
  /** The oldest that is kept. */
  readonly first?: string;
  readonly last?: string;
  /** Entries that no cursor can name, and what is older. */
  readonly dropped: number;
}

/** The log of fastapi-offline-sync while its entries are made this engine's. Each step may be done again. */
export class LegacyLog {
  private readonly entries: mongo.Collection<LegacyEntry>;

  constructor(oplog: OplogRepository) {
    this.entries = oplog.db.collection<LegacyEntry>(oplog.entries.collectionName, {
      writeConcern: { w: 'majority' },
      readPreference: 'primary',
      promoteBuffers: false,
      bsonRegExp: true,
      ignoreUndefined: true,
    });
  }

  /** @returns whether there is anything of it */
  async isThere(): Promise<boolean> {
    return (await this.entries.findOne({ scope_id: { $exists: true } })) !== null;
  }

  /** MongoDB would go on removing entries, which this engine does itself. */
  async stopExpiry(): Promise<void> {
    for (const { name, expireAfterSeconds } of await this.indexes())
      if (expireAfterSeconds !== undefined) await this.entries.dropIndex(name);
    await this.entries.createIndex(BY_SCOPE);
  }

  async *scopes(): AsyncGenerator<string> {
    const names = this.entries.aggregate<{ _id: string }>(
      [{ $match: { scope_id: { $exists: true } } }, { $group: { _id: '$scope_id' } }, { $sort: { _id: 1 } }],
      { allowDiskUse: true },
    );
    for await (const { _id } of names) yield _id;
  }

  /** How many entries were not upgraded yet. */
  waiting(scope?: string): Promise<number> {
    return this.entries.countDocuments({ scope_id: scope ?? { $exists: true }, seq: { $exists: false } });
  }

  /** Numbers the entries of a scope in the order of their versions. The old fields stay until {@link finish}. */
  async upgrade(scope: string, isDry: boolean): Promise<UpgradedScope> {
    const bad = await this.newestUnusable(scope);
    const above = { scope_id: scope, ...(bad === undefined ? {} : { _id: { $gt: bad } }) };
    let [seq, first, last] = [0, undefined as string | undefined, undefined as string | undefined];
    let batch: mongo.AnyBulkWriteOperation<LegacyEntry>[] = [];
    let bytes = 0;
    const cursor = this.entries.find(above, { sort: { _id: 1 }, batchSize: BATCH });
    for await (const entry of cursor) {
      seq += 1;
      first ??= entry._id;
      last = entry._id;
      if (isDry || entry.seq === seq) continue;
      const $set = upgradedEntry(entry, seq, mongoose.mongo);
      batch.push({ updateOne: { filter: { _id: entry._id }, update: { $set } } });
      bytes += $set.wire.length;
      if (batch.length < BATCH && bytes < BATCH_BYTES) continue;
      await this.entries.bulkWrite(batch, { ordered: false });
      [batch, bytes] = [[], 0];
    }
    if (batch.length > 0) await this.entries.bulkWrite(batch, { ordered: false });
    return { entries: seq, first, last, dropped: await this.drop(scope, bad, isDry) };
  }

  /** Entries that came when the scope was upgraded already: only the documents have what they tell. */
  async dropLate(scope: string): Promise<number> {
    return (await this.entries.deleteMany({ scope_id: scope, seq: { $exists: false } })).deletedCount;
  }

  /** Takes the old fields and indexes away. */
  async finish(): Promise<void> {
    await this.entries.updateMany({ scope_id: { $exists: true } }, [{ $unset: LEGACY_FIELDS }]);
    for (const { name, key } of await this.indexes())
      if (Object.hasOwn(key, 'scope_id') || Object.hasOwn(key, 'timestamp'))
        await this.entries.dropIndex(name);
  }

  private async newestUnusable(scope: string): Promise<string | undefined> {
    // What is no version of ours fails one of these; those that pass are looked at.
    const usable = /^\d{8}T\d{6}\.\d{3}Z-\d{4}(-[\w.-]{1,64})?$/;
    const found = await this.entries.findOne(
      { scope_id: scope, _id: { $not: usable } },
      { sort: { _id: -1 }, projection: { _id: 1 } },
    );
    return found && !isUsable(found._id) ? found._id : undefined;
  }

  private async drop(scope: string, bad: string | undefined, isDry: boolean): Promise<number> {
    if (bad === undefined) return 0;
    const filter = { scope_id: scope, _id: { $lte: bad } };
    return isDry ? this.entries.countDocuments(filter) : (await this.entries.deleteMany(filter)).deletedCount;
  }

  private async indexes(): Promise<
    { name: string; key: Record<string, unknown>; expireAfterSeconds?: number }[]
  > {
    try {
      return (await this.entries.listIndexes().toArray()) as Awaited<ReturnType<LegacyLog['indexes']>>;
    } catch (error) {
      if (codeOf(error) === MONGO_CODES.NamespaceNotFound) return [];
      throw error;
    }
  }
}

export function stillWritten(count: number): SyncError {
  return new SyncError(
    'configuration',
    `${count} more entries have come while the log was upgraded: stop the old server, then run this again.`,
  );
}
