import { Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import {
  namedScope,
  type DigestAnswer,
  type DigestRequest,
  type DocumentsAnswer,
  type DocumentsRequest,
  type FullRequest,
  type InfoRequest,
  type PullRequest,
  type PushResponse,
  type ScopesAnswer,
  type SyncInfo,
} from 'nest-offline-sync-protocol';
import type { StoredId } from './codec/stored-document';
import type { IdValue } from './options/sync.options';
import { CollectionRegistry } from './collections/collection-registry';
import { DigestService } from './full/digest.service';
import { DocumentsService } from './full/documents.service';
import { FullService, type FullPage } from './full/full.service';
import type { SyncIdentity } from './identity/identity';
import { InfoService } from './info/info.service';
import type { PullAnswer } from './pull/page';
import { ScopeAccess } from './identity/scope-access';
import { PullService } from './pull/pull.service';
import { PushService } from './push/push.service';
import { ScopeWatches } from './stream/scope-watches';
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
    private readonly digests: DigestService,
    private readonly server: InfoService,
    private readonly access: ScopeAccess,
    private readonly watches: ScopeWatches,
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

  /**
   * Call it when what an actor may do in other scopes has changed, once that is committed. Every listener of this actor,
   * in any process, gets nothing more of those scopes until the option `scopes` has been asked again, which happens within a
   * second; a lost scope ends with `scope_lost`. Requests ask each time, also without this.
   *
   * @throws an error of the database when the other processes could not be told: they ask by themselves within
   *   `scopeCheckIntervalMs`; SyncError `configuration` for what is no actor
   */
  accessChanged(actorId: IdValue): Promise<void> {
    return this.watches.accessChanged(actorId);
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

  /** Counts and hashes of what the scope has at one moment. */
  digest(identity: SyncIdentity, request: DigestRequest = {}): Promise<DigestAnswer> {
    return this.digests.take(identity, request);
  }

  /** What a client has to know about this server: limits, readable collections, features, the time. */
  info(identity: SyncIdentity, request: InfoRequest = {}): Promise<SyncInfo> {
    return this.server.info(identity, request);
  }

  /**
   * The log from a cursor on, and then live, without a gap. Ends when the signal aborts, a full resync is required or the
   * scope is lost.
   */
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
