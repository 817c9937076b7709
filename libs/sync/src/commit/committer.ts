import { Inject, Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import type { Rejection } from 'nest-offline-sync-protocol';
import { HlcService } from '../clock/hlc-service';
import { WallClock } from '../clock/wall-clock';
import { EngineSessions } from '../cluster/engine-sessions';
import type { SyncSettings } from '../options/settings';
import { SYNC_SETTINGS } from '../options/tokens';
import {
  observes,
  withFindings,
  type Plan,
  type PlanRequest,
  type PlanSnapshot,
  type PreparedChange,
} from '../plan/plan';
import { PlanWriter, ReceiptExists } from './plan-writer';
import { planToTheEnd, type Found, type Lack } from '../plan/planner';
import type { RefusedWrite } from './refused-write';
import { isRetryable } from '../database/errors';
import { abortQuietly, asLostConnection, commitUntil, TRANSACTION_OPTIONS } from '../database/transaction';
import { SnapshotRepository } from './snapshot';
import { Sieve } from './sieve';
import { TakenValues } from './taken-values';

/** For how long after a replay the receipts are looked up first. Milliseconds. */
const EXPECT_REPLAYS_MS = 1_000;
/** How often a plan is looked through for duplicates: each time without those of the time before. */
const MOST_ROUNDS = 8;
/** How often documents are taken first, at once after a conflict. */
const MOST_LOCKS = 10;

/** What a transaction has done. */
export interface Committed {
  readonly plan: Plan;
  /** How often it was done again because somebody else had written its documents. */
  readonly conflicts: number;
}

interface Reads {
  /** What the mutations were answered before. */
  readonly receipts: boolean;
  /** The observed documents are taken first. */
  readonly locked: boolean;
}

/**
 * Runs one transaction for a group of pushes: read, plan, write, commit (invariant 1). It decides nothing, and it
 * does not retry but for the commit itself: its caller forms the group again.
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
    private readonly taken: TakenValues,
    private readonly sieve: Sieve,
  ) {}

  /**
   * A plan that writes nothing commits too: its transaction may have seen a receipt that a failover can still take
   * back, and only the majority's word makes the answer safe.
   *
   * @param deadline performance.now() after which an unknown commit outcome is given up
   * @throws RefusedWrite, UnknownCommitError, or the driver's error with its labels
   */
  async commit(requests: readonly PlanRequest[], deadline: number): Promise<Committed> {
    return this.sessions.use(async (session) => {
      let conflicts = 0;
      for (; ; conflicts++) {
        try {
          const reads = { receipts: this.expectsReplays(), locked: conflicts > 0 };
          return { plan: await this.inTransaction(session, requests, deadline, reads), conflicts };
        } catch (error) {
          if (error instanceof ReceiptExists) break;
          // Somebody has written a document past the engine: now it is taken first.
          if (conflicts >= MOST_LOCKS || !isRetryable(error) || !requests.some(observes)) throw error;
        }
      }
      // Where one client asks again, others will: after an outage, say.
      this.replaysUntil = performance.now() + EXPECT_REPLAYS_MS;
      const reads = { receipts: true, locked: false };
      return { plan: await this.inTransaction(session, requests, deadline, reads), conflicts };
    }, deadline);
  }

  /**
   * What else of a plan the database would refuse, of which it has refused one document. Asked for outside of the
   * scope's turn; it has no end after the deadline.
   *
   * @returns the rejections, by the indexes of their changes
   */
  async othersRefused({ plan }: RefusedWrite, deadline: number): Promise<ReadonlyMap<number, Rejection>> {
    return plan ? this.sieve.refusedIn(plan, deadline) : new Map();
  }

  private expectsReplays(): boolean {
    return performance.now() < this.replaysUntil;
  }

  private async inTransaction(
    session: mongo.ClientSession,
    requests: readonly PlanRequest[],
    deadline: number,
    reads: Reads,
  ): Promise<Plan> {
    try {
      session.startTransaction(TRANSACTION_OPTIONS);
      const plan = await this.planAndWrite(session, requests, reads).catch((error: unknown) => {
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
    reads: Reads,
  ): Promise<Plan> {
    const free = reads.locked ? await this.snapshots.lock(session, requests) : undefined;
    let snapshot = await this.snapshots.load(session, requests);
    if (reads.receipts)
      snapshot = { ...snapshot, receipts: await this.snapshots.receipts(session, requests) };
    const [first, second] = requests;
    const plan =
      first?.hasDuplicates && !second
        ? await this.foreseeing(session, first, snapshot)
        : await this.plan(session, requests, snapshot);
    // The heads first: the second to come is told at once, before one of its documents or entries stands in the way of a
    // transaction that holds the head (sync.lock).
    await this.writer.moveHeads(session, plan.heads);
    await this.writer.write(session, plan);
    await free?.();
    return plan;
  }

  /** With the changes refused that a unique index would refuse. */
  private async foreseeing(
    session: mongo.ClientSession,
    first: PlanRequest,
    snapshot: PlanSnapshot,
  ): Promise<Plan> {
    let request = first;
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const trial = await this.plan(session, [onTrial(request)], snapshot);
      const refused = await this.taken.foresee(session, trial, onTrial(request));
      if (refused.size === 0) break;
      request = withFindings(request, new Map([...refused].map(([at, verdict]) => [at, { verdict }])));
    }
    return this.plan(session, [request], snapshot);
  }

  /** Plans, and reads what the plan turns out to need. */
  private async plan(
    session: mongo.ClientSession,
    requests: readonly PlanRequest[],
    known: PlanSnapshot,
  ): Promise<Plan> {
    const clock = { wallMs: this.wall.now(), node: this.hlc.nodeId, maxDriftMs: this.settings.maxDriftMs };
    const planning = planToTheEnd(known, requests, clock);
    let step = planning.next();
    while (step.done !== true) step = planning.next(await this.read(session, requests, step.value));
    return step.value;
  }

  private async read(
    session: mongo.ClientSession,
    requests: readonly PlanRequest[],
    lack: Lack,
  ): Promise<Found> {
    return lack.of === 'receipts'
      ? { receipts: await this.snapshots.receipts(session, requests) }
      : { bases: await this.snapshots.bases(session, lack.needs) };
  }
}

/** Of a batch all changes are looked at, also when one of them is known to be refused. */
function onTrial(request: PlanRequest): PlanRequest {
  if (request.atomic !== 'batch') return request;
  return {
    ...request,
    atomic: 'mutation',
    changes: request.changes.map(({ group: _, ...change }): PreparedChange => change),
  };
}
