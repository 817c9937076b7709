import type { StoredId } from './codec/stored-document';
import { Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { CollectionRegistry } from './collections/collection-registry';
import { FullService, type FullPage } from './full/full.service';
import type { SyncIdentity } from './identity/identity';
import { DocumentsService } from './full/documents.service';
import { InfoService } from './info/info.service';
import type { DocumentsAnswer, DocumentsRequest } from './protocol/documents';
import { ScopeAccess } from './identity/scope-access';
import type { FullRequest } from './protocol/full';
import type { InfoRequest, SyncInfo } from './protocol/info';
import type { PullAnswer, PullRequest } from './protocol/pull';
import type { PushResponse } from './protocol/push';
import { namedScope, type ScopesAnswer } from './protocol/scopes';
import { PullService } from './pull/pull.service';
import { PushService } from './push/push.service';
import { StreamService, type StreamRequest } from './stream/stream.service';
import type { StreamMessage } from './stream/stream-subscription';
import {
  ServerChanges,
  type MetadataOptions,
  type ServerChangeRecord,
  type SyncMetadata,
} from './app-writes/record';
import type { WrittenChange } from './app-writes/scope-writer';
import type { SyncTransaction } from './app-writes/sync-transaction';
import { targetOf, type AppDocId } from './app-writes/target';
import { Transactions, type SyncTransactionOptions } from './app-writes/transactions';

/**
 * The engine, for the app's own providers. The HTTP and WebSocket transports are thin callers of `push`, `pull`,
 * `full` and `stream`; a host can put its own in their place. The app's writes go through `transaction`, or through
 * `buildSyncMetadata` and `recordServerChange` in a session of the app's own, and keep the same invariants as pushes.
 */
@Injectable()
export class SyncService {
  constructor(
    private readonly pushes: PushService,
    private readonly pulls: PullService,
    private readonly fulls: FullService,
    private readonly streams: StreamService,
    private readonly single: DocumentsService,
    private readonly server: InfoService,
    private readonly access: ScopeAccess,
    private readonly collections: CollectionRegistry,
    private readonly changes: ServerChanges,
    private readonly transactions: Transactions,
  ) {}

  /**
   * Takes a client's changes.
   *
   * @param request the body of a push (docs/protocol.md), not trusted
   * @throws SyncError when it is refused as a whole; a single bad change only gets a rejection
   */
  async push(identity: SyncIdentity, request: unknown): Promise<PushResponse> {
    this.transactions.expectFree(namedScope(request) ?? identity.scopeId);
    return this.pushes.push(identity, request);
  }

  /**
   * The scopes that the identity may use now, its own one first.
   *
   * @throws SyncError `unavailable` when the app's option `scopes` does not answer in time, and what it fails with
   */
  scopes(identity: SyncIdentity): Promise<ScopesAnswer> {
    return this.access.list(identity);
  }

  /** What is new in the scope since a cursor, or that a full resync is required. */
  pull(identity: SyncIdentity, request: PullRequest = {}): Promise<PullAnswer> {
    return this.pulls.pull(identity, request);
  }

  /** The scope's documents as they stand, as NDJSON; `lastSeq` is the cursor to pull from afterwards. */
  full(identity: SyncIdentity, request: FullRequest = {}): Promise<FullPage> {
    return this.fulls.open(identity, request);
  }

  /** Single documents of a collection as they stand, with their versions; at most 100 ids. */
  documents(identity: SyncIdentity, request: DocumentsRequest): Promise<DocumentsAnswer> {
    return this.single.read(identity, request);
  }

  /** What a client has to know about this server: limits, readable collections, features, the time. */
  info(identity: SyncIdentity, request: InfoRequest = {}): Promise<SyncInfo> {
    return this.server.info(identity, request);
  }

  /** The log from a cursor on, and then live, without a gap. Ends when the signal aborts or a full resync is required. */
  stream(
    identity: SyncIdentity,
    request: StreamRequest = {},
    signal?: AbortSignal,
  ): AsyncIterable<StreamMessage> {
    return this.streams.subscribe(identity, request, signal);
  }

  /**
   * Runs the app's writes and their log entries in one transaction. The body may run several times (conflicts, a new
   * primary): it must not have effects outside of `tx`. What it throws leaves nothing behind and comes out unchanged.
   *
   * Inside the body of another `sync.transaction` it becomes part of that one, of the same or another scope; with
   * `{ session }`, part of the app's own open transaction. The body then runs once: the caller that began the transaction
   * commits it, and runs it again after a conflict (errors of the driver come out unchanged). A joined body that throws
   * fails the whole transaction, also when its error is caught.
   *
   * @throws SyncError `busy` when conflicts last past the deadline, `unavailable` when nobody said in time whether it was
   *   committed; `configuration` for a session without an open transaction, of another connection, or that has ended
   */
  transaction<T>(
    identity: SyncIdentity,
    body: (tx: SyncTransaction) => Promise<T>,
    { session }: SyncTransactionOptions = {},
  ): Promise<T> {
    return this.transactions.run(identity, body, session);
  }

  /**
   * The four `_sync_*` fields for a document that the app stores itself. With a session in a transaction the version
   * is reserved: record the change with it before the transaction ends, in the order of the reservations.
   */
  buildSyncMetadata(identity: SyncIdentity, options: MetadataOptions = {}): Promise<SyncMetadata> {
    return this.changes.buildMetadata(identity, options);
  }

  /**
   * Writes the log entry of a change that the app has made itself, and the four fields into its document. In the
   * caller's open transaction, or in its own.
   *
   * @throws SyncError `stale_version`, `id_unavailable`, `weak_write_concern`; in an open transaction a lost race is a
   *   TransientTransactionError, so that `withTransaction` runs it again
   */
  recordServerChange(record: ServerChangeRecord): Promise<WrittenChange> {
    return this.changes.record(record);
  }

  /** Takes a scope's head at the beginning of the caller's own transaction: nobody can overtake it then. */
  async lock(session: mongo.ClientSession, scopeId: string): Promise<void> {
    await this.changes.lock(session, scopeId);
  }

  /** The `_id` under which a document of a scope is stored: for the app's own queries of collections with scoped ids. */
  storedId(collection: string, scopeId: string, docId: AppDocId): StoredId {
    return targetOf(this.collections, collection, scopeId, docId).storedId;
  }
}
