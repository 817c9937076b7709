import { isDeepStrictEqual } from 'node:util';
import mongoose, { type mongo } from 'mongoose';
import type { Json } from 'nest-offline-sync-protocol';
import type { SyncedCollection } from '../collections/collection';
import { decodeStored } from '../collections/native-collection';
import { SYNC_FIELDS, type StoredDocument, type StoredId } from '../codec/stored-document';
import { READ_HANGS_MS, READ_TIME_LIMIT_MS, type OplogRepository } from '../log/oplog';
import { SYNCED_COLLECTION_INDEX } from '../database/indexes';
import type { HeadRecord } from '../log/records';
import { noAnswer, within } from '../database/waiting';
import { isPassing, isSnapshotLoss } from '../database/errors';

const { MinKey, MaxKey } = mongoose.mongo;
const { EJSON } = mongoose.mongo.BSON;

type Store = SyncedCollection['store'];

/** Ids from `from`, inclusive, to `to`, exclusive, in MongoDB's own order over all types. */
export interface IdRange {
  readonly from: StoredId;
  readonly to: StoredId;
}
/** The whole scope. */
export const ALL_IDS: IdRange = { from: new MinKey(), to: new MaxKey() };

/** Documents of one round trip; MongoDB stops at 16 MB anyway. */
const BATCH = 1000;
/** Documents of the first one. */
const FIRST_DOCUMENTS = 100;
/** A batch up to this size is used while the next one is on its way: no request holds two large ones. */
const AHEAD_BYTES = 4 << 20;
/** Longest that a cursor's end is waited for. Milliseconds. */
const CLOSE_LIMIT_MS = 5_000;
/** How often in a row a read is taken up again without a document in between. */
const MAX_RESUMES = 3;

/**
 * One request's view of one scope: its head and its documents, all from one snapshot. Where MongoDB no longer has the
 * snapshot (it keeps five minutes of history; an index build ends it too), the rest comes from majority reads that
 * are no older. That keeps invariant 6: whatever is newer than the head is pulled afterwards.
 *
 * Operations run one after another. `close()` ends it.
 */
export class ScopeView {
  private session: mongo.ClientSession;
  private level: 'snapshot' | 'majority' = 'snapshot';

  constructor(
    private readonly oplog: OplogRepository,
    private readonly scopeId: string,
  ) {
    this.session = oplog.client.startSession({ snapshot: true });
  }

  /** Whether all that was read is of the same moment. */
  get isOneMoment(): boolean {
    return this.level === 'snapshot';
  }

  async close(): Promise<void> {
    await this.session.endSession();
  }

  /** The scope's head; null before its first write. */
  head(): Promise<HeadRecord | null> {
    return this.read((signal) =>
      this.oplog.heads.findOne(
        { _id: this.scopeId },
        { ...this.options(), signal, maxTimeMS: READ_TIME_LIMIT_MS },
      ),
    );
  }

  /** The id that stands `skip` places after the first of the range; undefined when the range is shorter. */
  async idAt(store: Store, range: IdRange, skip: number): Promise<{ readonly id: StoredId } | undefined> {
    const [row] = await this.read((signal) => this.ids(store, range, { signal, skip, limit: 1 }).toArray());
    return row && { id: row['_id'] };
  }

  /** How many documents the range has. Goes over their ids: for ranges known to be short. */
  count(store: Store, range: IdRange): Promise<number> {
    return this.read(
      async (signal) => (await this.ids(store, range, { signal, batchSize: BATCH }).toArray()).length,
    );
  }

  /**
   * The documents of the range in the order of their ids, as BSON, a batch a time. The next batch is on its way while
   * one is used. The cursor is closed when this ends.
   *
   * @param projection fields to read, `_id` among them; undefined: all
   */
  async *batches(
    store: Store,
    range: IdRange,
    projection?: Readonly<Record<string, 1>>,
  ): AsyncGenerator<readonly Buffer[], undefined, undefined> {
    let last: { readonly id: StoredId } | undefined;
    let resumes = 0;
    for (;;) {
      const from = last ? last.id : range.from;
      // The first documents by a separate query: their reader need not wait for a thousand.
      const limit = last ? undefined : FIRST_DOCUMENTS;
      let given = 0;
      const hanging = new AbortController();
      // No time limit for all: trimming never touches documents, and a stream takes as long as its reader.
      const options = {
        ...this.walk({ from, to: range.to }),
        raw: true,
        ...(projection ? { projection } : {}),
        signal: hanging.signal,
        // Not `limit: 0`, with which the driver asks for larger and larger batches.
        ...(limit === undefined ? {} : { limit }),
      };
      const cursor = store.find<Buffer>(this.documentsOf({ from, to: range.to }), options);
      let open: mongo.Long | undefined;
      let next: Promise<boolean> | undefined;
      try {
        while (await within(READ_HANGS_MS, () => next ?? cursor.hasNext(), noAnswer, hanging)) {
          // Kept, because an error takes it from the cursor.
          open = cursor.id;
          const rows = cursor.readBufferedDocuments();
          given += rows.length;
          next = isSmall(rows) ? ahead(cursor) : undefined;
          // The bound is inclusive: taken up again, the last row given comes once more.
          const fresh = last && sameId(idOf(rows[0]), last.id) ? rows.slice(1) : rows;
          if (fresh.length === 0) continue;
          last = { id: idOf(fresh.at(-1)) };
          resumes = 0;
          yield fresh;
        }
        open = undefined;
        if (limit === undefined || given < limit) return;
      } catch (error) {
        resumes += 1;
        if (resumes > MAX_RESUMES || !(this.leaveSnapshot(error) || isPassing(error))) throw error;
      } finally {
        // One operation of a session after the other, but none behind one that hangs.
        await quietly(() => next);
        await quietly(() => cursor.close());
        await quietly(() => this.kill(store, open));
      }
    }
  }

