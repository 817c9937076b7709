import { compareKeys } from '../ordered-map.ts';
import type { BaseRow, BaseStore, ScanOptions } from '../storage.ts';
import { idsOf, type Operate } from './records.ts';
import { resultOf } from './requests.ts';
import {
  merged,
  rangeOf,
  sorted,
  type Changes,
  type Id,
  type Loose,
  type Place,
  type Segment,
  type Span,
} from './segment.ts';

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
/** Segments that a walk reads and shows at a time: the page waits for so many rows. */
const STEP = 8;

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
  private known: Place | undefined;

  constructor(
    private readonly segments: IDBObjectStore,
    private readonly loose: IDBObjectStore,
    private readonly operate: Operate,
  ) {}

  get(collection: string, ids: readonly Id[]): Promise<readonly (BaseRow | undefined)[]> {
    return this.inTurn(async () => {
      const wanted = sorted(new Set(ids));
      const [{ spans, within }, few] = await Promise.all([
        this.place(collection, wanted),
        wanted.length < MANY ? this.looseOf(collection, wanted) : undefined,
      ]);
      const found = new Map<Id, BaseRow | null>(few ?? within ?? (await this.looseOf(collection, wanted)));
      await Promise.all(
        spans.map(async (span) => {
          const missing = new Set(span.ids.filter((id) => !found.has(id)));
          if (missing.size === 0) return;
          span.segment ??= await this.segment(collection, span.start);
          for (const row of span.segment.rows) if (missing.has(row.id)) found.set(row.id, row);
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

  walk(collection: string, visit: (rows: readonly BaseRow[]) => void): Promise<void> {
    return this.inTurn(async () => {
      const keys = (await resultOf(this.segments.getAllKeys(idsOf(collection)))) as [string, Id][];
      const starts = [-Infinity, ...keys.map(([, start]) => start).filter((start) => start !== -Infinity)];
      const next = (at: number) => {
        const some = this.window(collection, starts[at], starts[at + STEP]);
        some.catch(() => undefined);
        return some;
      };
      // The next rows are on their way while some are looked at.
      const coming = [next(0), next(STEP)];
      for (let at = 0; at < starts.length; at += STEP) {
        coming.push(next(at + 2 * STEP));
        const [segments, loose] = (await coming.shift()) ?? [[], []];
        visit([...merged(segments, loose, undefined)]);
      }
    });
  }

  clear(collection?: string): Promise<void> {
    return this.inTurn(async () => {
      this.known = undefined;
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
    const { spans, within } = await this.place(collection, ids);
    this.known = undefined;
    const between = IDBKeyRange.bound([collection, first], [collection, last]);
    const loose = within ?? (ids.length < MANY ? [] : await this.looseIn(between));
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

  private async looseOf(collection: string, ids: readonly Id[]): Promise<readonly Loose[]> {
    const each = await Promise.all(
      ids.map((id) => resultOf(this.loose.get([collection, id])) as Promise<Loose | undefined>),
    );
    return each.filter((entry) => entry !== undefined);
  }

  private looseIn(range: IDBKeyRange, limit?: number): Promise<Loose[]> {
    return resultOf(this.loose.getAll(range, limit)) as Promise<Loose[]>;
  }

  /**
   * Where ids are. What is written is mostly what was just read: its places are known then.
   *
   * @param ids in order, each once
   */
  private async place(collection: string, ids: readonly Id[]): Promise<Place> {
    const { known } = this;
    if (known?.collection === collection && ids.every((id) => known.ids.has(id))) {
      const some = new Set(ids);
      const spans = known.spans.map((span) => ({ ...span, ids: span.ids.filter((id) => some.has(id)) }));
      return { ...known, spans: spans.filter((span) => span.ids.length > 0) };
    }
    const [spans, within] = await Promise.all([
      this.spans(collection, ids),
      this.looseWithin(collection, ids),
    ]);
    return (this.known = { collection, ids: new Set(ids), spans, within });
  }

  /** All between the first id and the last; undefined if that are as many as the ids, or these are few. */
  private async looseWithin(collection: string, ids: readonly Id[]): Promise<readonly Loose[] | undefined> {
    if (ids.length < MANY) return undefined;
    const range = IDBKeyRange.bound([collection, ids[0]], [collection, ids.at(-1)]);
    const all = await this.looseIn(range, ids.length);
    return all.length < ids.length ? all : undefined;
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

  /** Segments that begin from `start` on and before `next`, and the loose rows there. */
  private async window(
    collection: string,
    start: Id | undefined,
    next: Id | undefined,
  ): Promise<readonly [readonly Segment[], readonly Loose[]]> {
    if (start === undefined) return [[], []];
    const range = rangeOf(collection, { start, next });
    return Promise.all([resultOf(this.segments.getAll(range)) as Promise<Segment[]>, this.looseIn(range)]);
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
