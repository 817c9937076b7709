import { createHash } from 'node:crypto';
import mongoose, { type Connection, type mongo } from 'mongoose';
import { DigestSum, digestText, type DigestPart, type LogOperation } from 'nest-offline-sync-protocol';
import { SYNC_FIELDS, type StoredDocument, type StoredId } from '../codec/stored-document';
import { nativeCollection } from '../collections/native-collection';
import { ENGINE_INDEXES, SYNCED_COLLECTION_INDEX } from '../database/indexes';
import type { OplogRepository } from '../log/oplog';

const { MinKey, MaxKey } = mongoose.mongo;
const { EJSON } = mongoose.mongo.BSON;

/** Documents that are compared with their entries at one moment. */
const WINDOW = 1000;
/** Entries without a document that are looked into together. */
const LOST_BATCH = 500;
/** Differences that are shown of one collection of one scope. */
const EXAMPLES = 5;

/** One document of which collection and log tell different things. Versions only: never what it holds. */
export interface Difference {
  readonly doc: string;
  readonly what: 'other version' | 'no document' | 'no tombstone' | 'no entry' | 'not deleted' | 'deleted';
  readonly document: string | null;
  readonly log: string | null;
}

/** What was compared of one collection of one scope. */
export interface Comparison {
  readonly scope: string;
  readonly collection: string;
  readonly live: number;
  readonly tombstones: number;
  /** Documents whose version is above the floor, and the newest entries above it: the same, if nothing differs. */
  readonly documents: DigestPart;
  readonly log: DigestPart;
  readonly differences: number;
  readonly examples: readonly Difference[];
}

interface Seen {
  readonly version: string;
  readonly deleted: boolean;
}

/**
 * Compares a collection's documents of one scope with what the newest log entries say, in windows of ids. Each window is read
 * from one snapshot, head, documents and entries, so pushes may go on meanwhile, and nothing grows with the scope. Above
 * the floor each document has its entry; below it there are documents alone.
 */
export class CollectionComparison {
  private readonly documents = new DigestSum();
  private readonly log = new DigestSum();
  private readonly examples: Difference[] = [];
  private differences = 0;
  private live = 0;
  private tombstones = 0;
  private readonly store: mongo.Collection<StoredDocument>;

  constructor(
    private readonly oplog: OplogRepository,
    connection: Connection,
    private readonly scope: string,
    private readonly collection: string,
  ) {
    this.store = nativeCollection(connection, collection);
  }

  async run(): Promise<Comparison> {
    for (let from: StoredId = new MinKey(); !(from instanceof MaxKey);) from = await this.window(from);
    const { scope, collection, live, tombstones, differences, examples } = this;
    const { documents, log } = { documents: this.documents.part, log: this.log.part };
    return { scope, collection, live, tombstones, documents, log, differences, examples };
  }

  /** @returns where the next one starts */
  private async window(from: StoredId): Promise<StoredId> {
    const session = this.oplog.client.startSession({ snapshot: true });
    try {
      const rows = await this.rows(session, from);
      const to: StoredId = rows.length > WINDOW ? rows[WINDOW]?.['_id'] : new MaxKey();
      const head = await this.oplog.heads.findOne({ _id: this.scope }, read(session));
      const seen = this.seenIn(rows.slice(0, WINDOW));
      const floor = head?.floor ?? '';
      const matched = new Map<string, { readonly key: string; readonly deleted: boolean }>();
      let lost: { doc: StoredId; version: string }[] = [];
      for await (const { doc, version } of this.newest(session, from, to, floor)) {
        const key = keyOf(doc);
        const document = seen.get(key);
        seen.delete(key);
        if (document) this.log.add(this.hash(key, version));
        if (document && document.version !== version)
          this.differs(key, 'other version', document.version, version);
        if (document?.version === version) matched.set(version, { key, deleted: document.deleted });
        if (document && document.version > floor) this.documents.add(this.hash(key, document.version));
        if (!document) lost.push({ doc, version });
        if (lost.length === LOST_BATCH) {
          await this.lookForLost(session, lost);
          lost = [];
        }
      }
      await this.lookForLost(session, lost);
      await this.compareKinds(session, matched);
      for (const [key, { version }] of seen) {
        if (version <= floor) continue;
        this.documents.add(this.hash(key, version));
        this.differs(key, 'no entry', version, null);
      }
      return to;
    } finally {
      await session.endSession();
    }
  }

  private rows(session: mongo.ClientSession, from: StoredId): Promise<StoredDocument[]> {
    return this.store
      .find(
        {},
        {
          ...read(session),
          hint: { ...SYNCED_COLLECTION_INDEX.key },
          // By the bounds of the index, which compare ids of all types.
          min: { [SYNC_FIELDS.scope]: this.scope, _id: from },
          max: { [SYNC_FIELDS.scope]: this.scope, _id: new MaxKey() },
          collation: { locale: 'simple' },
          limit: WINDOW + 1,
          projection: { [SYNC_FIELDS.scope]: 1, [SYNC_FIELDS.version]: 1, [SYNC_FIELDS.deleted]: 1 },
        },
      )
      .toArray();
  }

