import { Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { CollectionRegistry } from '../collections/collection-registry.service';
import type { StoredDocument } from '../collections/collection';
import { isSyncField, SYNC_FIELDS } from '../collections/stored-document';
import { parseHlc } from '../hlc/hlc';
import type { SyncIdentity } from '../identity/identity';
import type { Operation } from '../protocol/change';
import { SyncError } from '../protocol/errors';
import type { JsonObject } from '../protocol/json';
import {
  ReservedVersionPassed,
  ScopeWriter,
  type OpenHeads,
  type WrittenChange,
} from './scope-writer.service';
import { target_, type AppDocId, type Target } from './sync-transaction.service';
import { TransactionRunner } from './transaction-runner.service';

/** The four fields that a synced document carries. Spread them into what the app stores. */
export interface SyncMetadata {
  readonly _sync_version: string;
  readonly _sync_actor_id: string;
  readonly _sync_scope_id: string;
  readonly _sync_deleted: boolean;
}

export interface MetadataOptions {
  /** With an open transaction the scope's head is taken, and the version is reserved for it. */
  readonly session?: mongo.ClientSession | null;
  /** A version that the app has drawn itself. */
  readonly version?: string;
  readonly deleted?: boolean;
}

export interface ServerChangeRecord {
  readonly collection: string;
  readonly docId: AppDocId;
  readonly operation: Operation;
  /**
   * The document's fields. What is stored already stays beside them, so that the log, the answer to a full resync and
   * the collection say the same. Not needed when the document is stored; ignored for a delete.
   */
  readonly data?: object | null;
  readonly identity: SyncIdentity;
  readonly parentVersion?: string | null;
  /** The version of buildSyncMetadata. Default: a new one. */
  readonly version?: string;
  /** Inside its open transaction, or, without one, in a transaction of its own. */
  readonly session?: mongo.ClientSession | null;
}

/** The original's two calls for the app's own writes, right under concurrency. */
@Injectable()
export class ServerChanges {
  constructor(
    private readonly collections: CollectionRegistry,
    private readonly writer: ScopeWriter,
    private readonly runner: TransactionRunner,
  ) {}

  async buildMetadata(identity: SyncIdentity, options: MetadataOptions): Promise<SyncMetadata> {
    return {
      [SYNC_FIELDS.version]: await this.version(identity.scopeId, options),
      [SYNC_FIELDS.actor]: identity.actorId,
      [SYNC_FIELDS.scope]: identity.scopeId,
      [SYNC_FIELDS.deleted]: options.deleted ?? false,
    };
  }

  async record(record: ServerChangeRecord): Promise<WrittenChange> {
    const { session, identity, version } = record;
    if (version !== undefined && !parseHlc(version))
      throw new SyncError('invalid_version', 'version must be one that buildSyncMetadata gave.', {
        path: 'version',
      });
    const target = target_(this.collections, record.collection, identity.scopeId, record.docId);
    const data = record.operation === 'delete' ? null : await castFields(target, record.data ?? undefined);
    if (session?.inTransaction()) {
      requireMajority(session);
      const heads: OpenHeads = new Map();
      const written = await this.write(session, heads, target, data, record);
      await this.writer.closeHeads(session, heads);
      return written;
    }
    return this.runner.run(
      identity.scopeId,
      (attempt) => this.write(attempt.session, attempt.heads, target, data, record),
      session ?? undefined,
    );
  }

  /** Takes the scope's head in the caller's transaction, so that no other writer can overtake it. */
  async lock(session: mongo.ClientSession, scopeId: string): Promise<void> {
    if (!session.inTransaction())
      throw new SyncError('configuration', 'sync.lock needs a session with an open transaction.');
    requireMajority(session);
    await this.writer.lock(session, scopeId);
  }

  private async version(scopeId: string, { session, version }: MetadataOptions): Promise<string> {
    if (version !== undefined) {
      if (!parseHlc(version))
        throw new SyncError('invalid_version', 'version must be a stamp of this clock.', { path: 'version' });
      return version;
    }
    if (!session?.inTransaction()) return this.writer.peek(scopeId);
    requireMajority(session);
    return this.writer.lock(session, scopeId);
  }

  private async write(
    session: mongo.ClientSession,
    heads: OpenHeads,
    target: Target,
    data: StoredDocument | null | undefined,
    record: ServerChangeRecord,
  ): Promise<WrittenChange> {
    const { collection, storedId } = target;
    const document = data === null ? null : await mergeStored(session, target, data, record.identity.scopeId);
    const change = {
      collection,
      storedId,
      document,
      ifVersion: undefined,
      parent: record.parentVersion ?? null,
    };
    return stale(() => this.writer.write(session, heads, record.identity, change, record.version), record);
  }
}

/** Outside of a caller's transaction nobody would retry with a new version: a stale one is the caller's to know. */
async function stale(
  write: () => Promise<WrittenChange>,
  record: ServerChangeRecord,
): Promise<WrittenChange> {
  try {
    return await write();
  } catch (error) {
    if (error instanceof ReservedVersionPassed && !record.session?.inTransaction())
      throw new SyncError(
        'stale_version',
        'The version is no longer above the scope head: another change came first. Build the metadata anew.',
        { cause: error },
      );
    throw error;
  }
}

async function castFields(
  { collection, wireId }: Target,
  data: object | undefined,
): Promise<StoredDocument | undefined> {
  if (data === undefined) return undefined;
  const cast = await collection.cast(wireId, data as JsonObject);
  if (!cast.ok) throw new SyncError(cast.rejection.code, cast.rejection.message);
  return cast.document;
}

async function mergeStored(
  session: mongo.ClientSession,
  { collection, storedId }: Target,
  data: StoredDocument | undefined,
  scopeId: string,
): Promise<StoredDocument> {
  const filter = { _id: storedId as never, [SYNC_FIELDS.scope]: { $in: [scopeId, null] } };
  const stored = await collection.store.findOne(filter, { session });
  if (!stored) {
    if (data) return data;
    throw new SyncError(
      'invalid_data',
      'The document is not stored and no data was given: nothing to record.',
      { path: 'data' },
    );
  }
  const fields = Object.entries(stored).filter(([key]) => key !== '_id' && !isSyncField(key));
  return { ...(Object.fromEntries(fields) as StoredDocument), ...data };
}

/** With a weaker write concern a failover could take back what readers have seen. */
function requireMajority(session: mongo.ClientSession): void {
  const { w } =
    (session as unknown as { transaction?: { options?: mongo.TransactionOptions } }).transaction?.options
      ?.writeConcern ?? {};
  if (w !== undefined && w !== 'majority')
    throw new SyncError(
      'weak_write_concern',
      "The transaction's write concern must be w: 'majority'; give it to startTransaction or the connection.",
    );
}
