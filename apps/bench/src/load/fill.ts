import type { mongo } from 'mongoose';
import { NOTES } from '../workload/notes';
import { ZERO_STAMP } from '../workload/stamps';
import { wireOf, type FilledLog, type FilledRow } from '../workload/filled-log';

const BATCH = 5_000;

/** The content of a collection for a row. */
type Shape = (log: FilledLog, row: FilledRow) => object;

/** A variant's collections, and how a row is stored in them. */
export interface FillLayout {
  readonly log: string;
  readonly entry: Shape;
  readonly documents: string;
  readonly document: Shape;
  /** The collection of heads and a scope's head; the original has none. */
  readonly heads?: { readonly name: string; readonly head: (log: FilledLog) => object };
}

const document: Shape = ({ scope }, { id, data, version }) => ({
  _id: id,
  ...data,
  _sync_version: version,
  _sync_actor_id: 'device',
  _sync_scope_id: scope,
  _sync_deleted: false,
});

/** As the engine's EntryRecord and HeadRecord. */
export const FILL_OURS: FillLayout = {
  log: 'sync_oplog',
  entry: ({ scope }, row) => ({
    scope,
    seq: row.seq,
    version: row.version,
    collection: NOTES,
    doc: row.id,
    operation: 'upsert',
    actor: 'device',
    at: new Date(),
    wire: wireOf(row),
  }),
  documents: NOTES,
  document,
  heads: {
    name: 'sync_heads',
    head: ({ scope, head, count }) => ({
      _id: scope,
      version: head,
      seq: count,
      floor: ZERO_STAMP,
      floorSeq: 0,
    }),
  },
};

export const FILL_BARE: FillLayout = {
  ...FILL_OURS,
  log: 'entries',
  documents: 'documents',
  heads: { name: 'heads', head: ({ scope, head, count }) => ({ _id: scope, version: head, seq: count }) },
};

/** Its log's `_id` is the version, over all scopes: one filled log a database. */
export const FILL_ORIGINAL: FillLayout = {
  log: 'sync_oplog',
  entry: ({ scope }, { version, id, data }) => ({
    _id: version,
    timestamp: new Date(),
    collection: NOTES,
    doc_id: id,
    operation: 'upsert',
    data: { _id: id, ...data },
    actor_id: 'device',
    scope_id: scope,
    parent_version: null,
  }),
  documents: NOTES,
  document,
};

export interface FillOptions {
  /** False: documents and head only, for rows that read no log. */
  readonly entries?: boolean;
  readonly documents?: boolean;
}

/** Writes logs straight into the database, as if they had been pushed: for states that pushing would take hours for. */
export async function fill(
  db: mongo.Db,
  layout: FillLayout,
  logs: readonly FilledLog[],
  { entries = true, documents = true }: FillOptions = {},
): Promise<void> {
  const log = new Batches(db.collection(layout.log));
  const data = new Batches(db.collection(layout.documents));
  for (const filled of logs)
    for (const row of filled.rows()) {
      if (entries) await log.add(layout.entry(filled, row));
      if (documents) await data.add(layout.document(filled, row));
    }
  await Promise.all([log.end(), data.end()]);
  const { heads } = layout;
  if (!heads) return;
  const records = new Batches(db.collection(heads.name));
  for (const filled of logs) await records.add(heads.head(filled));
  await records.end();
}

/** Inserts in large unordered batches, one of them under way while the next one is made. */
class Batches {
  private rows: object[] = [];
  private underWay: Promise<unknown> = Promise.resolve();

  constructor(private readonly collection: mongo.Collection) {}

  async add(row: object): Promise<void> {
    this.rows.push(row);
    if (this.rows.length >= BATCH) await this.flush();
  }

  async end(): Promise<void> {
    await this.flush();
    await this.underWay;
  }

  private async flush(): Promise<void> {
    await this.underWay;
    const { rows } = this;
    this.rows = [];
    if (rows.length > 0)
      this.underWay = this.collection.insertMany(rows, {
        ordered: false,
        writeConcern: { w: 'majority' },
      });
  }
}
