import { Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { formatHlc, parseHlc, sendHlc, ZERO_HLC, ZERO_VERSION } from 'nest-offline-sync-protocol';
import { HlcService } from '../clock/hlc-service';
import { WallClock } from '../clock/wall-clock';
import { isDuplicateKey } from '../database/errors';
import { within } from '../database/waiting';
import { OplogRepository } from '../log/oplog';
import type { HeadRecord } from '../log/records';

const PAGE = 500;
const LIMIT_MS = 30_000;

/**
 * Raises the floors of scopes whose documents came or went without entries, so that every device loads them again: once,
 * when all is done. Until then the head itself notes what is under way, so that nothing is forgotten by a process that
 * is killed.
 */
@Injectable()
export class ScopeFloors {
  constructor(
    private readonly oplog: OplogRepository,
    private readonly hlc: HlcService,
    private readonly wall: WallClock,
  ) {}

  /**
   * Notes that documents of the collection are about to come or go without entries.
   *
   * @returns a version of the scope that everything written from now on is above
   */
  async mark(scopeId: string, collection: string): Promise<string> {
    for (;;) {
      const head = await limited(() =>
        this.oplog.heads.findOneAndUpdate(
          { _id: scopeId },
          { $addToSet: { adopting: collection } },
          { returnDocument: 'after' },
        ),
      );
      if (head) return head.version;
      const version = this.above(ZERO_VERSION);
      const first = { _id: scopeId, version, seq: 1, floor: version, floorSeq: 1, adopting: [collection] };
      if (await this.insert(first)) return version;
    }
  }

  /** @returns false when a push has made the head meanwhile */
  private async insert(head: HeadRecord): Promise<boolean> {
    try {
      await limited(() => this.oplog.heads.insertOne(head));
      return true;
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      return false;
    }
  }

  private async newestEntry(scopeId: string): Promise<{ version: string; seq: number }> {
    const by = (field: 'version' | 'seq') =>
      limited(() =>
        this.oplog.entries.findOne(
          { scope: scopeId },
          { sort: { [field]: -1 }, projection: { _id: 0, version: 1, seq: 1 } },
        ),
      );
    const [version, seq] = [await by('version'), await by('seq')];
    return { version: version?.version ?? '', seq: seq?.seq ?? 0 };
  }

  /** The scopes that are marked, in pages. */
  async *marked(collection: string): AsyncGenerator<string> {
    for (let after: string | undefined; ;) {
      const filter: mongo.Filter<HeadRecord> = { adopting: collection };
      const page = await limited(() =>
        this.oplog.heads
          .find(after === undefined ? filter : { ...filter, _id: { $gt: after } }, {
            sort: { _id: 1 },
            limit: PAGE,
            projection: { _id: 1 },
          })
          .toArray(),
      );
      for (const { _id } of page) yield _id;
      after = page.at(-1)?._id;
      if (page.length < PAGE) return;
    }
  }

  /**
   * Moves head and floor to a version that nobody has: every cursor that there is lies below. The log has no entry there,
   * so the next one tells those who listen that something is missing. It also helps a head that was lost, or that lies
   * below the newest entry: both are passed.
   */
  async raise(scopeId: string): Promise<void> {
    for (;;) {
      const head = await limited(() => this.oplog.heads.findOne({ _id: scopeId }));
      const newest = await this.newestEntry(scopeId);
      if (!head && newest.seq === 0) return;
      const floor = this.above([head?.version ?? '', head?.floor ?? '', newest.version].sort().at(-1) ?? '');
      const seq = Math.max(head?.seq ?? 0, newest.seq) + 1;
      if (!head) {
        if (await this.insert({ _id: scopeId, version: floor, seq, floor, floorSeq: seq })) return;
        continue;
      }
      const raised = await limited(() =>
        this.oplog.heads.updateOne({ _id: scopeId, seq: head.seq, version: head.version }, [
          {
            $set: {
              version: { $literal: floor },
              seq: { $literal: seq },
              floor: { $literal: floor },
              floorSeq: { $literal: seq },
              floorAt: '$$NOW',
            },
          },
        ]),
      );
      if (raised.matchedCount === 1) return;
    }
  }

  async unmark(scopeId: string, collection: string): Promise<void> {
    await limited(() =>
      this.oplog.heads.updateOne({ _id: scopeId }, [
        {
          $set: {
            adopting: {
              $filter: { input: '$adopting', cond: { $ne: ['$$this', { $literal: collection }] } },
            },
          },
        },
        { $set: { adopting: { $cond: [{ $eq: ['$adopting', []] }, '$$REMOVE', '$adopting'] } } },
      ]),
    );
  }

  private above(version: string): string {
    return formatHlc(sendHlc(parseHlc(version) ?? ZERO_HLC, this.wall.now(), this.hlc.nodeId));
  }
}

function limited<T>(work: () => Promise<T>): Promise<T> {
  return within(LIMIT_MS, work);
}
