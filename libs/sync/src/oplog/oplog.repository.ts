import { Inject, Injectable } from '@nestjs/common';
import mongoose, { type Connection, type mongo } from 'mongoose';
import { SYNC_CONNECTION, SYNC_SETTINGS } from '../sync.tokens';
import type { SyncSettings } from '../sync.settings';
import type { EntryRecord, HeadRecord, ReceiptRecord } from './records';

/** What a reader needs of an entry. */
export type EntryView = Pick<EntryRecord, 'seq' | 'version' | 'collection' | 'wire'>;

export interface EntryQuery {
  readonly scopeId: string;
  /** Inclusive, so that the first row tells whether the cursor is known; undefined reads from the beginning. */
  readonly since: string | undefined;
  /** The asked collections. The row at `since` comes whatever its collection is. */
  readonly collections: readonly string[];
  readonly limit: number;
  /**
   * About how many characters of wire text to hold at the most: once they are reached, no further batch is read and
   * the answer is shorter than `limit`. The row at `since` does not count. Default: no such bound.
   */
  readonly maxChars?: number;
  /** See at least what was committed up to here (the last event of the change stream). */
  readonly after?: mongo.Timestamp;
  /** Never see less than this session has seen: also over a failover between two reads. */
  readonly session?: mongo.ClientSession;
}

export interface HeadQuery {
  readonly session?: mongo.ClientSession;
  /**
   * Wait until this primary has confirmed with the majority that it still is the primary. A new primary's majority
   * view may for a moment be older than what its predecessor has acknowledged. Not with a session.
   */
  readonly linearizable?: boolean;
}

/** Longest that a client's read may take: shorter than the grace between raising a floor and deleting below it. */
export const READ_TIME_LIMIT_MS = 60_000;

/** Where heads, entries, receipts and leases live. Reads that serve clients are majority reads on the primary. */
@Injectable()
export class OplogRepository {
  readonly heads: mongo.Collection<HeadRecord>;
  readonly entries: mongo.Collection<EntryRecord>;
  readonly receipts: mongo.Collection<ReceiptRecord>;
  readonly client: mongo.MongoClient;
  readonly db: mongo.Db;

  constructor(
    @Inject(SYNC_CONNECTION) connection: Connection,
    @Inject(SYNC_SETTINGS) settings: SyncSettings,
  ) {
    this.client = connection.getClient();
    this.db = this.client.db(connection.name);
    const options: mongo.CollectionOptions = {
      readConcern: { level: 'majority' },
      writeConcern: { w: 'majority' },
      readPreference: 'primary',
      // The host may have set ignoreUndefined or other BSON options on its client: the engine's records are plain.
      ignoreUndefined: true,
      promoteValues: true,
      promoteLongs: true,
    };
    this.heads = this.db.collection<HeadRecord>(settings.headsCollection, options);
    this.entries = this.db.collection<EntryRecord>(settings.oplogCollection, options);
    this.receipts = this.db.collection<ReceiptRecord>(settings.receiptsCollection, options);
  }

  /** The scope's head as the majority has it; null before its first write. */
  readHead(scopeId: string, { session, linearizable = false }: HeadQuery = {}): Promise<HeadRecord | null> {
    return this.heads.findOne(
      { _id: scopeId },
      {
        maxTimeMS: READ_TIME_LIMIT_MS,
        ...(session ? { session } : {}),
        ...(linearizable ? { readConcern: { level: 'linearizable' } } : {}),
      },
    );
  }

  /** Entries in order of their versions, from `since` on (inclusive). */
  async readEntries(query: EntryQuery): Promise<EntryView[]> {
    const { scopeId, since, collections, limit, maxChars = Infinity, after } = query;
    const asked = { collection: { $in: [...collections] } };
    const filter: mongo.Filter<EntryRecord> =
      since === undefined
        ? { scope: scopeId, ...asked }
        : { scope: scopeId, version: { $gte: since }, $or: [{ version: since }, asked] };
    const own = query.session === undefined && after ? this.sessionAfter(after) : undefined;
    const session = query.session ?? own;
    if (query.session && after) query.session.advanceOperationTime(after);
    const cursor = this.entries.find<EntryView>(filter, {
      projection: { _id: 0, seq: 1, version: 1, collection: 1, wire: 1 },
      sort: { version: 1 },
      hint: { scope: 1, version: 1 },
      limit,
      batchSize: limit + 1,
      maxTimeMS: READ_TIME_LIMIT_MS,
      ...(session ? { session } : {}),
    });
    const rows: EntryView[] = [];
    let chars = 0;
    try {
      while (chars < maxChars && (await cursor.hasNext())) {
        for (const row of cursor.readBufferedDocuments()) {
          rows.push(row);
          if (row.version !== since) chars += row.wire.length;
        }
      }
      return rows;
    } finally {
      await cursor.close();
      await own?.endSession();
    }
  }

  private sessionAfter(time: mongo.Timestamp): mongo.ClientSession {
    const session = this.client.startSession({ causalConsistency: true });
    session.advanceOperationTime(time);
    return session;
  }
}

/** Whether an error of the driver or the server carries a label such as TransientTransactionError. */
export function hasErrorLabel(error: unknown, label: string): boolean {
  return error instanceof mongoose.mongo.MongoError && error.hasErrorLabel(label);
}
