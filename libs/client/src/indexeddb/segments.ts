import { compareKeys } from '../ordered-map.ts';
import type { BaseRow, BaseStore, ScanOptions } from '../storage.ts';
import { idsOf, type Operate } from './records.ts';
import { resultOf } from './requests.ts';

type Id = BaseRow['id'];
/** Null: removed. */
type Changes = ReadonlyMap<Id, BaseRow | null>;
type Loose = readonly [id: Id, row: BaseRow | null];
/** Neighbours, in the order of ids. */
interface Segment {
  readonly start: Id;
  readonly rows: readonly BaseRow[];
}

/** Rows of a segment. */
const MOST = 200;
/** From so many rows of a segment on that are changed at a time, it is written as a whole. */
const MANY = 16;
/** From so many loose rows on a segment takes them in. */
const HALF = MOST / 2;
/** So many segments are looked at after a change, whether they have too many loose rows. */
const LOOKS = 16;
/** Segments that a scan reads at a time. */
const STRIDE = 64;

/**
 * The base: hundreds of rows a record where they came together, which makes a first load ten times faster than a record a row,
 * and a record each where single rows changed, since writing 200 rows for one costs several times more than the row.
 *
 *   segments   [collection, start]   all rows from `start` up to the start of the next one; the first one starts below all ids
 *   loose      [collection, id]      a row that is newer than its segment, or removed from it
 *
 * Starts never move, so which segment a row belongs to is seen from the keys alone.
 */
