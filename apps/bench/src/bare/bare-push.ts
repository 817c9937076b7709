import type { mongo } from 'mongoose';
import type { NoteChange } from '../workload/notes';
import { stamp } from '../workload/stamps';
import type { BareDocument, BareEntry, BareReceipt, BareStore } from './bare-store';

const TRANSACTION: mongo.TransactionOptions = {
  readConcern: { level: 'snapshot' },
  writeConcern: { w: 'majority' },
  readPreference: 'primary',
};

/** Everything that one transaction writes, prepared before the clock starts. */
export interface BareBatch {
  readonly scope: string;
  readonly fromSeq: number;
  readonly seq: number;
  readonly version: string;
  readonly ids: readonly string[];
  readonly documents: readonly BareDocument[];
  readonly entries: readonly BareEntry[];
  readonly receipts: readonly BareReceipt[];
}

/** Cuts a scope's changes into batches, one version after another. */
export class BareBatches {
  private seq = 0;

  constructor(
    private readonly scope: string,
    private readonly startMs = Date.now(),
  ) {}

  next(changes: readonly NoteChange[]): BareBatch {
    const fromSeq = this.seq;
    const at = new Date(this.startMs);
    const rows = changes.map((change) =>
      row(this.scope, ++this.seq, stamp(this.startMs, this.seq), at, change),
    );
    return {
      scope: this.scope,
      fromSeq,
      seq: this.seq,
      version: stamp(this.startMs, this.seq),
      ids: rows.map(({ document }) => document._id),
      documents: rows.map(({ document }) => document),
      entries: rows.map(({ entry }) => entry),
      receipts: rows.map(({ receipt }) => receipt),
    };
  }
}

/** The head that a scope's first batch moves. */
export async function insertHeads(store: BareStore, scopes: readonly string[]): Promise<void> {
  await store.heads.insertMany(scopes.map((scope) => ({ _id: scope, version: '', seq: 0 })));
}

/**
 * The minimum that a push needs in MongoDB: head, documents by `$in`, the head by compare-and-set, documents, entries,
 * receipts, commit with `w: "majority"`. Six round trips and the commit, however large the batch is.
 */
export async function commitBatch(
  store: BareStore,
  session: mongo.ClientSession,
  batch: BareBatch,
): Promise<void> {
  session.startTransaction(TRANSACTION);
  try {
    await store.heads.findOne({ _id: batch.scope }, { session });
    await store.documents
      .find({ _id: { $in: [...batch.ids] } }, { session, batchSize: batch.ids.length + 1 })
      .toArray();
    const moved = await store.heads.updateOne(
      { _id: batch.scope, seq: batch.fromSeq },
      { $set: { seq: batch.seq, version: batch.version } },
      { session },
    );
    if (moved.matchedCount !== 1) throw new Error(`The head of ${batch.scope} is not where it should be`);
    await store.documents.insertMany([...batch.documents], { session });
    await store.entries.insertMany([...batch.entries], { session });
    await store.receipts.insertMany([...batch.receipts], { session });
    await session.commitTransaction();
  } catch (error) {
    await session.abortTransaction().catch(() => undefined);
    throw error;
  }
}

function row(
  scope: string,
  seq: number,
  version: string,
  at: Date,
  { collection, operation, doc_id, data, mutation_id }: NoteChange,
): { document: BareDocument; entry: BareEntry; receipt: BareReceipt } {
  const wire = JSON.stringify({ version, seq, collection, doc_id, operation, data, parent_version: null });
  return {
    document: {
      _id: doc_id,
      ...data,
      _sync_version: version,
      _sync_actor_id: 'device',
      _sync_scope_id: scope,
      _sync_deleted: false,
    },
    entry: { scope, seq, version, collection, doc: doc_id, at, wire },
    receipt: {
      _id: { scope, client: 'client', mutation: mutation_id },
      hash: doc_id.slice(0, 22),
      status: 'accepted',
      new_version: version,
      doc_id,
      at,
    },
  };
}
