import mongoose, { type Connection } from 'mongoose';
import { formatHlc, ZERO_VERSION } from 'nest-offline-sync-protocol';
import { createLayout, databaseLayout } from '../../libs/sync/src/database/layout';
import { OplogRepository } from '../../libs/sync/src/log/oplog';
import type { HeadRecord } from '../../libs/sync/src/log/records';
import { resolveSettings } from '../../libs/sync/src/options/settings';
import { testDatabase } from './database';

export const DAY_MS = 86_400_000;

/** A log that was not written by the engine: scopes with entries of any age, as the engine would have left them. */
export class SeededLog {
  private constructor(
    readonly connection: Connection,
    readonly oplog: OplogRepository,
  ) {}

  /** @param fileName of the test, for the database's name */
  static async open(fileName: string, options: mongoose.ConnectOptions = {}): Promise<SeededLog> {
    const connection = await mongoose.createConnection(testDatabase(fileName).uri, options).asPromise();
    const settings = resolveSettings({});
    const oplog = new OplogRepository(connection, settings);
    await createLayout(oplog.db, databaseLayout(settings, []));
    return new SeededLog(connection, oplog);
  }

  async empty(): Promise<void> {
    for (const { collectionName } of await this.oplog.db.collections())
      await this.oplog.db.collection(collectionName).deleteMany({});
  }

  /** Appends an entry for each age, in milliseconds before now, and moves the head. */
  async append(scope: string, ages: readonly number[]): Promise<void> {
    const head = await this.head(scope).catch(() => undefined);
    const from = head?.seq ?? 0;
    const entries = ages.map((age, index) => entry(scope, from + index + 1, age));
    await this.oplog.entries.insertMany(entries);
    const { seq, version } = entries.at(-1)!;
    await this.oplog.heads.updateOne(
      { _id: scope },
      { $set: { seq, version }, $setOnInsert: { floor: ZERO_VERSION, floorSeq: 0 } },
      { upsert: true },
    );
  }

  /** One entry in each of many new scopes. */
  async appendToEach(scopes: readonly string[], age: number): Promise<void> {
    const entries = scopes.map((scope) => entry(scope, 1, age));
    await this.oplog.entries.insertMany(entries);
    await this.oplog.heads.insertMany(
      entries.map(({ scope, seq, version }) => ({
        _id: scope,
        seq,
        version,
        floor: ZERO_VERSION,
        floorSeq: 0,
      })),
    );
  }

  async head(scope: string): Promise<HeadRecord> {
    const head = await this.oplog.heads.findOne({ _id: scope });
    if (!head) throw new Error(`no head of ${scope}`);
    return head;
  }

  /** What is left of a scope's log, oldest first. */
  async seqs(scope: string): Promise<number[]> {
    const rows = await this.oplog.entries
      .find({ scope }, { sort: { seq: 1 }, projection: { seq: 1 } })
      .toArray();
    return rows.map(({ seq }) => seq);
  }

  /** Makes it that long ago that the scope's floor was raised. */
  async ageFloor(scope: string, ms: number): Promise<void> {
    const { floorAt } = await this.head(scope);
    await this.oplog.heads.updateOne(
      { _id: scope },
      { $set: { floorAt: new Date(floorAt!.getTime() - ms) } },
    );
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}

/** The version of a seeded entry. */
export function versionOf(seq: number): string {
  return formatHlc({ ms: Date.UTC(2026, 0, 1) + seq, counter: 0, node: 'seed' });
}

function entry(scope: string, seq: number, ageMs: number) {
  const version = versionOf(seq);
  const change = {
    version,
    seq,
    collection: 'tasks',
    doc_id: `t${String(seq)}`,
    operation: 'delete' as const,
  };
  return {
    scope,
    seq,
    version,
    collection: change.collection,
    doc: change.doc_id,
    operation: change.operation,
    actor: 'a',
    at: new Date(Date.now() - ageMs),
    wire: JSON.stringify({ ...change, data: null, parent_version: null }),
  };
}