export class SegmentedStore implements BaseStore {
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly segments: IDBObjectStore,
    private readonly loose: IDBObjectStore,
    private readonly operate: Operate,
  ) {}

  get(collection: string, ids: readonly Id[]): Promise<readonly (BaseRow | undefined)[]> {
    return this.inTurn(async () => {
      const wanted = sorted(new Set(ids));
      const [spans, loose] = await Promise.all([
        this.spans(collection, wanted),
        this.looseOf(collection, wanted),
      ]);
      const found = new Map<Id, BaseRow | null>(loose);
      await Promise.all(
        spans.map(async ({ start, ids: covered }) => {
          const missing = covered.filter((id) => !found.has(id));
          if (missing.length === 0) return;
          const wanted = new Set(missing);
          for (const row of (await this.segment(collection, start)).rows)
            if (wanted.has(row.id)) found.set(row.id, row);
        }),
      );
      return ids.map((id) => found.get(id) ?? undefined);
    });
  }

  put(collection: string, rows: readonly BaseRow[]): Promise<void> {
    return this.inTurn(() => this.change(collection, new Map(rows.map((row) => [row.id, row]))));
  }

  delete(collection: string, ids: readonly Id[]): Promise<void> {
    return this.inTurn(() => this.change(collection, new Map(ids.map((id) => [id, null]))));
  }

  scan(collection: string, options: ScanOptions = {}): Promise<readonly BaseRow[]> {
    return this.inTurn(() => this.read(collection, options));
  }

  clear(collection?: string): Promise<void> {
    return this.inTurn(async () => {
      for (const store of [this.segments, this.loose])
        if (collection === undefined) store.clear();
        else store.delete(idsOf(collection));
    });
  }

  /** An operation is more than one request: the next one waits. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.operate(() => {
      const run = this.last.then(work);
      this.last = run.catch(() => undefined);
      return run;
    });
  }

  private async change(collection: string, changes: Changes): Promise<void> {
    const ids = sorted(changes.keys());
    const [first, last] = [ids[0], ids.at(-1)];
    if (first === undefined || last === undefined) return;
    const [spans, loose] = await Promise.all([
      this.spans(collection, ids),
      ids.length < MANY ? [] : this.looseIn(IDBKeyRange.bound([collection, first], [collection, last])),
    ]);
    const scattered = spans.filter((span) => span.ids.length < MANY);
    for (const { ids: few } of scattered)
      for (const id of few) this.loose.put([id, changes.get(id) ?? null], [collection, id]);
    await Promise.all(
      spans
        .filter((span) => span.ids.length >= MANY)
        .map((span) => this.rewriteWith(collection, span, changes, loose)),
    );
    // Where to look is left to chance, so that any place with many loose rows is found soon.
    const from = Math.floor(Math.random() * Math.max(1, scattered.length - LOOKS));
    await Promise.all(
      scattered.slice(from, from + LOOKS).map(async (span) => {
        const range = rangeOf(collection, span);
        if ((await resultOf(this.loose.count(range))) < HALF) return;
        await this.rewrite(collection, span, await this.looseIn(range));
        this.loose.delete(range);
      }),
    );
  }

  /** @param loose all that are between the first change and the last one; others stay */
  private async rewriteWith(
    collection: string,
    span: Span,
    changes: Changes,
    loose: readonly Loose[],
  ): Promise<void> {
    const { start, ids } = span;
    const [low, high] = [ids[0] ?? start, ids.at(-1) ?? start];
    const within = loose.filter(([id]) => compareKeys(id, low) >= 0 && compareKeys(id, high) <= 0);
    const mine = ids.map((id): Loose => [id, changes.get(id) ?? null]);
    await this.rewrite(collection, span, [...within, ...mine]);
    if (within.length > 0) this.loose.delete(IDBKeyRange.bound([collection, low], [collection, high]));
  }

  /** Writes a segment with what is newer, later entries last; it becomes several when it grows too large. */
  private async rewrite(collection: string, span: Span, newer: readonly Loose[]): Promise<void> {
    const { start } = span;
    const { rows: old } = span.segment ?? (await this.segment(collection, start));
    const newest = old.at(-1)?.id;
    const isAppended =
      newest === undefined || newer.every(([id, row]) => row !== null && compareKeys(id, newest) > 0);
    // What comes in order leaves a segment alone that is full enough.
    const isLeft = isAppended && old.length >= HALF && old.length + newer.length > MOST;
    const all = new Map(isLeft ? [] : old.map((row) => [row.id, row]));
    for (const [id, row] of newer)
      if (row) all.set(id, row);
      else all.delete(id);
    const rows = sorted(all.keys()).map((id) => all.get(id) as BaseRow);
    if (rows.length === 0) this.segments.delete([collection, start]);
    const size = Math.ceil(rows.length / Math.ceil(rows.length / MOST));
    for (let at = 0; at < rows.length; at += size) {
      const some = rows.slice(at, at + size);
      const segment: Segment = { start: at === 0 && !isLeft ? start : (some[0]?.id ?? start), rows: some };
      this.segments.put(segment, [collection, segment.start]);
    }
  }

  /** @param ids in order. Others may be among the rows */
  private async looseOf(collection: string, ids: readonly Id[]): Promise<readonly Loose[]> {
    if (ids.length >= MANY) {
      const range = IDBKeyRange.bound([collection, ids[0]], [collection, ids.at(-1)]);
      const all = await this.looseIn(range, ids.length);
      if (all.length < ids.length) return all;
    }
    const each = await Promise.all(
      ids.map((id) => resultOf(this.loose.get([collection, id])) as Promise<Loose | undefined>),
    );
    return each.filter((entry) => entry !== undefined);
  }

  private looseIn(range: IDBKeyRange, limit?: number): Promise<Loose[]> {
    return resultOf(this.loose.getAll(range, limit)) as Promise<Loose[]>;
  }

  /** @param ids in order, each once */
  private async spans(collection: string, ids: readonly Id[]): Promise<Span[]> {
    const [first, last] = [ids[0], ids.at(-1)];
    if (first === undefined || last === undefined) return [];
    const atEnd = ids.length < MANY ? undefined : await this.spanAtEnd(collection, ids);
    if (atEnd) return [atEnd];
    const [before, within, end] = await Promise.all([
      this.startOf(collection, first),
      this.startsWithin(collection, first, last),
      resultOf(this.segments.getKey(idsOf(collection, last))) as Promise<[string, Id] | undefined>,
    ]);
    const starts = [before, ...within];
    let at = 0;
    return starts.flatMap((start, place) => {
      const next = starts[place + 1] ?? end?.[1];
      const from = at;
      while (at < ids.length && (next === undefined || compareKeys(ids[at] as Id, next) < 0)) at++;
      return at > from ? [{ start, next, ids: ids.slice(from, at) }] : [];
    });
  }

  /** Of those that begin behind `first`, up to `last`. */
  private async startsWithin(collection: string, first: Id, last: Id): Promise<Id[]> {
    if (first === last) return [];
    const range = IDBKeyRange.bound([collection, first], [collection, last], true);
    const keys = (await resultOf(this.segments.getAllKeys(range))) as [string, Id][];
    return keys.map(([, start]) => start);
  }

  /** Of the segment that has this id, or would have it. */
  private async startOf(collection: string, id: Id): Promise<Id> {
    const upTo = IDBKeyRange.bound([collection, -Infinity], [collection, id]);
    const cursor = await resultOf(this.segments.openKeyCursor(upTo, 'prev'));
    return (cursor?.key as [string, Id] | undefined)?.[1] ?? -Infinity;
  }

  /** Rows that come behind all others are the common case of many: one request finds their place. */
  private async spanAtEnd(collection: string, ids: readonly Id[]): Promise<Span | undefined> {
    const cursor = await resultOf(this.segments.openCursor(idsOf(collection), 'prev'));
    const segment = (cursor?.value ?? { start: -Infinity, rows: [] }) as Segment;
    const newest = segment.rows.at(-1)?.id;
    if (newest !== undefined && compareKeys(ids[0] as Id, newest) <= 0) return undefined;
    return { start: segment.start, next: undefined, ids, segment };
  }

  private async segment(collection: string, start: Id): Promise<Segment> {
    const segment = (await resultOf(this.segments.get([collection, start]))) as Segment | undefined;
    return segment ?? { start, rows: [] };
  }

  private async read(collection: string, { after, limit = Infinity }: ScanOptions): Promise<BaseRow[]> {
    const found: BaseRow[] = [];
    const stride = Math.min(STRIDE, 1 + Math.ceil(limit / HALF));
    let start = after === undefined ? -Infinity : await this.startOf(collection, after);
    for (let from = after; ; from = undefined) {
      const range = IDBKeyRange.bound([collection, start], [collection, []]);
      const segments = (await resultOf(this.segments.getAll(range, stride + 1))) as Segment[];
      const next = segments.length > stride ? segments.pop()?.start : undefined;
      const window = IDBKeyRange.bound(
        [collection, from ?? start],
        [collection, next ?? []],
        from !== undefined,
        true,
      );
      const loose = await this.looseIn(window);
      for (const row of merged(segments, loose, from)) {
        found.push(row);
        if (found.length >= limit) return found;
      }
      if (next === undefined) return found;
      start = next;
    }
  }
}

/** The rows of neighbouring segments, each replaced by the loose one if there is one. All are in the order of ids. */
function* merged(
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
interface Span {
  readonly start: Id;
  /** Of the next segment. */
  readonly next: Id | undefined;
  readonly ids: readonly Id[];
  /** If it was read along. */
  readonly segment?: Segment | undefined;
}

function rangeOf(collection: string, { start, next }: Span): IDBKeyRange {
  return IDBKeyRange.bound([collection, start], [collection, next ?? []], false, true);
}

function sorted(ids: Iterable<Id>): Id[] {
  return [...ids].sort(compareKeys);
}
