import mongoose, { type mongo } from 'mongoose';
import type { Note } from '../workload/notes';

/** The minimum that a log with one order per scope needs in the database: what the bare limits are measured with. */
export interface BareHead {
  readonly _id: string;
  readonly version: string;
  readonly seq: number;
}

export interface BareEntry {
  readonly scope: string;
  readonly seq: number;
  readonly version: string;
  readonly collection: string;
  readonly doc: string;
  readonly at: Date;
  /** The text that readers get, made once. */
  readonly wire: string;
}

export interface BareDocument extends Note {
  readonly _id: string;
  readonly _sync_version: string;
  readonly _sync_actor_id: string;
  readonly _sync_scope_id: string;
  readonly _sync_deleted: boolean;
}

export interface BareReceipt {
  readonly _id: { readonly scope: string; readonly client: string; readonly mutation: string };
  readonly hash: string;
  readonly status: string;
  readonly new_version: string;
  readonly doc_id: string;
  readonly at: Date;
}

/** Collections of the bare driver's own database, and a client that nothing else uses. */
export class BareStore {
  readonly heads: mongo.Collection<BareHead>;
  readonly entries: mongo.Collection<BareEntry>;
  readonly documents: mongo.Collection<BareDocument>;
  readonly receipts: mongo.Collection<BareReceipt>;

  private constructor(
    readonly client: mongo.MongoClient,
    readonly db: mongo.Db,
  ) {
    const options: mongo.CollectionOptions = {
      readConcern: { level: 'majority' },
      writeConcern: { w: 'majority' },
    };
    this.heads = db.collection('heads', options);
    this.entries = db.collection('entries', options);
    this.documents = db.collection('documents', options);
    this.receipts = db.collection('receipts', options);
  }

  static async open(uri: string, database: string): Promise<BareStore> {
    const client = await mongoose.mongo.MongoClient.connect(uri);
    const db = client.db(database);
    for (const name of ['heads', 'entries', 'documents', 'receipts']) await db.createCollection(name);
    const store = new BareStore(client, db);
    // What reading the log and a scope's documents in order requires. The engine has more.
    await store.entries.createIndex({ scope: 1, version: 1 }, { unique: true });
    await store.documents.createIndex({ _sync_scope_id: 1, _id: 1 });
    return store;
  }

  async close(): Promise<void> {
    await this.client.close();
  }
}
