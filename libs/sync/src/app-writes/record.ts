import { Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { parseHlc, SyncError, type Operation } from 'nest-offline-sync-protocol';
import { CollectionRegistry } from '../collections/collection-registry';
import { SYNC_FIELDS } from '../codec/stored-document';
import type { SyncIdentity } from '../identity/identity';
import { forbidCommit, requireMajority } from './caller-session';
import { recordedFields } from './recorded-fields';
import { ReservedVersionPassed } from './reservations';
import { ScopeHeads } from './scope-heads';
import { ScopeWriter, type Attempt, type WrittenChange } from './scope-writer';
import type { ServerChange } from './server-change';
import { targetOf, type AppDocId } from './target';
import { TransactionRunner } from './transaction-runner';
import { Transactions } from './transactions';

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
   * The document's fields. What is stored already stays, so that the log, the answer to a full resync and
   * the collection say the same. Not needed when the document is stored; ignored for a delete.
   */
  readonly data?: object | null;
  readonly identity: SyncIdentity;
  readonly parentVersion?: string | null;
  /** The version of buildSyncMetadata. Default: a new one. */
  readonly version?: string;
  /**
   * Inside its open transaction, or, without one, in its own transaction. Default: the transaction of
   * `sync.transaction` whose body the call is in.
   */
  readonly session?: mongo.ClientSession | null;
}

/** The original's two calls for the app's own writes, right under concurrency. */
@Injectable()
export class ServerChanges {
  constructor(
    private readonly collections: CollectionRegistry,
    private readonly heads: ScopeHeads,
    private readonly writer: ScopeWriter,
    private readonly runner: TransactionRunner,
    private readonly transactions: Transactions,
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
    const { identity } = record;
    const change = this.changeOf(record);
    const session = record.session ?? this.transactions.current('recordServerChange')?.session;
    this.transactions.expectFree(identity.scopeId, session);
    if (session?.inTransaction()) {
      requireMajority(session);
      const attempt = this.writer.attemptIn(session);
      return attempt.calls.run(async () => {
        const written = await this.writer.write(attempt, identity, change);
        if (!attempt.ours) await this.closeOrForbid(attempt);
        return written;
      });
    }
    return this.runner.run(
      identity.scopeId,
      (attempt) => this.writeAlone(attempt, identity, change),
      session ?? undefined,
    );
  }

  /** An entry above a head that was not moved must not be committed, also by a caller that catches the error. */
  private async closeOrForbid({ session, heads }: Attempt): Promise<void> {
    try {
      await this.heads.moveHeads(session, heads);
    } catch (error) {
      if (error instanceof Error) forbidCommit(session, error);
      throw error;
    }
  }

  /** Takes the scope's head in the caller's transaction, so that no other writer can overtake it. */
  async lock(session: mongo.ClientSession, scopeId: string): Promise<string> {
    if (!session.inTransaction())
      throw new SyncError('configuration', 'sync.lock needs a session with an open transaction.');
    requireMajority(session);
    this.transactions.expectFree(scopeId, session);
    const attempt = this.writer.attemptIn(session);
    return attempt.calls.run(() => this.writer.lock(attempt, scopeId));
  }

  private async version(scopeId: string, { session, version }: MetadataOptions): Promise<string> {
    if (version !== undefined) return stamp('version', version);
    return session?.inTransaction() ? this.lock(session, scopeId) : this.heads.peek(scopeId);
  }

  private changeOf(record: ServerChangeRecord): ServerChange {
    const { identity, operation, data, version, parentVersion } = record;
    const target = targetOf(this.collections, record.collection, identity.scopeId, record.docId);
    return {
      target,
      become: operation === 'delete' ? null : (stored) => recordedFields(target, data, stored),
      parent: parentVersion ? stamp('parentVersion', parentVersion) : null,
      reserved: version === undefined ? undefined : stamp('version', version),
    };
  }

  /** Outside of a caller's transaction nobody would come back with a new version: a stale one is the caller's to know. */
  private async writeAlone(
    attempt: Attempt,
    identity: SyncIdentity,
    change: ServerChange,
  ): Promise<WrittenChange> {
    try {
      return await this.writer.write(attempt, identity, change);
    } catch (error) {
      if (!(error instanceof ReservedVersionPassed)) throw error;
      throw (attempt.lost = new SyncError(
        'stale_version',
        'The version is no longer above the scope head: another change came first. Build the metadata again.',
        { cause: error },
      ));
    }
  }
}

function stamp(path: string, text: string): string {
  if (parseHlc(text)) return text;
  throw new SyncError('invalid_version', `${path} must be a version, as buildSyncMetadata gives them.`, {
    path,
  });
}
