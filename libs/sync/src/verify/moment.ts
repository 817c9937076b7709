import mongoose, { type mongo } from 'mongoose';
import type { LogChange } from 'nest-offline-sync-protocol';
import { SYNC_FIELDS, type StoredDocument, type StoredId } from '../codec/stored-document';
import { ENGINE_INDEXES, SYNCED_COLLECTION_INDEX } from '../database/indexes';
import { within } from '../database/waiting';
import type { OplogRepository } from '../log/oplog';
import type { EntryRecord, HeadRecord } from '../log/records';

const { MaxKey } = mongoose.mongo;
const { EJSON } = mongoose.mongo.BSON;

/** Documents that are read at one moment, and bytes of them. */
const DOCUMENTS = 1000;
const BYTES = 8 << 20;
/** And entries: of documents that are gone there may be any number. */
const ENTRIES = 5000;
/** Of each read. */
const LIMIT_MS = 120_000;
/** Entries whose texts one read brings: they stay in one batch of the server's. */
const TEXTS = 200;

/** Ids: a range in MongoDB's own order over all types, or single ones. */
type Ids = { readonly from: StoredId; readonly to: StoredId } | { readonly in: readonly StoredId[] };

/** The newest entry of a document. */
export interface Newest {
  readonly doc: StoredId;
  readonly version: string;
}

type Store = mongo.Collection<StoredDocument>;

/** One scope at one moment: all that is read through it is of one snapshot. Operations run one after another. */
export class Moment {
  private readonly session: mongo.ClientSession;

  constructor(
    private readonly oplog: OplogRepository,
    private readonly scope: string,
  ) {
    this.session = oplog.client.startSession({ snapshot: true });
  }

  close(): Promise<void> {
    return this.session.endSession();
  }

  head(): Promise<HeadRecord | null> {
    return within(LIMIT_MS, () => this.oplog.heads.findOne({ _id: this.scope }, this.options()));
  }

  /**
   * The scope's documents from an id on, up to another one.
   *
   * @returns and the id that the next ones begin with
   */
  async documents(
    store: Store,
    from: StoredId,
    to: StoredId = new MaxKey(),
  ): Promise<{ rows: StoredDocument[]; next: StoredId }> {
    const cursor = store.find(
      {},
      {
        ...this.options(),
        hint: { ...SYNCED_COLLECTION_INDEX.key },
        // By the bounds of the index, which compare ids of all types.
        min: { [SYNC_FIELDS.scope]: this.scope, _id: from },
        max: { [SYNC_FIELDS.scope]: this.scope, _id: to },
        collation: { locale: 'simple' },
        // Also where documents are large, few more are sent than are looked at.
        batchSize: DOCUMENTS + 1,
        limit: DOCUMENTS + 1,
      },
    );
    const rows: StoredDocument[] = [];
    let bytes = 0;
    try {
      for await (const row of cursor) {
        if (rows.length === DOCUMENTS || bytes > BYTES) return { rows, next: row['_id'] };
        rows.push(row);
        bytes += mongoose.mongo.BSON.calculateObjectSize(row);
      }
      return { rows, next: to };
    } finally {
      await cursor.close().catch(() => undefined);
    }
  }

  /** Documents by their ids, of whatever scope. */
  byIds(store: Store, ids: readonly StoredId[], projection?: Record<string, 1>): Promise<StoredDocument[]> {
    return within(LIMIT_MS, () =>
      store
        .find(
          { _id: { $in: ids as never[] } },
          { ...this.options(), ...(projection ? { projection } : {}), batchSize: ids.length + 1 },
        )
        .toArray(),
    );
  }

  /**
   * The newest entry of each document above a version, in the order of the ids: by the index alone.
   *
   * @returns and the id that stands behind them, where there are more than are held at a time
   */
  async newest(
    collection: string,
    ids: Ids,
    floor: string,
  ): Promise<{ entries: Newest[]; next: { readonly id: StoredId } | undefined }> {
    const [, , byDocument] = ENGINE_INDEXES.entries;
    const { scope } = this;
    const isRange = 'from' in ids;
    const cursor = this.oplog.entries.find(
      isRange
        ? { version: { $gt: floor } }
        : { scope, collection, doc: { $in: ids.in as never[] }, version: { $gt: floor } },
      {
        ...this.options(),
        hint: { ...byDocument?.key },
        ...(isRange
          ? {
              // Versions go down in this index: this is before the newest one.
              min: { scope, collection, doc: ids.from, version: new MaxKey() },
              max: { scope, collection, doc: ids.to, version: new MaxKey() },
            }
          : {}),
        projection: { _id: 0, doc: 1, version: 1 },
        batchSize: 10_000,
      },
    );
    const entries: Newest[] = [];
    let last: string | undefined;
    try {
      for await (const { doc, version } of cursor) {
        const key = keyOf(doc);
        if (key === last) continue;
        if (entries.length === ENTRIES) return { entries, next: { id: doc } };
        entries.push({ doc, version });
        last = key;
      }
      return { entries, next: undefined };
    } finally {
      await cursor.close().catch(() => undefined);
    }
  }

  /** What entries tell, by their versions. */
  async *told(
    versions: readonly string[],
    withData: boolean,
  ): AsyncGenerator<Pick<EntryRecord, 'version' | 'operation'> & Pick<LogChange, 'data'>> {
    const { scope } = this;
    for (let at = 0; at < versions.length; at += TEXTS) {
      const some = versions.slice(at, at + TEXTS);
      const projection = { _id: 0, version: 1, operation: 1, ...(withData ? { wire: 1 } : {}) } as const;
      const rows = this.oplog.entries.find(
        { scope, version: { $in: some } },
        { ...this.options(), projection, batchSize: TEXTS + 1 },
      );
      for await (const { version, operation, wire } of rows)
        yield { version, operation, data: withData ? (JSON.parse(wire) as LogChange).data : null };
    }
  }

  /** Entries in the order of their versions. */
  steps(after: string, limit: number): Promise<Pick<EntryRecord, 'version' | 'seq'>[]> {
    return within(LIMIT_MS, () =>
      this.oplog.entries
        .find(
          { scope: this.scope, version: { $gt: after } },
          {
            ...this.options(),
            hint: { scope: 1, version: 1 },
            sort: { version: 1 },
            projection: { _id: 0, version: 1, seq: 1 },
            limit,
            batchSize: limit + 1,
          },
        )
        .toArray(),
    );
  }

  private options() {
    return {
      session: this.session,
      readConcern: { level: 'snapshot' as const },
      readPreference: 'primary' as const,
    };
  }
}

/** The same for ids that MongoDB takes for the same. */
export function keyOf(id: StoredId): string {
  if (typeof id === 'string' || typeof id === 'number') return JSON.stringify(id);
  return EJSON.stringify(id, { relaxed: false });
}
