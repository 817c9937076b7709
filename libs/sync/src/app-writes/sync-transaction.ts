import { SyncError } from 'nest-offline-sync-protocol';
import type { StoredDocument } from '../codec/stored-document';
import type { mongo } from 'mongoose';
import type { Collections } from '../collections/collection';
import type { SyncIdentity } from '../identity/identity';
import { Turns } from '../database/waiting';
import { patchOrThrow, type DocumentPatch } from './app-patch';
import type { Attempt, MovedChange, ScopeWriter, WrittenChange } from './scope-writer';
import { castOrThrow, settleOrThrow, targetOf, type AppDocId } from './target';

export interface TransactionWriteOptions {
  /** Only write while the document has this version; else `conflict_stale`, and nothing is written. */
  readonly ifVersion?: string;
}

/**
 * What `sync.transaction` gives to its body: synced writes, and the session for the app's own Mongoose calls. Good
 * until the body returns.
 *
 * Await every call before the body returns, and make Mongoose documents inside the body: a document that was saved by
 * an attempt that failed believes itself saved.
 */
export class SyncTransaction {
  private open = true;
  private readonly pending = new Set<Promise<unknown>>();
  private readonly inner = new Turns(1);

  /** @internal */
  constructor(
    private readonly attempt: Attempt,
    private readonly identity: SyncIdentity,
    private readonly collections: Collections,
    private readonly writer: ScopeWriter,
  ) {}

  /** @internal Whether its body is still running. */
  get isOpen(): boolean {
    return this.open;
  }

  /**
   * Give it to every Mongoose call that belongs to the transaction. What such a call writes to a synced collection is
   * recorded by itself when the body is done.
   */
  get session(): mongo.ClientSession {
    return this.attempt.session;
  }

  /**
   * Writes a whole document and its log entry.
   *
   * @param data all its fields, as JSON, as values of its schema or as a Mongoose document; `_id` and `_sync_*` are
   *   left aside
   * @throws SyncError `validation_failed` and its like, `id_unavailable`, `conflict_stale`: nothing is written, and
   *   the transaction can go on; `unique_violation`: the transaction is over
   */
  upsert(
    collection: string,
    docId: AppDocId,
    data: object,
    { ifVersion }: TransactionWriteOptions = {},
  ): Promise<WrittenChange> {
    return this.inTurn(async () => {
      const target = targetOf(this.collections, collection, this.identity.scopeId, docId);
      const cast = await castOrThrow(target, data);
      const become = (stored: StoredDocument | undefined) => settleOrThrow(target, cast, stored);
      return this.writer.write(this.attempt, this.identity, { target, become, ifVersion, parent: null });
    });
  }

  /**
   * Changes the fields that a patch names in the document that stands, and leaves all others alone: one rule for the app
   * and for devices. It conflicts with nobody: the transaction sees the newest document, or starts again.
   *
   * @param patch its values are JSON, as devices send them: a Date as its ISO text
   * @throws SyncError `document_missing`, `conflict_deleted` for a tombstone, `patch_mismatch`, `invalid_patch`,
   *   `invalid_data`, `validation_failed` and its like, `id_unavailable`, `conflict_stale`: nothing is written, and the
   *   transaction can go on; `unique_violation`: the transaction is over
   */
  patch(
    collection: string,
    docId: AppDocId,
    patch: DocumentPatch,
    { ifVersion }: TransactionWriteOptions = {},
  ): Promise<WrittenChange> {
    return this.inTurn(async () => {
      const target = targetOf(this.collections, collection, this.identity.scopeId, docId);
      const change = { target, become: null, patch: patchOrThrow(target, patch), ifVersion, parent: null };
      return this.writer.write(this.attempt, this.identity, change);
    });
  }

  /** Makes a document a tombstone, also one that was never there. */
  delete(
    collection: string,
    docId: AppDocId,
    { ifVersion }: TransactionWriteOptions = {},
  ): Promise<WrittenChange> {
    return this.inTurn(() => {
      const target = targetOf(this.collections, collection, this.identity.scopeId, docId);
      return this.writer.write(this.attempt, this.identity, {
        target,
        become: null,
        ifVersion,
        parent: null,
      });
    });
  }

  /**
   * Gives a document to another scope: a delete in this scope's log, an upsert in the other's. That the actor may do
   * so is for the app to know.
   *
   * @throws SyncError `conflict_deleted` when this scope has no such document, `id_unavailable` when the other has one
   */
  move(collection: string, docId: AppDocId, toScopeId: string): Promise<MovedChange> {
    return this.inTurn(() => {
      const { scopeId } = this.identity;
      if (toScopeId === scopeId || toScopeId === '')
        throw new SyncError('configuration', 'tx.move needs another scope than the document is in.');
      const from = targetOf(this.collections, collection, scopeId, docId);
      const target = targetOf(this.collections, collection, toScopeId, docId);
      return this.writer.move(this.attempt, this.identity, from, { scopeId: toScopeId, target });
    });
  }

  /** @internal Runs the body of a transaction that joins this one inside its body, one after another. */
  enclose<T>(run: () => Promise<T>): Promise<T> {
    return this.track(() => this.inner.run(run));
  }

  /**
   * @internal Called when the body is done. A call still under way would go on after the commit, outside of any transaction: it
   * is waited for.
   *
   * @returns whether there was such a call
   */
  async end(): Promise<boolean> {
    this.open = false;
    const forgotten = this.pending.size > 0;
    // What they fail with is told by the transaction's own failure.
    await Promise.allSettled(this.pending);
    return forgotten;
  }

  /** @internal One call after another, also when the body starts several at once: a session does one thing at a time. */
  inTurn<T>(write: () => Promise<T>): Promise<T> {
    return this.track(() => this.attempt.calls.run(write));
  }

  private track<T>(start: () => Promise<T>): Promise<T> {
    if (!this.open) return Promise.reject(notAwaited());
    const work = start();
    // A separate promise, so that a failure nobody waits for is still seen by the process.
    const call = work.finally(() => {
      this.pending.delete(call);
    });
    this.pending.add(call);
    return call;
  }
}

/**
 * @param settle called when the body and its calls are done
 * @throws SyncError `configuration` when the body returned before its calls were done; what `settle` throws; else what the
 *   body throws
 */
export async function runBody<T>(
  tx: SyncTransaction,
  body: (tx: SyncTransaction) => Promise<T>,
  settle: () => Promise<void>,
): Promise<T> {
  let result: T;
  try {
    result = await body(tx);
  } catch (error) {
    await tx.end();
    throw error;
  }
  if (await tx.end()) throw notAwaited();
  await settle();
  return result;
}

export function notAwaited(): SyncError {
  return new SyncError(
    'configuration',
    'A call of a sync transaction was not done when its body returned; await each call inside the body.',
  );
}
