import type { OplogRepository } from '../log/oplog';
import type { HeadRecord } from '../log/records';
import type { SyncSettings } from '../options/settings';
import { databaseLayout } from '../database/layout';
import { Turns, within } from '../database/waiting';

/** A scope as its head and the ends of its log tell it. */
export interface ScopeStatus {
  readonly scope: string;
  readonly head: string;
  readonly seq: number;
  readonly floor: string;
  readonly floorSeq: number;
  /** Entries that a cursor can still begin at. */
  readonly entries: number;
  /** Entries below the floor that wait for their deletion. */
  readonly waiting: number;
}

/** How large a collection of the engine is. */
export interface CollectionStatus {
  readonly collection: string;
  /** Null when the database's user may not see it. */
  readonly documents: number | null;
  readonly bytes: number | null;
}

/** Which scopes, in the order of their ids. */
export interface ScopesWanted {
  /** Only this one. */
  readonly scope?: string | undefined;
  /** Those whose ids come after this one. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** Reads that one page has under way at a time. */
const READS = 8;
const LIMIT_MS = 30_000;

/** A page of scopes: two ends of the log are looked at for each, never the entries between them. */
export async function readScopes(
  oplog: OplogRepository,
  { scope, after, limit }: ScopesWanted,
): Promise<ScopeStatus[]> {
  const filter = scope !== undefined ? { _id: scope } : after !== undefined ? { _id: { $gt: after } } : {};
  const heads = await within(LIMIT_MS, (signal) =>
    oplog.heads.find(filter, { sort: { _id: 1 }, limit, signal }).toArray(),
  );
  const turns = new Turns(READS);
  return Promise.all(heads.map((head) => turns.run(() => scopeStatus(oplog, head))));
}

async function scopeStatus(oplog: OplogRepository, head: HeadRecord): Promise<ScopeStatus> {
  const { _id: scope, version, seq, floor, floorSeq } = head;
  const oldest = await within(LIMIT_MS, (signal) =>
    oplog.entries.findOne({ scope }, { sort: { seq: 1 }, projection: { seq: 1 }, signal }),
  );
  // Entries are a run without holes, so two ends tell how many there are.
  const waiting = oldest ? Math.max(0, floorSeq - oldest.seq + 1) : 0;
  return { scope, head: version, seq, floor, floorSeq, entries: seq - floorSeq, waiting };
}

/** The engine's own collections with their sizes, as the database keeps count of them. */
export async function readSizes(oplog: OplogRepository, settings: SyncSettings): Promise<CollectionStatus[]> {
  const sizes: CollectionStatus[] = [];
  for (const { name } of databaseLayout(settings, [])) {
    const stages = [{ $collStats: { storageStats: {} } }];
    // A sharded collection answers once a shard.
    const parts = await oplog.db
      .collection(name)
      .aggregate<{ storageStats: { count?: number; size?: number } }>(stages)
      .toArray()
      .catch(() => undefined);
    const sum = (field: 'count' | 'size') =>
      parts?.reduce((total, part) => total + (part.storageStats[field] ?? 0), 0) ?? null;
    sizes.push({ collection: name, documents: sum('count'), bytes: sum('size') });
  }
  return sizes;
}
