import type { mongo } from 'mongoose';
import { SYNC_FIELDS, type StoredDocument } from '../codec/stored-document';
import { TOMBSTONE_INDEX } from '../database/indexes';
import type { OplogRepository } from '../log/oplog';
import type { HeadRecord } from '../log/records';
import { removableUpTo, type TrimMemory } from './trim-plan';
import { limited, type MayContinue } from './trimming-store';

/** Tombstones that one command deletes. */
const BATCH = 1000;
/** Tombstones that one run removes; the next run goes on. */
const MOST = 100_000;

type Store = mongo.Collection<StoredDocument>;

export interface TombstoneDependencies {
  readonly oplog: OplogRepository;
  /** The synced collections, as the database has them. */
  readonly stores: readonly Store[];
  readonly ttlMs: number;
  readonly memory: TrimMemory;
  readonly mayContinue: MayContinue;
  /** Told how many each command removed. */
  readonly removed: (tombstones: number) => void;
}

/**
 * Removes the tombstones that every device has seen which need not load everything again, and that are old enough, in two
 * steps: the scope's head says up to which version they may be gone; then they go. So a planner that misses one knows that it
 * may have been there, at any moment and wherever a run was broken off.
 */
export class TombstoneRemoval {
  private room = MOST;

  constructor(private readonly deps: TombstoneDependencies) {}

  /** Whether it stopped at what one run may remove. */
  get isFull(): boolean {
    return this.room <= 0;
  }

  /** @returns false when it was told to stop */
  async removeFrom(head: HeadRecord, now: number): Promise<boolean> {
    const { memory, ttlMs, stores } = this.deps;
    const upTo = removableUpTo(head.floor, now - ttlMs);
    if (this.isFull || !memory.mayHaveTombstones(head._id, upTo)) return true;
    const [oldest] = await this.eachVersion(head._id, 1, undefined);
    if (oldest === undefined || oldest > upTo) {
      // One that is written from here on is above the head that was read before.
      memory.oldestTombstone(head._id, oldest ?? { above: head.version });
      return this.deps.mayContinue();
    }
    const newest = (await this.eachVersion(head._id, -1, upTo)).at(-1);
    if (newest === undefined || !(await this.raise(head._id, newest))) return this.deps.mayContinue();
    for (const store of stores) if (!(await this.removeUpTo(store, head._id, newest))) return false;
    return true;
  }

  /** The oldest or the newest version of each collection's tombstones, in order. */
  private async eachVersion(scope: string, order: 1 | -1, upTo: string | undefined): Promise<string[]> {
    const versions: string[] = [];
    for (const store of this.deps.stores) {
      const version = await versionAt(store, scope, upTo, order, 0);
      if (version !== undefined) versions.push(version);
    }
    return versions.sort();
  }

  /** @returns false when the head says otherwise by now: the database was replaced */
  private async raise(scope: string, version: string): Promise<boolean> {
    const { matchedCount } = await limited(() =>
      this.deps.oplog.heads.updateOne(
        { _id: scope, floor: { $gte: version } },
        { $max: { tombstoneFloor: version } },
      ),
    );
    return matchedCount === 1;
  }

  /**
   * Oldest first. Each is removed only if it is still the tombstone that was found: one that a push has brought back to
   * life meanwhile has a newer version and is none.
   */
  private async removeUpTo(store: Store, scope: string, version: string): Promise<boolean> {
    for (;;) {
      const last = await versionAt(store, scope, version, 1, BATCH - 1);
      const { deletedCount } = await limited(() =>
        store.deleteMany(tombstones(scope, last ?? version), BY_VERSION),
      );
      this.room -= deletedCount;
      if (deletedCount > 0) this.deps.removed(deletedCount);
      if (!(await this.deps.mayContinue())) return false;
      if (last === undefined || this.isFull) return true;
    }
  }
}

const BY_VERSION = { hint: { ...TOMBSTONE_INDEX.key }, collation: { locale: 'simple' } };

function tombstones(scope: string, upTo: string | undefined): mongo.Filter<StoredDocument> {
  return {
    [SYNC_FIELDS.scope]: scope,
    [SYNC_FIELDS.deleted]: true,
    [SYNC_FIELDS.version]: upTo === undefined ? { $gt: '' } : { $gt: '', $lte: upTo },
  };
}

/** The version of one tombstone, by the index alone: the oldest, the newest, or the one `skip` places on. */
async function versionAt(
  store: Store,
  scope: string,
  upTo: string | undefined,
  order: 1 | -1,
  skip: number,
): Promise<string | undefined> {
  const [row] = await limited(() =>
    store
      .find(tombstones(scope, upTo), {
        ...BY_VERSION,
        sort: { [SYNC_FIELDS.version]: order },
        projection: { _id: 0, [SYNC_FIELDS.version]: 1 },
        skip,
        limit: 1,
      })
      .toArray(),
  );
  return row?.[SYNC_FIELDS.version] as string | undefined;
}
