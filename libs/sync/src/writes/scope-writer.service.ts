import { Injectable, Inject } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { SYNC_FIELDS } from '../collections/stored-document';
import { HlcService } from '../hlc/hlc.service';
import { formatHlc, parseHlc, sendHlc, ZERO_HLC, ZERO_VERSION } from '../hlc/hlc';
import { WallClock } from '../hlc/wall-clock.service';
import type { SyncIdentity } from '../identity/identity';
import { OplogRepository } from '../oplog/oplog.repository';
import type { HeadRecord } from '../oplog/records';
import { SyncError } from '../protocol/errors';
import type { HeadMove, PlannedAnswer } from '../push/plan';
import { PlanWriter, RefusedWrite } from '../push/plan-writer.repository';
import { planPushes } from '../push/planner';
import { SnapshotRepository } from '../push/snapshot.repository';
import { TransientSyncError } from '../push/transient-error.repository';
import type { SyncSettings } from '../sync.settings';
import { SYNC_SETTINGS } from '../sync.tokens';
import { asRequest, type ServerChange } from './server-change';

/** The heads that a transaction of the app has read, and where it will move them. Lives for one attempt only. */
export type OpenHeads = Map<string, { fromSeq: number | undefined; head: HeadRecord | undefined }>;

/** What was written: the change's place in the order of its scope. */
export interface WrittenChange {
  readonly version: string;
  readonly seq: number;
}

/** Transient: the caller's transaction is run again, and reserves a new version. */
export class ReservedVersionPassed extends TransientSyncError {}

/** Writes single changes into a transaction that somebody else began, by the same planner as pushes. */
@Injectable()
export class ScopeWriter {
  constructor(
    private readonly oplog: OplogRepository,
    private readonly snapshots: SnapshotRepository,
    private readonly writer: PlanWriter,
    private readonly hlc: HlcService,
    private readonly wall: WallClock,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
  ) {}

  /**
   * Document and entry now; the head when {@link closeHeads} is called, as the transaction's last write.
   *
   * @param reserved the version that the change was promised; it must still be above the head
   */
  async write(
    session: mongo.ClientSession,
    heads: OpenHeads,
    identity: SyncIdentity,
    change: ServerChange,
    reserved?: string,
  ): Promise<WrittenChange> {
    const request = asRequest(identity, change, reserved);
    await this.adopt(session, identity.scopeId, change);
    const loaded = await this.snapshots.load(session, [request]);
    const open = heads.get(identity.scopeId) ?? openHead(loaded.heads.get(identity.scopeId));
    if (reserved !== undefined) checkReserved(reserved, open.head);
    const snapshot = { ...loaded, heads: new Map(open.head ? [[identity.scopeId, open.head]] : []) };
    const clock = { wallMs: this.wall.now(), node: this.hlc.nodeId, maxDriftMs: this.settings.maxDriftMs };
    const plan = planPushes(snapshot, [request], clock);
    const outcome = plan.outcomes[0];
    const answer = outcome?.kind === 'answered' ? outcome.answers[0] : undefined;
    if (!answer) throw new Error('A plan lacks an answer');
    if (answer.status === 'rejected') throw asError(answer);
    try {
      await this.writer.write(session, plan);
    } catch (error) {
      // The transaction is gone with it; a retry would meet the same key.
      if (error instanceof RefusedWrite)
        throw new SyncError(error.rejection.code, error.rejection.message, { cause: error });
      throw error;
    }
    const move = plan.heads[0];
    if (!move) return { version: answer.new_version ?? '', seq: open.head?.seq ?? 0 };
    heads.set(identity.scopeId, {
      fromSeq: open.fromSeq,
      head: { ...(open.head ?? NO_HEAD), _id: identity.scopeId, version: move.version, seq: move.seq },
    });
    return { version: move.version, seq: move.seq };
  }

  async closeHeads(session: mongo.ClientSession, heads: OpenHeads): Promise<void> {
    const moves: HeadMove[] = [];
    for (const [scopeId, { fromSeq, head }] of heads)
      if (head && head.seq !== (fromSeq ?? 0))
        moves.push({ scopeId, fromSeq, version: head.version, seq: head.seq });
    await this.writer.moveHeads(session, moves);
    heads.clear();
  }

  /**
   * Takes the head before anything else is written: from here on no other writer of the scope can overtake this
   * transaction. Gives a version above the head that is reserved for it.
   */
  async lock(session: mongo.ClientSession, scopeId: string): Promise<string> {
    const head = await this.oplog.heads.findOne({ _id: scopeId }, { session });
    const reserved = this.draw(later(head?.version, head?.reserved));
    if (!head) {
      await this.oplog.heads.insertOne({ ...NO_HEAD, _id: scopeId, reserved }, { session });
      return reserved;
    }
    const result = await this.oplog.heads.updateOne(
      { _id: scopeId, seq: head.seq },
      { $set: { reserved } },
      { session },
    );
    if (result.matchedCount !== 1) throw new TransientSyncError('Another writer has moved the scope head');
    return reserved;
  }

  /** A version above the scope's head as it is now. Nothing keeps others from drawing the same one. */
  async peek(scopeId: string): Promise<string> {
    const head = await this.oplog.readHead(scopeId);
    return this.draw(later(head?.version, this.hlc.now()));
  }

  /** A document that the app stored before it was synced has no scope yet: it becomes the writer's. */
  private async adopt(session: mongo.ClientSession, scopeId: string, change: ServerChange): Promise<void> {
    const { store } = change.collection;
    const filter = { _id: change.storedId as never, [SYNC_FIELDS.scope]: { $exists: false } };
    if (await store.findOne(filter, { session, projection: { _id: 1 } }))
      await store.updateOne(filter, { $set: { [SYNC_FIELDS.scope]: scopeId } }, { session });
  }

  private draw(above: string | undefined): string {
    const last = (above === undefined ? undefined : parseHlc(above)) ?? ZERO_HLC;
    return formatHlc(sendHlc(last, this.wall.now(), this.hlc.nodeId));
  }
}

const NO_HEAD: Omit<HeadRecord, '_id'> = { version: ZERO_VERSION, seq: 0, floor: ZERO_VERSION, floorSeq: 0 };

function openHead(head: HeadRecord | undefined): {
  fromSeq: number | undefined;
  head: HeadRecord | undefined;
} {
  return { fromSeq: head?.seq, head };
}

/**
 * A reserved version that others have passed is retried with a new one. One that this transaction itself has passed
 * would be retried for ever: its changes are recorded in another order than their versions were reserved in.
 */
function checkReserved(reserved: string, head: HeadRecord | undefined): void {
  if (!head || reserved > head.version) return;
  if (head.reserved !== undefined && head.reserved >= reserved)
    throw new SyncError(
      'stale_version',
      'Changes must be recorded in the order in which their versions were reserved by buildSyncMetadata.',
    );
  throw new ReservedVersionPassed(
    'The reserved version is no longer above the scope head: another change came first',
  );
}

function asError(answer: PlannedAnswer): SyncError {
  return new SyncError(answer.code ?? 'internal', answer.error ?? 'The change was rejected.');
}

function later(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a > b ? a : b;
}
