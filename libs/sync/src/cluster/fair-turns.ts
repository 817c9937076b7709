import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { OplogRepository } from '../log/oplog';
import { within } from '../database/waiting';
import type { SyncSettings } from '../options/settings';
import { SYNC_SETTINGS } from '../options/tokens';

/** Whose turn it is to write a contended scope. Kept with the leases; dates are the server's. */
interface TurnRecord {
  readonly _id: string;
  readonly owner?: string;
  readonly until?: Date;
  /** Who comes next, and when it last asked. */
  readonly next?: string | null;
  readonly nextAt?: Date | null;
}

interface Contention {
  /** Until when the scope is taken for contended, and for how long the turn is ours. performance.now(). */
  until: number;
  sliceEnds: number;
}

/** How long one process writes before the next may. */
const SLICE_MS = 40;
/** A holder, or the next one, that is silent for this long has lost its place. */
const FORGOTTEN_MS = 1_000;
/** How long a scope counts as contended after a conflict, or after another process wanted the turn. */
const CONTENDED_MS = 3_000;
/** How often a process that waits for its turn asks. */
const ASK_MS = 8;

/**
 * Turns for scopes that several processes write at once. Optimistic transactions alone let the process with the
 * shortest one win again and again, until another's pushes run out of time. So after a conflict a process asks for the
 * scope's turn before it begins, keeps it for a slice of several transactions, and lets the next one in.
 *
 * A hint only: a process that gets no answer, or whose turn has run out, writes all the same. Order and atomicity rest
 * on the scope head alone (invariants 1, 2).
 */
@Injectable()
export class FairTurns {
  private readonly owner = randomUUID();
  private readonly turns: mongo.Collection<TurnRecord>;
  private readonly contended = new Map<string, Contention>();

  constructor(oplog: OplogRepository, @Inject(SYNC_SETTINGS) settings: SyncSettings) {
    this.turns = oplog.db.collection<TurnRecord>(settings.leasesCollection, {
      readPreference: 'primary',
      writeConcern: { w: 1 },
    });
  }

  /** Notes that another process writes this scope. */
  conflicted(scopeId: string): void {
    const known = this.contended.get(scopeId);
    this.contended.set(scopeId, {
      until: performance.now() + CONTENDED_MS,
      sliceEnds: known?.sliceEnds ?? 0,
    });
  }

  isContended(scopeId: string): boolean {
    const known = this.contended.get(scopeId);
    if (!known) return false;
    if (known.until > performance.now()) return true;
    this.contended.delete(scopeId);
    return false;
  }

  /**
   * Asks for the scope's turn.
   *
   * @returns 0 when it is ours, else after how many milliseconds to ask again
   */
  async take(scopeId: string): Promise<number> {
    const known = this.contended.get(scopeId);
    if (!known || known.sliceEnds > performance.now()) return 0;
    try {
      const record = await within(FORGOTTEN_MS, () =>
        this.turns.findOneAndUpdate({ _id: turnId(scopeId) }, takeTurn(this.owner), {
          upsert: true,
          returnDocument: 'after',
        }),
      );
      if (record?.owner !== this.owner) {
        this.conflicted(scopeId);
        return ASK_MS * (0.5 + Math.random());
      }
    } catch {
      // Without the hint the head decides alone.
    }
    known.sliceEnds = performance.now() + SLICE_MS;
    return 0;
  }

  /**
   * Called after a transaction: gives the turn to the next process when the slice is over or nothing waits here.
   *
   * @returns for how many milliseconds to leave the scope alone, so that the next one gets it
   */
  async pass(scopeId: string, moreWaits: boolean): Promise<number> {
    const known = this.contended.get(scopeId);
    if (!known || (moreWaits && known.sliceEnds > performance.now())) return 0;
    known.sliceEnds = 0;
    try {
      const record = await within(FORGOTTEN_MS, () =>
        this.turns.findOneAndUpdate(
          { _id: turnId(scopeId), owner: this.owner },
          { $unset: { owner: 1, until: 1 } },
          { returnDocument: 'after' },
        ),
      );
      if (!record?.next) return 0;
      this.conflicted(scopeId);
      return ASK_MS;
    } catch {
      return 0;
    }
  }
}

function turnId(scopeId: string): string {
  return `turn:${scopeId}`;
}

/** The turn is free for the next one, or for all when there is none; a process that does not get it becomes the next one, if it can. */
function takeTurn(owner: string): mongo.Document[] {
  const me = { $literal: owner };
  const recent = (field: string) => ({ $gt: [field, { $subtract: ['$$NOW', FORGOTTEN_MS] }] });
  const nextIsOther = { $and: [{ $ne: [{ $ifNull: ['$next', me] }, me] }, recent('$nextAt')] };
  const free = { $or: [{ $eq: ['$owner', me] }, { $lte: [{ $ifNull: ['$until', new Date(0)] }, '$$NOW'] }] };
  return [
    { $set: { mine: { $and: [free, { $not: nextIsOther }] }, other: nextIsOther } },
    {
      $set: {
        owner: { $cond: ['$mine', me, '$owner'] },
        until: { $cond: ['$mine', { $add: ['$$NOW', FORGOTTEN_MS] }, '$until'] },
        next: { $cond: ['$mine', null, { $cond: ['$other', '$next', me] }] },
        nextAt: { $cond: ['$mine', null, { $cond: ['$other', '$nextAt', '$$NOW'] }] },
      },
    },
    { $unset: ['mine', 'other'] },
  ];
}
