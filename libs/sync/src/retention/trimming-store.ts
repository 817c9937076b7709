import type { mongo } from 'mongoose';
import type { OplogRepository } from '../log/oplog';
import type { HeadRecord, ReceiptKey } from '../log/records';
import { within } from '../database/waiting';

/** Documents that one command deletes. */
const DELETE_BATCH = 1000;
/** Entries that one command walks over in its search for the oldest young one. */
const WALK = 50_000;
/** Of each command: one that hangs ends its run of the job, not all that come after. Milliseconds. */
const LIMIT_MS = 120_000;
const HEADS_PAGE = 500;
const BY_SEQ = { scope: 1, seq: 1 } as const;

/** Asked between two commands of a long job: false ends it there. Every state in between is a good one. */
export type MayContinue = () => Promise<boolean>;

/** The reads and writes of retention. Entries go oldest first, so that what is left is a suffix at each moment. */
export class TrimmingRepository {
  constructor(private readonly oplog: OplogRepository) {}

  /** The database's clock, milliseconds. */
  async now(): Promise<number> {
    const { localTime } = await limited(() => this.oplog.db.command({ hello: 1 }));
    return (localTime as Date).getTime();
  }

  /** The log's size as the storage engine has it: cheap, and right enough for a gauge. */
  oplogSize(): Promise<number> {
    return limited(() => this.oplog.entries.estimatedDocumentCount());
  }

  async *heads(): AsyncGenerator<HeadRecord> {
    let after: string | undefined;
    for (;;) {
      // Pages instead of a cursor: the work between two heads may outlast a cursor's time.
      const page = await limited(() =>
        this.oplog.heads
          .find(after === undefined ? {} : { _id: { $gt: after } }, {
            sort: { _id: 1 },
            limit: HEADS_PAGE,
          })
          .toArray(),
      );
      yield* page;
      after = page.at(-1)?._id;
      if (page.length < HEADS_PAGE) return;
    }
  }

  /**
   * The oldest entry above `fromSeq` that was written at `cutoff` or later. By seq, not by time: the clocks of two
   * processes may differ a little, and all that goes must be a prefix. Walks over the entries that are about to be
   * deleted and not one more.
   *
   * @returns undefined when all of them are older; `'stopped'` when it was told to stop
   */
  async oldestYoung(
    head: HeadRecord,
    fromSeq: number,
    cutoff: number,
    mayContinue: MayContinue,
  ): Promise<{ seq: number; at: number } | 'stopped' | undefined> {
    for (let from = fromSeq; from < head.seq; from += WALK) {
      const found = await limited(() =>
        this.oplog.entries.findOne(
          { scope: head._id, seq: { $gt: from, $lte: from + WALK }, at: { $gte: new Date(cutoff) } },
          { sort: { seq: 1 }, hint: BY_SEQ, projection: { seq: 1, at: 1 } },
        ),
      );
      if (found) return { seq: found.seq, at: found.at.getTime() };
      if (!(await mayContinue())) return 'stopped';
    }
    return undefined;
  }

  /**
   * Makes the entry of this seq the floor, unless another process has moved the floor meanwhile or the entry is gone.
   *
   * @returns the database's time of the raise, milliseconds
   */
  async raise(head: HeadRecord, toSeq: number): Promise<number | undefined> {
    const entry = await limited(() =>
      this.oplog.entries.findOne({ scope: head._id, seq: toSeq }, { projection: { version: 1 } }),
    );
    if (!entry) return undefined;
    const raised = await limited(() =>
      this.oplog.heads.findOneAndUpdate(
        { _id: head._id, floor: head.floor, floorSeq: head.floorSeq },
        [{ $set: { floor: { $literal: entry.version }, floorSeq: { $literal: toSeq }, floorAt: '$$NOW' } }],
        { returnDocument: 'after', projection: { floorAt: 1 } },
      ),
    );
    return raised?.floorAt?.getTime();
  }

  /** Deletes a scope's entries up to a seq, oldest first. Yields how many each command removed. */
  async *deleteEntries(scope: string, upTo: number): AsyncGenerator<number> {
    const below = { scope, seq: { $lte: upTo } };
    const first = await limited(() =>
      this.oplog.entries.findOne(below, {
        sort: { seq: 1 },
        projection: { seq: 1 },
      }),
    );
    if (!first) return;
    for (let from = first.seq; from <= upTo; from += DELETE_BATCH) {
      const to = Math.min(from + DELETE_BATCH - 1, upTo);
      const { deletedCount } = await limited(() =>
        this.oplog.entries.deleteMany({ scope, seq: { $gte: from, $lte: to } }, { hint: BY_SEQ }),
      );
      yield deletedCount;
    }
  }

  /** Deletes the receipts from before `cutoff`, oldest first. Yields how many each command removed. */
  async *deleteReceipts(cutoff: number): AsyncGenerator<number> {
    const old: mongo.Filter<{ _id: ReceiptKey; at: Date }> = { at: { $lt: new Date(cutoff) } };
    for (;;) {
      const ids = await limited(() =>
        this.oplog.receipts
          .find(old, { sort: { at: 1 }, projection: { _id: 1 }, limit: DELETE_BATCH })
          .toArray(),
      );
      if (ids.length === 0) return;
      const { deletedCount } = await limited(() =>
        this.oplog.receipts.deleteMany({ _id: { $in: ids.map(({ _id }) => _id) } }),
      );
      yield deletedCount;
      if (ids.length < DELETE_BATCH) return;
    }
  }
}

/** One command, which may not hang. */
export function limited<T>(command: () => Promise<T>): Promise<T> {
  return within(LIMIT_MS, command);
}
