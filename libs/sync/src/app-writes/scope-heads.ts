import { Inject, Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import {
  formatHlc,
  isTooFarAhead,
  isZeroCursor,
  parseHlc,
  sendHlc,
  SyncError,
  ZERO_HLC,
  ZERO_VERSION,
} from 'nest-offline-sync-protocol';
import { HlcService } from '../clock/hlc-service';
import { WallClock } from '../clock/wall-clock';
import { EngineSessions } from '../cluster/engine-sessions';
import { OplogRepository } from '../log/oplog';
import { asLostConnection, TransientSyncError } from '../database/transaction';
import type { HeadRecord } from '../log/records';
import type { HeadMove, PlanClock } from '../plan/plan';
import { PlanWriter } from '../commit/plan-writer';
import type { SyncSettings } from '../options/settings';
import { SYNC_SETTINGS } from '../options/tokens';
import { Reservations } from './reservations';

/** A head as a transaction has read it and will move it. `fromSeq` undefined: the scope's first write. */
export interface OpenHead {
  readonly fromSeq: number | undefined;
  readonly head: HeadRecord | undefined;
}
/** By scope. Lives for one attempt of a transaction only. */
export type OpenHeads = Map<string, OpenHead>;

const NO_HEAD: Omit<HeadRecord, '_id'> = { version: ZERO_VERSION, seq: 0, floor: ZERO_VERSION, floorSeq: 0 };

/** The scope heads of transactions that the app began: read, locked, moved, and versions drawn above them. */
@Injectable()
export class ScopeHeads {
  private readonly reservations = new Reservations();

  constructor(
    private readonly oplog: OplogRepository,
    private readonly sessions: EngineSessions,
    private readonly writer: PlanWriter,
    private readonly hlc: HlcService,
    private readonly wall: WallClock,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
  ) {}

  /** The head as this transaction has it: read once, and then as its own writes have left it. */
  async readHead(session: mongo.ClientSession, heads: OpenHeads, scopeId: string): Promise<OpenHead> {
    const known = heads.get(scopeId);
    if (known) return known;
    await this.sessions.know(session);
    const head = (await this.oplog.heads.findOne({ _id: scopeId }, { session })) ?? undefined;
    const open = { fromSeq: head?.seq, head };
    heads.set(scopeId, open);
    return open;
  }

  /** Notes where a plan has moved the head to. Written by {@link moveHeads}. */
  advance(heads: OpenHeads, { fromSeq, head }: OpenHead, move: HeadMove): void {
    const { scopeId, version, seq } = move;
    heads.set(scopeId, { fromSeq, head: { ...(head ?? NO_HEAD), _id: scopeId, version, seq } });
  }

  /** The transaction's last write: moves the heads that have entries above them. */
  async moveHeads(session: mongo.ClientSession, heads: OpenHeads): Promise<void> {
    const moves: HeadMove[] = [];
    for (const [scopeId, { fromSeq, head }] of heads)
      if (head && head.seq !== (fromSeq ?? 0))
        moves.push({ scopeId, fromSeq, version: head.version, seq: head.seq });
    await this.writer.moveHeads(session, moves);
    heads.clear();
  }

  /**
   * Takes the head before anything else is written: from here on no other writer of the scope can overtake this
   * transaction. Gives a version above the head, and above what the transaction has written, that is reserved for it.
   */
  async lockHead(session: mongo.ClientSession, heads: OpenHeads, scopeId: string): Promise<string> {
    try {
      return await this.take(session, heads, scopeId);
    } catch (error) {
      throw asLostConnection(error);
    }
  }

  /** A version above the scope's head as it is now. Nothing keeps others from passing it. */
  async peek(scopeId: string): Promise<string> {
    const head = await this.oplog.readHead(scopeId);
    return this.draw(later(head?.version, this.hlc.now()));
  }

  /**
   * Whether a promised version can still be written.
   *
   * @throws ReservedVersionPassed; SyncError `stale_version`, `invalid_version`, `clock_drift` (invariant 8)
   */
  checkReserved(session: mongo.ClientSession, reserved: string, head: HeadRecord | undefined): void {
    const hlc = parseHlc(reserved);
    if (!hlc || isZeroCursor(hlc))
      throw new SyncError('invalid_version', 'version must be one that buildSyncMetadata gave.', {
        path: 'version',
      });
    const headMs = (parseHlc(head?.version ?? ZERO_VERSION) ?? ZERO_HLC).ms;
    if (isTooFarAhead(hlc, this.wall.now(), headMs, this.settings.maxDriftMs))
      throw new SyncError(
        'clock_drift',
        `version is further in the future than ${this.settings.maxDriftMs} ms; let buildSyncMetadata draw it.`,
        { path: 'version' },
      );
    this.reservations.check(session, reserved, head?.version);
  }

  clock(): PlanClock {
    return { wallMs: this.wall.now(), node: this.hlc.nodeId, maxDriftMs: this.settings.maxDriftMs };
  }

  private async take(session: mongo.ClientSession, heads: OpenHeads, scopeId: string): Promise<string> {
    await this.sessions.know(session);
    const head = await this.oplog.heads.findOne({ _id: scopeId }, { session });
    const written = heads.get(scopeId)?.head?.version;
    const reserved = this.draw(later(written, later(head?.version, head?.reserved)));
    if (head) {
      // Another value than before, always: an update that changes nothing takes no lock.
      const result = await this.oplog.heads.updateOne(
        { _id: scopeId, seq: head.seq },
        { $set: { reserved } },
        { session },
      );
      if (result.matchedCount !== 1) throw new TransientSyncError('Another writer has moved the scope head');
    } else {
      await this.oplog.heads.insertOne({ ...NO_HEAD, _id: scopeId, reserved }, { session });
      const known = heads.get(scopeId);
      if (known) heads.set(scopeId, { ...known, fromSeq: NO_HEAD.seq });
    }
    this.reservations.promise(session, reserved);
    return reserved;
  }

  private draw(above: string | undefined): string {
    const last = (above === undefined ? undefined : parseHlc(above)) ?? ZERO_HLC;
    return formatHlc(sendHlc(last, this.wall.now(), this.hlc.nodeId));
  }
}

function later(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a > b ? a : b;
}
