import mongoose, { type mongo } from 'mongoose';
import { formatHlc, ZERO_VERSION } from 'nest-offline-sync-protocol';
import type { EntryRecord, HeadRecord } from '../../libs/sync/src/log/records';

export interface Write {
  readonly collection: string;
  readonly id: unknown;
  /** Null deletes. */
  readonly data: Record<string, unknown> | null;
}

/**
 * Writes a scope's documents, entries and head as the engine keeps them, by the driver alone: for tests of readers
 * that need states that no client can bring about.
 */
export class SeededScope {
  private seq = 0;

  constructor(
    private readonly db: mongo.Db,
    readonly scope: string,
    private readonly startMs = Date.UTC(2026, 4, 2, 12),
  ) {}

  /** The version of an entry by its number; 0 gives the zero version. */
  version(seq: number): string {
    return seq === 0 ? ZERO_VERSION : formatHlc({ ms: this.startMs + seq, counter: seq % 7, node: 'w-1' });
  }

  get head(): string {
    return this.version(this.seq);
  }

  /** In order, one entry each. Returns the versions. */
  async write(writes: readonly Write[]): Promise<string[]> {
    const entries: EntryRecord[] = [];
    for (const { collection, id, data } of writes) {
      this.seq += 1;
      const version = this.version(this.seq);
      const operation = data ? 'upsert' : 'delete';
      entries.push({
        scope: this.scope,
        seq: this.seq,
        version,
        collection,
        doc: id,
        operation,
        actor: 'ann',
        at: new Date(this.startMs + this.seq),
        wire: JSON.stringify({
          version,
          seq: this.seq,
          collection,
          doc_id: id,
          operation,
          data,
          parent_version: null,
        }),
      });
    }
    const session = this.db.client.startSession();
    try {
      await session.withTransaction(async () => {
        await this.replaceDocuments(writes, entries, session);
        await this.db.collection<EntryRecord>('sync_oplog').insertMany(entries, { session });
        await this.moveHead(session);
      });
    } finally {
      await session.endSession();
    }
    return entries.map(({ version }) => version);
  }

  private async replaceDocuments(
    writes: readonly Write[],
    entries: readonly EntryRecord[],
    session: mongo.ClientSession,
  ): Promise<void> {
    for (const name of new Set(writes.map(({ collection }) => collection))) {
      const operations = writes.flatMap(({ collection, id, data }, index) =>
        collection === name
          ? [
              {
                replaceOne: {
                  filter: { _id: id as mongo.ObjectId },
                  replacement: this.stored(data, entries[index]?.version),
                  upsert: true,
                },
              },
            ]
          : [],
      );
      await this.db.collection(name).bulkWrite(operations, { session });
    }
  }

  stored(data: Record<string, unknown> | null, version: string | undefined): Record<string, unknown> {
    return {
      ...data,
      _sync_version: version,
      _sync_actor_id: 'ann',
      _sync_scope_id: this.scope,
      _sync_deleted: data === null,
    };
  }

  private async moveHead(session?: mongo.ClientSession): Promise<void> {
    await this.db
      .collection<HeadRecord>('sync_heads')
      .updateOne(
        { _id: this.scope },
        { $set: { version: this.head, seq: this.seq }, $setOnInsert: { floor: ZERO_VERSION, floorSeq: 0 } },
        { upsert: true, session },
      );
  }

  /** Raises the floor to the entry of this number and removes what is below it, and itself with `all`. */
  async trim(seq: number, all = false): Promise<void> {
    const floor = this.version(seq);
    await this.db
      .collection<HeadRecord>('sync_heads')
      .updateOne({ _id: this.scope }, { $set: { floor, floorSeq: seq } });
    await this.db
      .collection<EntryRecord>('sync_oplog')
      .deleteMany({ scope: this.scope, version: all ? { $lte: floor } : { $lt: floor } });
  }

  /** Documents without an entry each, fast: for full resyncs of many rows. */
  async fill(
    collection: string,
    count: number,
    data: (index: number) => Record<string, unknown>,
  ): Promise<void> {
    this.seq += 1;
    for (let start = 0; start < count; start += 10_000) {
      const size = Math.min(10_000, count - start);
      const documents = Array.from({ length: size }, (_, index) => ({
        _id: new mongoose.mongo.ObjectId(),
        ...this.stored(data(start + index), this.head),
      }));
      await this.db.collection(collection).insertMany(documents);
    }
    await this.moveHead();
  }
}
