import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { HlcService } from '../hlc/hlc.service';
import { WallClock } from '../hlc/wall-clock.service';
import { EngineSessions } from '../oplog/engine-sessions.service';
import type { SyncSettings } from '../sync.settings';
import { SYNC_SETTINGS } from '../sync.tokens';
import type { Plan, PlanRequest } from './plan';
import { PlanWriter, ReceiptExists } from './plan-writer.repository';
import { planPushes } from './planner';
import { retryPauseMs } from './retry-pause';
import { mayBeCommitted } from '../database/errors';
import { asLostConnection, UnknownCommitError } from '../database/transaction-errors.repository';
import { withinLimit } from '../oplog/time-limit.repository';
import { SnapshotRepository } from './snapshot.repository';

/** How every transaction of the engine runs: what it reads is of one moment, what it writes survives a failover. */
export const TRANSACTION_OPTIONS: mongo.TransactionOptions = {
  readConcern: { level: 'snapshot' },
  writeConcern: { w: 'majority' },
  readPreference: 'primary',
};

/** Longest that a commit may take that begins after its deadline. Milliseconds. */
const COMMIT_LIMIT_MS = 10_000;
/** For how long after a replay the receipts are looked up first. Milliseconds. */
const EXPECT_REPLAYS_MS = 1_000;

/**
 * Runs one transaction for a group of pushes: read, plan, write, commit (invariant 1). It decides nothing, and it
 * does not retry but for the commit itself: whoever calls it forms the group anew.
 */
@Injectable()
export class Committer {
  /** performance.now(). */
  private replaysUntil = 0;

  constructor(
    private readonly sessions: EngineSessions,
    private readonly snapshots: SnapshotRepository,
    private readonly writer: PlanWriter,
    private readonly hlc: HlcService,
    private readonly wall: WallClock,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
  ) {}

  /**
   * A plan that writes nothing commits too: its transaction may have seen a receipt that a failover can still take
   * back, and only the majority's word makes the answer safe.
   *
   * @param deadline performance.now() after which an unknown commit outcome is given up
   * @throws RefusedWrite, UnknownCommitError, or the driver's error with its labels
   */
  async commit(requests: readonly PlanRequest[], deadline: number): Promise<Plan> {
    return this.sessions.use(async (session) => {
      try {
        return await this.inTransaction(session, requests, deadline, this.expectsReplays());
      } catch (error) {
        if (!(error instanceof ReceiptExists)) throw error;
        // Where one client asks again, others will: after an outage, say.
        this.replaysUntil = performance.now() + EXPECT_REPLAYS_MS;
        return this.inTransaction(session, requests, deadline, true);
      }
    }, deadline);
  }

  private expectsReplays(): boolean {
    return performance.now() < this.replaysUntil;
  }

  private async inTransaction(
    session: mongo.ClientSession,
    requests: readonly PlanRequest[],
    deadline: number,
    readsReceipts: boolean,
  ): Promise<Plan> {
    try {
      session.startTransaction(TRANSACTION_OPTIONS);
      const plan = await this.planAndWrite(session, requests, readsReceipts).catch((error: unknown) => {
        throw asLostConnection(error);
      });
      await commitUntil(session, deadline);
      return plan;
    } finally {
      if (session.inTransaction()) await abortQuietly(session);
    }
  }

  private async planAndWrite(
    session: mongo.ClientSession,
    requests: readonly PlanRequest[],
    readsReceipts: boolean,
  ): Promise<Plan> {
    const clock = { wallMs: this.wall.now(), node: this.hlc.nodeId, maxDriftMs: this.settings.maxDriftMs };
    let snapshot = await this.snapshots.load(session, requests);
    if (readsReceipts) snapshot = { ...snapshot, receipts: await this.snapshots.receipts(session, requests) };
    let plan = planPushes(snapshot, requests, clock);
    for (;;) {
      if (plan.needsReceipts)
        snapshot = { ...snapshot, receipts: await this.snapshots.receipts(session, requests) };
      else if (plan.missingBases.length > 0) {
        const found = await this.snapshots.bases(session, plan.missingBases);
        snapshot = { ...snapshot, bases: new Map([...snapshot.bases, ...found]) };
      } else break;
      plan = planPushes(snapshot, requests, clock);
    }
    // The heads first: whoever comes second is told at once, before a document or entry of his stands in the way of a
    // transaction that holds the head (sync.lock).
    await this.writer.moveHeads(session, plan.heads);
    await this.writer.write(session, plan);
    return plan;
  }
}

/**
 * Commits, and asks again while the outcome is unknown: a commit may be sent twice, it happens once.
 *
 * @throws UnknownCommitError past the deadline; else the driver's error: the transaction is undone
 */
export async function commitUntil(session: mongo.ClientSession, deadline: number): Promise<void> {
  for (let attempts = 0; ; attempts++) {
    try {
      await withinLimit(Math.max(deadline - performance.now(), COMMIT_LIMIT_MS), () =>
        session.commitTransaction(),
      );
      return;
    } catch (error) {
      if (!mayBeCommitted(error)) throw error;
      if (performance.now() > deadline) throw new UnknownCommitError(error);
    }
    await delay(retryPauseMs(attempts, Math.random()));
  }
}

/** The transaction is lost already; why the abort failed would hide why it came to it. */
export async function abortQuietly(session: mongo.ClientSession): Promise<void> {
  try {
    await session.abortTransaction();
  } catch {
    // The server ends it by itself.
  }
}
