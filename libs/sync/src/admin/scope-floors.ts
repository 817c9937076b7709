import { Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { formatHlc, parseHlc, sendHlc, ZERO_HLC, ZERO_VERSION } from 'nest-offline-sync-protocol';
import { HlcService } from '../clock/hlc-service';
import { WallClock } from '../clock/wall-clock';
import { isDuplicateKey } from '../database/errors';
import { Turns, within } from '../database/waiting';
import { OplogRepository } from '../log/oplog';
import type { HeadRecord } from '../log/records';

const PAGE = 500;
/** At a time. */
const READS = 8;
const LIMIT_MS = 30_000;

/**
 * Raises the floors of scopes whose documents came or went without entries, so that every device loads them again: once,
 * when all is done. Until then the head itself notes what is under way, so that nothing is forgotten by a process that
 * is killed. Many scopes cost as many round trips as one.
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
   * @returns for each scope a version that everything written from now on is above
   */
  async mark(scopeIds: readonly string[], collection: string): Promise<Map<string, string>> {
    if (scopeIds.length === 0) return new Map();
    const unique = [...new Set(scopeIds)];
    const marks = unique.map((_id) => {
      const version = this.above(ZERO_VERSION);
      const first = { version, seq: 1, floor: version, floorSeq: 1 };
      const update = { $addToSet: { adopting: collection }, $setOnInsert: first };
      return { updateOne: { filter: { _id }, update, upsert: true } };
    });
    while (!(await this.unlessThere(marks)));
    const heads = await this.heads(unique);
    return new Map(heads.map(({ _id, version }) => [_id, version]));
  }

  /** The scopes that are marked, in pages. */
  marked(collection: string): AsyncGenerator<string[]> {
    return this.pages({ adopting: collection });
  }

  /** The scopes whose log does not begin at the first entry any more, in pages. */
  trimmed(): AsyncGenerator<string[]> {
    return this.pages({ floor: { $ne: ZERO_VERSION } });
  }

  /**
   * Moves heads and floors to versions that nobody has: every cursor that there is lies below. The log has no entry there,
   * so the next one tells those who listen that something is missing. It also helps a head that was lost, or that lies
   * below the newest entry: both are passed.
   */
  async raise(scopeIds: readonly string[]): Promise<void> {
    for (let left = scopeIds; left.length > 0;) {
      const heads = new Map((await this.heads(left)).map((head) => [head._id, head]));
      const turns = new Turns(READS);
      const newest = await Promise.all(left.map((scopeId) => turns.run(() => this.newestEntry(scopeId))));
      const floors = new Map<string, string>();
      const raises = left.flatMap((scopeId, at) => {
        const head = heads.get(scopeId);
        const { version = '', seq: last = 0 } = newest[at] ?? {};
        if (!head && last === 0) return [];
        const floor = this.above([head?.version ?? '', head?.floor ?? '', version].sort().at(-1) ?? '');
        const seq = Math.max(head?.seq ?? 0, last) + 1;
        floors.set(scopeId, floor);
        const first = { _id: scopeId, version: floor, seq, floor, floorSeq: seq };
        return head ? { updateOne: raised(head, floor, seq) } : { insertOne: { document: first } };
      });
      if (raises.length === 0) return;
      await this.unlessThere(raises);
      // Those that a push has moved, or made, in between are still below.
      const now = await this.heads([...floors.keys()]);
      left = now.filter(({ _id, floor }) => floor < (floors.get(_id) ?? '')).map(({ _id }) => _id);
    }
  }

  async unmark(scopeIds: readonly string[], collection: string): Promise<void> {
    await limited(() =>
      this.oplog.heads.updateMany({ _id: { $in: [...scopeIds] } }, [
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

  /** @returns false when a push has made one of the heads meanwhile */
  private async unlessThere(writes: mongo.AnyBulkWriteOperation<HeadRecord>[]): Promise<boolean> {
    try {
      await limited(() => this.oplog.heads.bulkWrite(writes, { ordered: false }));
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

  private heads(scopeIds: readonly string[]): Promise<HeadRecord[]> {
    return limited(() => this.oplog.heads.find({ _id: { $in: [...scopeIds] } }).toArray());
  }

  private async *pages(filter: mongo.Filter<HeadRecord>): AsyncGenerator<string[]> {
    for (let after: string | undefined; ;) {
      const page = await limited(() =>
        this.oplog.heads
          .find(after === undefined ? filter : { ...filter, _id: { $gt: after } }, {
            sort: { _id: 1 },
            limit: PAGE,
            projection: { _id: 1 },
          })
          .toArray(),
      );
      if (page.length > 0) yield page.map(({ _id }) => _id);
      after = page.at(-1)?._id;
      if (page.length < PAGE) return;
    }
  }

  private above(version: string): string {
    return formatHlc(sendHlc(parseHlc(version) ?? ZERO_HLC, this.wall.now(), this.hlc.nodeId));
  }
}

function raised(
  { _id, version, seq: fromSeq }: HeadRecord,
  floor: string,
  seq: number,
): mongo.UpdateOneModel<HeadRecord> {
  const next = { $literal: seq };
  const above = { $literal: floor };
  return {
    filter: { _id, seq: fromSeq, version },
    update: [{ $set: { version: above, seq: next, floor: above, floorSeq: next, floorAt: '$$NOW' } }],
  };
}

function limited<T>(work: () => Promise<T>): Promise<T> {
  return within(LIMIT_MS, work);
}
