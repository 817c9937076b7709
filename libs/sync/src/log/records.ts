import type { DocId, ErrorCode, LogOperation } from 'nest-offline-sync-protocol';
import type { StoredId } from '../codec/stored-document';
import type { mongo } from 'mongoose';

/**
 * A scope's head: the one document that orders its writers (invariant 2). Each transaction that writes entries reads
 * it and moves it by compare-and-set on `seq`. Heads are never deleted.
 */
export interface HeadRecord {
  /** The scope's id. */
  readonly _id: string;
  /** The newest version of the scope. */
  readonly version: string;
  /** How many entries the scope has ever had. */
  readonly seq: number;
  /** The newest version that trimming may have removed; {@link ZERO_VERSION} while nothing was. */
  readonly floor: string;
  readonly floorSeq: number;
  /** When the floor was last raised: deletion waits for the grace period after it. */
  readonly floorAt?: Date;
  /** The newest version whose tombstone trimming may have removed: not above the floor. Missing while none was. */
  readonly tombstoneFloor?: string;
  /** Collections of which documents come or go without entries: the floor is raised when that is done. */
  readonly adopting?: readonly string[];
  /** The newest version that a transaction of the app has reserved. Setting it takes the head's lock. */
  readonly reserved?: string;
}

/** A log entry. Written once, never changed, removed by trimming from the oldest on. */
export interface EntryRecord {
  readonly _id?: mongo.ObjectId;
  readonly scope: string;
  readonly seq: number;
  readonly version: string;
  readonly collection: string;
  /** The stored id of the document: finds a merge base. */
  readonly doc: StoredId;
  readonly operation: LogOperation;
  readonly actor: string;
  /** When it was written, by the writing process: retention goes by it. */
  readonly at: Date;
  /** The entry's own JSON text, as pull and stream send it (a LogChange). */
  readonly wire: string;
}

/** Identifies a mutation. An embedded document, never joined strings, so that no two can meet. */
export interface ReceiptKey {
  readonly scope: string;
  readonly client: string;
  readonly mutation: string;
}

/** What a mutation was answered, and a retry of it is (invariant 4). */
export interface ReceiptRecord {
  readonly _id: ReceiptKey;
  /** Hash of the change's body: the same mutation id with another body is refused. */
  readonly hash: string;
  /** Missing in receipts of earlier versions. */
  readonly collection?: string;
  readonly doc_id: DocId;
  readonly status: 'accepted' | 'conflict_resolved' | 'rejected';
  readonly new_version: string | null;
  readonly server_version: string | null;
  readonly code: ErrorCode | null;
  readonly error: string | null;
  /** Of `new_version`, where the mutation has written it. */
  readonly seq?: number;
  /** The stored document is not the one that was sent. */
  readonly changed?: true;
  /**
   * What the client had sent, as its difference from what the server made of it: a JSON text. A later change that
   * builds on this one is merged from it. Missing: the same. Null: too large to be kept.
   */
  readonly sent?: string | null;
  readonly at: Date;
}
