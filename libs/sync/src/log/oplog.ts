import { Inject, Injectable } from '@nestjs/common';
import type { Connection, mongo } from 'mongoose';
import { SYNC_CONNECTION, SYNC_SETTINGS } from '../options/tokens';
import type { SyncSettings } from '../options/settings';
import { markOurs } from '../database/engine-handles';
import { within } from '../database/waiting';
import type { Selection } from './selection';
import { RawEntry } from './entry';
import type { EntryRecord, HeadRecord, ReceiptRecord } from './records';

export interface EntryQuery {
  readonly scopeId: string;
  /** Inclusive, so that the first row tells whether the cursor is known; undefined reads from the beginning. */
  readonly since: string | undefined;
  /** What is asked for. The row at `since` comes whatever its collection is. */
  readonly selection: Selection;
  readonly limit: number;
  /**
   * At most about this many bytes of wire text are held: once they are reached, no further batch is read and the
   * answer is shorter than `limit`. The row at `since` does not count. Default: no such bound.
   */
  readonly maxBytes?: number;
  /** See at least what was committed up to here: what the head's read or the change stream has seen. */
  readonly after?: mongo.Timestamp;
}

export interface HeadQuery {
  /**
   * Wait until this primary has confirmed with the majority that it still is the primary. A new primary's majority
   * view may for a moment be older than what its predecessor has acknowledged.
   */
  readonly linearizable?: boolean;
}

/** Heads of one moment, as the majority had them. */
export interface ReadHeads {
  /** By scope; a scope without one has never been written. */
  readonly heads: ReadonlyMap<string, HeadRecord>;
  /** A read `after` it sees at least what these heads tell of, also from another primary. */
  readonly time: mongo.Timestamp | undefined;
}

/** Longest that a client's read may take: shorter than the grace between raising a floor and deleting below it. */
export const READ_TIME_LIMIT_MS = 60_000;
/** After so long a read has no answer to expect any more: the server has ended it by itself before. */
export const READ_HANGS_MS = READ_TIME_LIMIT_MS + 5_000;

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
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
  ) {
    this.client = connection.getClient();
    this.db = markOurs(this.client.db(connection.name));
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
  readHead(scopeId: string, { linearizable = false }: HeadQuery = {}): Promise<HeadRecord | null> {
    return within(READ_HANGS_MS, (signal) =>
      this.heads.findOne(
        { _id: scopeId },
        {
          signal,
          maxTimeMS: READ_TIME_LIMIT_MS,
          ...(linearizable ? { readConcern: { level: 'linearizable' } } : {}),
        },
      ),
    );
  }

  /**
   * The heads of scopes, in one read. Many wait for it: it is given up after `retryDeadlineMs`.
   *
   * @param after see at least what was committed up to here
   */
  async readHeads(scopeIds: readonly string[], after?: mongo.Timestamp): Promise<ReadHeads> {
    const session = this.sessionAfter(after);
    try {
      const [only, ...others] = scopeIds;
      const ids = others.length === 0 && only !== undefined ? only : { $in: [...scopeIds] };
      const options = { maxTimeMS: READ_TIME_LIMIT_MS, batchSize: scopeIds.length + 1, session };
      const heads = await within(this.settings.retryDeadlineMs, (signal) =>
        this.heads.find({ _id: ids }, { ...options, signal }).toArray(),
      );
      return { heads: new Map(heads.map((head) => [head._id, head])), time: session.operationTime };
    } finally {
      await session.endSession();
    }
  }

  /** The seq of an entry, by its version; undefined when it is not there any more. */
  async seqOf(scopeId: string, version: string): Promise<number | undefined> {
    const found = await within(READ_HANGS_MS, (signal) =>
      this.entries.findOne(
        { scope: scopeId, version },
        { projection: { _id: 0, seq: 1 }, signal, maxTimeMS: READ_TIME_LIMIT_MS },
      ),
    );
    return found?.seq;
  }

  /**
   * The version of an entry, by its seq; undefined when it is not there.
   *
   * @param after see at least what was committed up to here
   */
  async versionOf(scopeId: string, seq: number, after?: mongo.Timestamp): Promise<string | undefined> {
    const session = this.sessionAfter(after);
    try {
      const found = await within(READ_HANGS_MS, (signal) =>
        this.entries.findOne(
          { scope: scopeId, seq },
          { projection: { _id: 0, version: 1 }, session, signal, maxTimeMS: READ_TIME_LIMIT_MS },
        ),
      );
      return found?.version;
    } finally {
      await session.endSession();
    }
  }

  /** Entries in order of their versions, from `since` on (inclusive). */
  readEntries(query: EntryQuery): Promise<RawEntry[]> {
    return within(READ_HANGS_MS, (signal) => this.entriesOf(query, signal));
  }

  private async entriesOf(query: EntryQuery, signal: AbortSignal): Promise<RawEntry[]> {
    const { scopeId, since, selection, limit, maxBytes = Infinity, after } = query;
    const asked = selection.filter();
    const filter: mongo.Filter<EntryRecord> =
      since === undefined
        ? { scope: scopeId, ...asked }
        : { scope: scopeId, version: { $gte: since }, $or: [{ version: since }, asked] };
    const session = after && this.sessionAfter(after);
    const cursor = this.entries.find<Buffer>(filter, {
      // Bytes: the texts go on to the client as they are.
      raw: true,
      projection: { _id: 0, seq: 1, version: 1, wire: 1 },
      sort: { version: 1 },
      hint: { scope: 1, version: 1 },
      limit,
      batchSize: limit + 1,
      maxTimeMS: READ_TIME_LIMIT_MS,
      signal,
      ...(session ? { session } : {}),
    });
    const rows: RawEntry[] = [];
    let bytes = 0;
    try {
      while (bytes < maxBytes && (await cursor.hasNext())) {
        for (const row of cursor.readBufferedDocuments()) {
          const entry = new RawEntry(row);
          // Only the first row can be the one at the cursor.
          if (rows.length > 0 || entry.version !== since) bytes += entry.wire.length;
          rows.push(entry);
        }
      }
      return rows;
    } finally {
      await cursor.close();
      await session?.endSession();
    }
  }

  private sessionAfter(time: mongo.Timestamp | undefined): mongo.ClientSession {
    const session = this.client.startSession({ causalConsistency: true });
    if (time) session.advanceOperationTime(time);
    return session;
  }
}