  /**
   * Ends a cursor that has not reached its end. The driver tries to, but sends killCursors with the read concern of
   * the snapshot session, which the server refuses; the driver hides that, and the cursor would stay open until it
   * times out.
   */
  private async kill(store: Store, cursor: mongo.Long | undefined): Promise<void> {
    if (!cursor || cursor.isZero()) return;
    await this.oplog.db.command({ killCursors: store.collectionName, cursors: [cursor] });
  }

  /** Answered by the index alone: its bounds say the scope, so no document is fetched to compare it. */
  private ids(
    store: Store,
    range: IdRange,
    options: mongo.FindOptions & mongo.Abortable,
  ): mongo.FindCursor<StoredDocument> {
    return store.find(this.isStrict ? this.documentsOf(range) : {}, {
      ...this.walk(range),
      projection: { _id: 1 },
      maxTimeMS: READ_TIME_LIMIT_MS,
      ...options,
    });
  }

  private walk({ from, to }: IdRange): mongo.FindOptions {
    return {
      ...this.options(),
      // By the bounds of the index and not by `_id: {$gte: …}`, which compares within one type only.
      hint: { ...SYNCED_COLLECTION_INDEX.key },
      ...(this.isStrict
        ? {}
        : {
            min: { [SYNC_FIELDS.scope]: this.scopeId, _id: from },
            max: { [SYNC_FIELDS.scope]: this.scopeId, _id: to },
          }),
      collation: { locale: 'simple' },
      batchSize: BATCH,
      // A pattern that JavaScript does not know, or a broken text, must not stop the scope's readers.
      bsonRegExp: true,
      enableUtf8Validation: false,
    };
  }

  /** A client bound to the stable API may not say bounds: `$expr` compares over all types too, but fetches documents. */
  private documentsOf({ from, to }: IdRange): mongo.Filter<StoredDocument> {
    const scope = { [SYNC_FIELDS.scope]: this.scopeId };
    if (!this.isStrict) return scope;
    const bounds = [{ $gte: ['$_id', { $literal: from }] }, { $lt: ['$_id', { $literal: to }] }];
    return { ...scope, $expr: { $and: bounds } };
  }

  private get isStrict(): boolean {
    return this.oplog.client.options.serverApi?.strict === true;
  }

  private options(): {
    session: mongo.ClientSession;
    readConcern: mongo.ReadConcernLike;
    readPreference: 'primary';
  } {
    return { session: this.session, readConcern: { level: this.level }, readPreference: 'primary' };
  }

  private async read<T>(operation: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await within(READ_HANGS_MS, operation);
    } catch (error) {
      if (!this.leaveSnapshot(error)) throw error;
      return within(READ_HANGS_MS, operation);
    }
  }

  /** From here on majority reads, no older than the snapshot was. */
  private leaveSnapshot(error: unknown): boolean {
    if (this.level === 'majority' || !isSnapshotLoss(error)) return false;
    const time = this.session.clusterTime?.clusterTime;
    void this.session.endSession();
    this.session = this.oplog.client.startSession({ causalConsistency: true });
    if (time) this.session.advanceOperationTime(time);
    this.level = 'majority';
    return true;
  }
}

/** An id as canonical Extended JSON: its type survives. */
export function idToJson(id: StoredId): Json {
  return (EJSON.serialize({ id }, { relaxed: false }) as { id: Json }).id;
}

/** The id that {@link idToJson} made this of; undefined for anything that it cannot have made. */
export function idFromJson(json: Json): { readonly id: StoredId } | undefined {
  try {
    const { id } = EJSON.deserialize({ id: json }, { relaxed: false }) as { id: StoredId };
    const foreign = id === undefined || Array.isArray(id) || id instanceof MaxKey;
    return foreign || !isDeepStrictEqual(idToJson(id), json) ? undefined : { id };
  } catch {
    return undefined;
  }
}

/** The id of a raw document. */
function idOf(document: Buffer | undefined): StoredId {
  return document && decodeStored(document)['_id'];
}

/** Whether there is room for another batch next to this one. */
function isSmall(batch: readonly Buffer[]): boolean {
  return batch.reduce((sum, { length }) => sum + length, 0) <= AHEAD_BYTES;
}

/** Sends for the next batch. An error reaches the one who waits for it. */
function ahead(cursor: mongo.FindCursor<Buffer>): Promise<boolean> {
  const next = cursor.hasNext();
  next.catch(() => undefined);
  return next;
}

/**
 * What ends a cursor: it can fail and hang, as its reading can. The server ends idle cursors by itself after ten
 * minutes.
 */
async function quietly(end: () => Promise<unknown> | undefined): Promise<void> {
  await within(CLOSE_LIMIT_MS, async () => end()).catch(() => undefined);
}

function sameId(a: StoredId, b: StoredId): boolean {
  return isDeepStrictEqual(idToJson(a), idToJson(b));
}
