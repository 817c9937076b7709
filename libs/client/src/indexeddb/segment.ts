import { compareKeys } from '../ordered-map.ts';
import type { BaseRow } from '../storage.ts';

export type Id = BaseRow['id'];
/** Null: removed. */
export type Changes = ReadonlyMap<Id, BaseRow | null>;
export type Loose = readonly [id: Id, row: BaseRow | null];
/** Neighbours, in the order of ids. */
export interface Segment {
  readonly start: Id;
  readonly rows: readonly BaseRow[];
}

/** The rows of neighbouring segments, each replaced by the loose one if there is one. All are in the order of ids. */
export function* merged(
  segments: readonly Segment[],
  loose: readonly Loose[],
  after: Id | undefined,
): Generator<BaseRow> {
  let at = 0;
  for (const { rows } of segments)
    for (const row of rows) {
      if (after !== undefined && compareKeys(row.id, after) <= 0) continue;
      let next = loose[at];
      for (; next && compareKeys(next[0], row.id) < 0; next = loose[++at]) if (next[1]) yield next[1];
      if (next?.[0] !== row.id) yield row;
    }
  for (const [, row] of loose.slice(at)) if (row) yield row;
}

/** The ids of some rows that are in the same segment, or would be. */
export interface Span {
  readonly start: Id;
  /** Of the next segment. */
  readonly next: Id | undefined;
  readonly ids: readonly Id[];
  /** Once it was read. */
  segment?: Segment | undefined;
}

/** What is known of the places of some ids of a collection, until something is changed. */
export interface Place {
  readonly collection: string;
  readonly ids: ReadonlySet<Id>;
  readonly spans: readonly Span[];
  /** The loose rows between the first id and the last, if they were read. */
  readonly within: readonly Loose[] | undefined;
}

export function rangeOf(collection: string, { start, next }: Pick<Span, 'start' | 'next'>): IDBKeyRange {
  return IDBKeyRange.bound([collection, start], [collection, next ?? []], false, true);
}

export function sorted(ids: Iterable<Id>): Id[] {
  return [...ids].sort(compareKeys);
}
