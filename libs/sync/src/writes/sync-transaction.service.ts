import type { mongo } from 'mongoose';
import type { CollectionRegistry } from '../collections/collection-registry.service';
import type { StoredId, SyncedCollection } from '../collections/collection';
import type { SyncIdentity } from '../identity/identity';
import type { DocId } from '../protocol/change';
import { isDocId } from '../protocol/change';
import { SyncError } from '../protocol/errors';
import type { JsonObject } from '../protocol/json';
import type { ScopeWriter, WrittenChange } from './scope-writer.service';
import type { Attempt } from './transaction-runner.service';

/** An id as the app has it: the wire's, or the ObjectId of a document. */
export type AppDocId = DocId | { toHexString(): string };

export interface TransactionWriteOptions {
  /** Only write while the document has this version; else `conflict_stale`, and nothing is written. */
  readonly ifVersion?: string;
}

/**
 * What `sync.transaction` gives to its body: synced writes, and the session for the app's own Mongoose calls. Await
 * each call before the next: a session does one thing after another. Good until the body returns.
 */
export class SyncTransaction {
  private open = true;

  constructor(
    /** Give it to every Mongoose call that belongs to the transaction. */
    readonly session: mongo.ClientSession,
    private readonly identity: SyncIdentity,
    private readonly attempt: Attempt,
    private readonly collections: CollectionRegistry,
    private readonly writer: ScopeWriter,
  ) {}

  /**
   * Writes a whole document and its log entry.
   *
   * @param data all its fields, as JSON, as values of its schema or as a Mongoose document; `_id` is left aside
   * @throws SyncError `validation_failed` and its like, `id_unavailable`, `unique_violation`, `conflict_stale`
   */
  async upsert(
    collection: string,
    docId: AppDocId,
    data: object,
    options: TransactionWriteOptions = {},
  ): Promise<WrittenChange> {
    const target = target_(this.collections, collection, this.identity.scopeId, docId);
    const cast = await target.collection.cast(target.wireId, data as JsonObject);
    if (!cast.ok) throw new SyncError(cast.rejection.code, cast.rejection.message);
    return this.write(target, cast.document, options);
  }

  /** Makes a document a tombstone, also one that was never there. */
  async delete(
    collection: string,
    docId: AppDocId,
    options: TransactionWriteOptions = {},
  ): Promise<WrittenChange> {
    return this.write(target_(this.collections, collection, this.identity.scopeId, docId), null, options);
  }

  /** Called when the body is done: a call that was not awaited must not slip into another transaction. */
  close(): void {
    this.open = false;
  }

  private write(
    { collection, storedId }: Target,
    document: Record<string, unknown> | null,
    { ifVersion }: TransactionWriteOptions,
  ): Promise<WrittenChange> {
    if (!this.open)
      throw new SyncError('configuration', 'This transaction is over; await each call inside its body.');
    const change = { collection, storedId, document, ifVersion, parent: null };
    return this.writer.write(this.session, this.attempt.heads, this.identity, change);
  }
}

export interface Target {
  readonly collection: SyncedCollection;
  readonly storedId: StoredId;
  readonly wireId: DocId;
}

/** @throws SyncError `unknown_collection`, `invalid_doc_id` */
export function target_(
  collections: CollectionRegistry,
  name: string,
  scopeId: string,
  docId: AppDocId,
): Target {
  const collection = collections.get(name);
  if (!collection)
    throw new SyncError(
      'unknown_collection',
      `Collection ${name} is not synced; give it in the collections option or by SyncModule.forFeature.`,
    );
  const asked = typeof docId === 'object' ? docId.toHexString() : docId;
  const storedId = isDocId(asked) ? collection.ids.toStored(scopeId, asked) : undefined;
  if (storedId === undefined)
    throw new SyncError(
      'invalid_doc_id',
      `The id is not of the type that collection ${name} has as its _id.`,
    );
  return { collection, storedId, wireId: collection.ids.toWire(storedId) };
}