  /** Documents that never went through sync, or belong to several scopes, have no entries. */
  private seenIn(rows: readonly StoredDocument[]): Map<string, Seen> {
    const seen = new Map<string, Seen>();
    for (const row of rows) {
      const version = row[SYNC_FIELDS.version];
      if (row[SYNC_FIELDS.scope] !== this.scope || typeof version !== 'string') continue;
      const deleted = row[SYNC_FIELDS.deleted] === true;
      seen.set(keyOf(row['_id']), { version, deleted });
      if (deleted) this.tombstones += 1;
      else this.live += 1;
    }
    return seen;
  }

  /** The newest entry of each document of the window, above the floor: by the index alone. */
  private async *newest(
    session: mongo.ClientSession,
    from: StoredId,
    to: StoredId,
    floor: string,
  ): AsyncGenerator<{ doc: StoredId; version: string }> {
    const [, , byDocument] = ENGINE_INDEXES.entries;
    const { scope, collection } = this;
    const cursor = this.oplog.entries.find(
      { version: { $gt: floor } },
      {
        ...read(session),
        hint: { ...byDocument?.key },
        // Versions go down in this index: this is before the newest one.
        min: { scope, collection, doc: from, version: new MaxKey() },
        max: { scope, collection, doc: to, version: new MaxKey() },
        projection: { _id: 0, doc: 1, version: 1 },
        batchSize: 10_000,
      },
    );
    let last: string | undefined;
    for await (const { doc, version } of cursor) {
      const key = keyOf(doc);
      if (key !== last) yield { doc, version };
      last = key;
    }
  }

  /** A document that was moved to another scope leaves a delete in the log, and no tombstone where its id is global. */
  private async lookForLost(
    session: mongo.ClientSession,
    lost: readonly { readonly doc: StoredId; readonly version: string }[],
  ): Promise<void> {
    if (lost.length === 0) return;
    const operations = await this.operations(
      session,
      lost.map(({ version }) => version),
    );
    const ids = lost.map(({ doc }) => doc) as never[];
    const elsewhere = await this.store
      .find({ _id: { $in: ids } }, { ...read(session), projection: { _id: 1 } })
      .toArray();
    const moved = new Set(elsewhere.map((row) => keyOf(row['_id'])));
    for (const { doc, version } of lost) {
      const [key, isDelete] = [keyOf(doc), operations.get(version) === 'delete'];
      if (isDelete && moved.has(key)) continue;
      this.log.add(this.hash(key, version));
      this.differs(key, isDelete ? 'no tombstone' : 'no document', null, version);
    }
  }

  private async compareKinds(
    session: mongo.ClientSession,
    matched: ReadonlyMap<string, { readonly key: string; readonly deleted: boolean }>,
  ): Promise<void> {
    if (matched.size === 0) return;
    const operations = await this.operations(session, [...matched.keys()]);
    for (const [version, { key, deleted }] of matched) {
      const isDelete = operations.get(version) === 'delete';
      if (isDelete !== deleted) this.differs(key, deleted ? 'deleted' : 'not deleted', version, version);
    }
  }

  private async operations(
    session: mongo.ClientSession,
    versions: readonly string[],
  ): Promise<Map<string, LogOperation>> {
    const rows = await this.oplog.entries
      .find(
        { scope: this.scope, version: { $in: [...versions] } },
        { ...read(session), projection: { _id: 0, version: 1, operation: 1 } },
      )
      .toArray();
    return new Map(rows.map(({ version, operation }) => [version, operation]));
  }

  private differs(doc: string, what: Difference['what'], document: string | null, log: string | null): void {
    this.differences += 1;
    if (this.examples.length < EXAMPLES) this.examples.push({ doc, what, document, log });
  }

  private hash(key: string, version: string): Buffer {
    return createHash('sha256')
      .update(digestText(this.collection, key, version))
      .digest();
  }
}

/** The collections that the scope's log names: one look for each, by the index. */
export async function loggedCollections(oplog: OplogRepository, scope: string): Promise<string[]> {
  const names: string[] = [];
  for (;;) {
    const next = await oplog.entries.findOne(
      { scope, collection: { $gt: names.at(-1) ?? '' } },
      { sort: { scope: 1, collection: 1 }, projection: { _id: 0, collection: 1 } },
    );
    if (!next) return names;
    names.push(next.collection);
  }
}

function read(session: mongo.ClientSession) {
  return { session, readConcern: { level: 'snapshot' as const }, readPreference: 'primary' as const };
}

/** The same for ids that MongoDB takes for the same. */
function keyOf(id: StoredId): string {
  if (typeof id === 'string' || typeof id === 'number') return JSON.stringify(id);
  return EJSON.stringify(id, { relaxed: false });
}
