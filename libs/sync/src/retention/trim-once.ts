import type { SyncMetrics } from '../metrics/metrics';
import type { SyncSettings } from '../options/settings';
import type { OplogRepository } from '../log/oplog';
import type { HeadRecord } from '../log/records';
import { planDeletion, planRaise, TrimMemory, type TrimRules, type TrimState } from './trim-plan';
import { TombstoneRemoval, type TombstoneDependencies } from './tombstones';
import { TrimmingRepository, type MayContinue } from './trimming-store';

const DAY_MS = 86_400_000;

export interface TrimDependencies {
  readonly oplog: OplogRepository;
  readonly metrics?: Pick<SyncMetrics, 'trimmed' | 'tombstonesRemoved'>;
  /** The synced collections: their tombstones go too, where `tombstoneTtlDays` says so. */
  readonly stores?: TombstoneDependencies['stores'];
  /** Kept from run to run by who runs often. */
  readonly memory?: TrimMemory;
  readonly mayContinue?: MayContinue;
}

export type TrimSettings = Pick<
  SyncSettings,
  'oplogTtlDays' | 'oplogMaxEntries' | 'receiptTtlDays' | 'tombstoneTtlDays' | 'trimGraceMs'
>;

export interface TrimReport {
  /** Scopes that were looked at. */
  readonly scopes: number;
  /** Scopes whose floor was raised: their entries below it go after the grace period. */
  readonly raised: number;
  /** Scopes with entries below the floor whose grace period is not over. */
  readonly waiting: number;
  readonly deletedEntries: number;
  readonly deletedReceipts: number;
  readonly deletedTombstones: number;
  /** More tombstones are due than one run removes. */
  readonly moreTombstones: boolean;
  /** False when it was told to stop before the end. */
  readonly finished: boolean;
}

/**
 * One run of retention over all scopes: deletes what lies below a floor for long enough, raises the floors that age
 * and `oplogMaxEntries` ask for, and removes receipts and tombstones that have outlived the log. Safe next to any number
 * of other runs and of pushes, and safe to break off anywhere. Its clock is the database's.
 */
export async function trimOnce(deps: TrimDependencies, settings: TrimSettings): Promise<TrimReport> {
  return new TrimRun(deps, settings).run();
}

class TrimRun {
  private readonly repository: TrimmingRepository;
  private readonly memory: TrimMemory;
  private readonly mayContinue: MayContinue;
  private readonly report = {
    scopes: 0,
    raised: 0,
    waiting: 0,
    deletedEntries: 0,
    deletedReceipts: 0,
    deletedTombstones: 0,
  };
  private readonly tombstones: TombstoneRemoval | undefined;

  constructor(
    private readonly deps: TrimDependencies,
    private readonly settings: TrimSettings,
  ) {
    this.repository = new TrimmingRepository(deps.oplog);
    this.memory = deps.memory ?? new TrimMemory();
    this.mayContinue = deps.mayContinue ?? (() => Promise.resolve(true));
    const { oplog, stores = [], metrics } = deps;
    const { memory, mayContinue } = this;
    const removed = (count: number): void => {
      this.report.deletedTombstones += count;
      metrics?.tombstonesRemoved(count);
    };
    const ttlMs = settings.tombstoneTtlDays * DAY_MS;
    if (ttlMs > 0 && stores.length > 0)
      this.tombstones = new TombstoneRemoval({ oplog, stores, ttlMs, memory, mayContinue, removed });
  }

  async run(): Promise<TrimReport> {
    const now = await this.repository.now();
    let finished = true;
    for await (const head of this.repository.heads()) {
      this.report.scopes++;
      finished = !this.mayHaveWork(head, now) || (await this.trimScope(head, now));
      if (finished && this.tombstones) finished = await this.tombstones.removeFrom(head, now);
      if (!finished) break;
    }
    if (finished) finished = await this.expireReceipts(now);
    return { ...this.report, moreTombstones: this.tombstones?.isFull ?? false, finished };
  }

  /** Whether the scope is worth a query. */
  private mayHaveWork(head: HeadRecord, now: number): boolean {
    const kept = head.seq - head.floorSeq;
    return (
      head.floorSeq > this.memory.clearedSeq(head._id) ||
      (this.settings.oplogTtlDays > 0 && kept > 0 && this.memory.mayHaveExpired(head._id, now)) ||
      kept > (this.settings.oplogMaxEntries ?? Infinity)
    );
  }

  /** @returns false when it was told to stop */
  private async trimScope(head: HeadRecord, startedAt: number): Promise<boolean> {
    let now = startedAt;
    let state: TrimState = {
      seq: head.seq,
      floorSeq: head.floorSeq,
      floorAt: head.floorAt?.getTime(),
      clearedSeq: this.memory.clearedSeq(head._id),
    };
    for (;;) {
      const deletion = planDeletion(state, now, this.settings.trimGraceMs);
      if (deletion.kind === 'wait') {
        this.report.waiting++;
        return this.mayContinue();
      }
      if (deletion.kind === 'delete') {
        if (!(await this.deleteEntries(head._id, deletion.upTo))) return false;
        state = { ...state, clearedSeq: deletion.upTo };
        // What this run itself raised and removed needs no second look.
        if (state.floorSeq !== head.floorSeq) return true;
      }
      const rules = await this.rules(head, now);
      if (!rules) return false;
      const raise = planRaise(state, rules);
      if (raise.kind !== 'raise') return this.mayContinue();
      const raisedAt = await this.repository.raise(head, raise.to);
      if (raisedAt === undefined) return this.mayContinue();
      this.report.raised++;
      now = Math.max(now, raisedAt);
      state = { ...state, floorSeq: raise.to, floorAt: raisedAt };
    }
  }

  /** @returns undefined when it was told to stop */
  private async rules(head: HeadRecord, now: number): Promise<TrimRules | undefined> {
    const { oplogTtlDays, oplogMaxEntries: maxEntries } = this.settings;
    if (oplogTtlDays === 0 || !this.memory.mayHaveExpired(head._id, now))
      return { oldestYoung: 'unlimited', maxEntries };
    const ttl = oplogTtlDays * DAY_MS;
    // What goes by count need not be asked for its age.
    const from = Math.max(head.floorSeq, head.seq - (maxEntries ?? Infinity));
    const oldest = await this.repository.oldestYoung(head, from, now - ttl, this.mayContinue);
    if (oldest === 'stopped') return undefined;
    this.memory.oldestExpires(head._id, oldest && oldest.at + ttl, now);
    return { oldestYoung: oldest?.seq ?? 'none', maxEntries };
  }

  private async deleteEntries(scope: string, upTo: number): Promise<boolean> {
    for await (const count of this.repository.deleteEntries(scope, upTo)) {
      this.report.deletedEntries += count;
      this.deps.metrics?.trimmed(count);
      if (!(await this.mayContinue())) return false;
    }
    this.memory.cleared(scope, upTo);
    return true;
  }

  /** Receipts outlive the log by `receiptTtlDays`: a log that is kept for ever keeps them for ever. */
  private async expireReceipts(now: number): Promise<boolean> {
    const { oplogTtlDays, receiptTtlDays } = this.settings;
    if (oplogTtlDays === 0) return true;
    for await (const count of this.repository.deleteReceipts(
      now - (oplogTtlDays + receiptTtlDays) * DAY_MS,
    )) {
      this.report.deletedReceipts += count;
      if (!(await this.mayContinue())) return false;
    }
    return true;
  }
}
