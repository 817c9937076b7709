import { Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { SYNC_FIELDS, type StoredDocument } from '../codec/stored-document';
import type { SyncIdentity } from '../identity/identity';
import { asLostConnection } from '../database/transaction';
import { Turns } from '../database/waiting';
import { PlanWriter } from '../commit/plan-writer';
import { RefusedWrite } from '../commit/refused-write';
import { withFinding, type Plan, type PlanRequest, type PlanSnapshot } from '../plan/plan';
import { planPushes } from '../plan/planner';
import { MAX_TRIES, ResolverService } from '../push/resolver';
import { transactionOf } from './caller-session';
import { ScopeHeads, type OpenHead, type OpenHeads } from './scope-heads';
import { asRequest, snapshotFor, type ServerChange } from './server-change';
import { ownFields, type Target } from './target';
import { keyOf, type TouchedDocuments } from './touched';

/** One attempt of a transaction. */
export interface Attempt {
  readonly session: mongo.ClientSession;
  /** Stands for the driver's transaction. */
  readonly transaction: object;
  readonly heads: OpenHeads;
  /** The scopes that it has written or locked. */
  readonly scopes: Set<string>;
  /** Those that nobody else can write until it ends: their head is locked, or entries stand above it. */
  readonly held: Set<string>;
  /** One call after another: a session does one thing at a time. */
  readonly calls: Turns;
  /** Whether the engine commits it, and moves the heads then; in a caller's transaction each write moves them. */
  readonly ours: boolean;
  /** What ordinary calls have written and nobody has recorded yet. */
  readonly touched: TouchedDocuments;
  /** The collections of which it has recorded something. */
  readonly recorded: Set<string>;
  /** What has ended the transaction on the server: nothing more can be written in it, whatever the body makes of it. */
  lost?: Error;
}

/** What was written: the change's place in the order of its scope. */
export interface WrittenChange {
  readonly version: string;
  readonly seq: number;
}

/** Where a document is moved to. */
export interface Move {
  readonly scopeId: string;
  readonly target: Target;
}

/** A moved document's two places: in its old scope's order, and in its new one's. */
export interface MovedChange {
  readonly left: WrittenChange;
  readonly entered: WrittenChange;
}

/** A document as the transaction has it. */
interface Found {
  readonly document: StoredDocument | 'foreign' | undefined;
  /** Stored without a scope, or with a version that is none: the filter that finds it, until it is made the scope's. */
  readonly ownerless?: mongo.Filter<StoredDocument>;
}

/** Writes single changes into a transaction that somebody else began, by the same planner as pushes. */
@Injectable()
export class ScopeWriter {
  private readonly attempts = new WeakMap<object, Attempt>();

  constructor(
    private readonly heads: ScopeHeads,
    private readonly writer: PlanWriter,
    private readonly resolvers: ResolverService,
  ) {}

  /** The attempt that a session's open transaction is: begun by the engine, or by the caller. */
  attemptIn(session: mongo.ClientSession, ours = false): Attempt {
    const transaction = transactionOf(session);
    let attempt = this.attempts.get(transaction);
    if (!attempt) {
      const none = { heads: new Map(), scopes: new Set<string>(), held: new Set<string>() };
      const written = { touched: new Map(), recorded: new Set<string>() };
      attempt = { session, transaction, ...none, ...written, calls: new Turns(1), ours };
      this.attempts.set(transaction, attempt);
    }
    return attempt;
  }

  /** Takes a scope's head, so that no other writer can overtake the transaction; gives a version reserved for it. */
  lock(attempt: Attempt, scopeId: string): Promise<string> {
    attempt.scopes.add(scopeId);
    attempt.held.add(scopeId);
    return this.heads.lockHead(attempt.session, attempt.heads, scopeId);
  }

  /**
   * Document and entry now; the head when {@link ScopeHeads.close} is called, as the transaction's last write.
   *
   * A document that is stored without a scope, because the app wrote it before it was synced or by a model that knows
   * no `_sync_*`, becomes the identity's.
   *
   * @throws SyncError with nothing written, and the transaction can go on; or, and then `attempt.lost` is set,
   *   `unique_violation`, `validation_failed` by the database, or an error of the driver, unchanged
   */
  write(attempt: Attempt, identity: SyncIdentity, change: ServerChange): Promise<WrittenChange> {
    return this.guarded(attempt, () => this.writeOne(attempt, identity, change));
  }

  /** Notes what ends the transaction on the server. */
  async guarded<T>(attempt: Attempt, work: () => Promise<T>): Promise<T> {
    if (attempt.lost) throw attempt.lost;
    try {
      return await work();
    } catch (thrown) {
      const error = asLostConnection(thrown);
      if (error instanceof RefusedWrite)
        throw (attempt.lost = new SyncError(error.rejection.code, error.rejection.message, { cause: error }));
      if (!(error instanceof SyncError) && error instanceof Error) attempt.lost = error;
      throw error;
    }
  }

  /**
   * A document of one scope becomes another's: a delete in the old one's log, an upsert in the new one's, both heads in
   * one transaction. With global ids it stays the stored document that it is; with scoped ids it leaves a tombstone.
   *
   * @throws SyncError `conflict_deleted` when the scope has no such document, `id_unavailable` when the other scope has
   *   one with this id: nothing is written then
   */
  async move(attempt: Attempt, identity: SyncIdentity, from: Target, to: Move): Promise<MovedChange> {
    if (attempt.lost) throw attempt.lost;
    const { session } = attempt;
    const { document } = await this.read(session, identity.scopeId, from);
    if (!document || document === 'foreign' || document[SYNC_FIELDS.deleted] === true)
      throw new SyncError('conflict_deleted', 'The scope has no document with this id: nothing to move.');
    const isSame = from.collection.idMode === 'global';
    const there = isSame ? undefined : (await this.read(session, to.scopeId, to.target)).document;
    if (there === 'foreign' || (there && there[SYNC_FIELDS.deleted] !== true))
      throw new SyncError('id_unavailable', 'The other scope has a document with this id; delete it first.');
    const left = await this.write(attempt, identity, { target: from, become: null, parent: null });
    if (isSame)
      await from.collection.store.updateOne(
        { _id: from.storedId as never, [SYNC_FIELDS.scope]: identity.scopeId },
        { $unset: { [SYNC_FIELDS.scope]: '', [SYNC_FIELDS.version]: '' } },
        { session },
      );
    const become = () => Promise.resolve(ownFields(document));
    const newOwner = { ...identity, scopeId: to.scopeId };
    return {
      left,
      entered: await this.write(attempt, newOwner, { target: to.target, become, parent: null }),
    };
  }

  private async writeOne(
    attempt: Attempt,
    identity: SyncIdentity,
    change: ServerChange,
  ): Promise<WrittenChange> {
    const { target, become, ifVersion, reserved } = change;
    const { session, heads } = attempt;
    const { scopeId } = identity;
    attempt.scopes.add(scopeId);
    const open = await this.heads.readHead(session, heads, scopeId);
    if (reserved !== undefined) this.heads.checkReserved(session, reserved, open.head);
    const found = await this.read(session, scopeId, target);
    const { document: stored } = found;
    if (ifVersion !== undefined) checkVersion(stored, ifVersion);
    const stands = stored === 'foreign' || stored?.[SYNC_FIELDS.deleted] === true ? undefined : stored;
    const document = become && stored !== 'foreign' ? await become(stands) : null;
    const request = asRequest(identity, change, document);
    return this.store(attempt, identity, open, request, target, found);
  }

  private async store(
    attempt: Attempt,
    identity: SyncIdentity,
    open: OpenHead,
    request: PlanRequest,
    target: Target,
    found: Found,
  ): Promise<WrittenChange> {
    const { session, heads } = attempt;
    const snapshot = snapshotFor(request.scopeId, target, open.head, found.document);
    const plan = await this.plan(identity, snapshot, request);
    const move = plan.heads[0];
    if (!move) throw new Error('A plan of the app’s own write must write');
    attempt.held.add(request.scopeId);
    if (found.ownerless)
      // The planner's writes find a document by its scope and version.
      await target.collection.store.updateOne(
        found.ownerless,
        { $set: { [SYNC_FIELDS.scope]: request.scopeId }, $unset: { [SYNC_FIELDS.version]: '' } },
        { session },
      );
    await this.writer.write(session, plan);
    this.heads.advance(heads, open, move);
    attempt.recorded.add(target.collection.name);
    // Whatever ordinary calls have made of it before, the log tells it now.
    attempt.touched.delete(keyOf(target.collection, target.storedId));
    return { version: move.version, seq: move.seq };
  }

  /** Asks the app's validators about a patched document, which is not known before. */
  private async plan(identity: SyncIdentity, snapshot: PlanSnapshot, request: PlanRequest): Promise<Plan> {
    let asked = request;
    for (let tries = 0; ; tries++) {
      const plan = planPushes(snapshot, [asked], this.heads.clock());
      const outcome = plan.outcomes[0];
      if (outcome?.kind === 'decided') {
        const [decision] = outcome.decisions;
        if (decision?.status !== 'rejected') return plan;
        throw new SyncError(decision.code ?? 'internal', decision.error ?? 'The change was rejected.');
      }
      const need = outcome?.needs[0];
      if (!need) throw new Error('A plan lacks an outcome');
      if (tries === MAX_TRIES) throw new SyncError('validation_failed', MAKES_ANOTHER);
      asked = withFinding(asked, need.index, await this.resolvers.ask(identity, need));
    }
  }

  private async read(session: mongo.ClientSession, scopeId: string, target: Target): Promise<Found> {
    const byId = { _id: target.storedId as never };
    const row = await target.collection.store.findOne(byId, { session });
    if (!row) return { document: undefined };
    const scope = row[SYNC_FIELDS.scope] ?? null;
    if (scope !== null && scope !== scopeId) return { document: 'foreign' };
    const version = row[SYNC_FIELDS.version];
    if (scope === scopeId && (version === undefined || typeof version === 'string')) return { document: row };
    const { [SYNC_FIELDS.version]: _, ...rest } = row;
    return {
      document: { ...rest, [SYNC_FIELDS.scope]: scopeId },
      ownerless: { ...byId, [SYNC_FIELDS.scope]: scope },
    };
  }
}

const MAKES_ANOTHER =
  'The schema of this collection makes another document of the same patch each time: use tx.upsert.';

function checkVersion(stored: Found['document'], ifVersion: string): void {
  if (stored !== 'foreign' && stored?.[SYNC_FIELDS.version] === ifVersion) return;
  throw new SyncError(
    'conflict_stale',
    'The document does not have this version, or not any more; read it and decide again.',
    { path: 'ifVersion' },
  );
}
