import { compareKeys } from '../ordered-map.ts';
import type { BaseRow, BaseStore, ScanOptions } from '../storage.ts';
import { idsOf, type ObjectStore, type Operate } from './records.ts';

type Id = BaseRow['id'];
/** Null: removed. */
type Changes = ReadonlyMap<Id, BaseRow | null>;
type Loose = readonly [id: Id, row: BaseRow | null];
/** Of neighbours, in the order of ids; the rows as JSON, so that reading one does not cost reading all. */
interface Segment {
  readonly start: Id;
  readonly ids: readonly Id[];
  readonly rows: readonly string[];
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
    private readonly segments: ObjectStore,
    private readonly loose: ObjectStore,
    private readonly operate: Operate,
  ) {}

  get(collection: string, ids: readonly Id[]): Promise<readonly (BaseRow | undefined)[]> {
    return this.inTurn(async () => {
      const wanted = sorted(new Set(ids));
      const [spans, loose] = await Promise.all([
        this.spans(collection, wanted),
        Promise.all(wanted.map((id) => this.loose.get([collection, id]) as Promise<Loose | undefined>)),
      ]);
      const found = new Map<Id, BaseRow | null>(loose.filter((entry) => entry !== undefined));
      await Promise.all(
        spans.map(async ({ start, ids: covered }) => {
          const missing = covered.filter((id) => !found.has(id));
          if (missing.length === 0) return;
          const segment = await this.segment(collection, start);
          const places = new Map(segment.ids.map((id, at) => [id, at]));
          for (const id of missing) {
            const row = segment.rows[places.get(id) ?? -1];
            if (row !== undefined) found.set(id, JSON.parse(row) as BaseRow);
          }
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
        if (collection === undefined) await store.clear();
        else await store.delete(idsOf(collection));
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
    const spans = await this.spans(collection, sorted(changes.keys()));
    const scattered = spans.filter(({ ids }) => ids.length < MANY);
    await Promise.all([
      ...spans.filter(({ ids }) => ids.length >= MANY).map((span) => this.rewrite(collection, span, changes)),
      ...scattered.flatMap(({ ids }) =>
        ids.map((id) => this.loose.put([id, changes.get(id) ?? null], [collection, id])),
      ),
    ]);
    // Where to look is left to chance, so that any place with many loose rows is found soon.
    const from = Math.floor(Math.random() * Math.max(1, scattered.length - LOOKS));
    await Promise.all(
      scattered.slice(from, from + LOOKS).map(async (span) => {
        const count = await this.loose.count(rangeOf(collection, span));
        if (count >= HALF) await this.rewrite(collection, span, new Map());
      }),
    );
  }

  /** Writes a segment with its loose rows and the changes in it; it becomes several when it grew too large. */
  private async rewrite(collection: string, span: Span, changes: Changes): Promise<void> {
    const range = rangeOf(collection, span);
    const [segment, loose] = await Promise.all([
      this.segment(collection, span.start),
      this.loose.getAll(range) as Promise<Loose[]>,
    ]);
    const rows = new Map(segment.ids.map((id, at) => [id, segment.rows[at] ?? '']));
    const newest = segment.ids.at(-1);
    let isAppended = true;
    const mine = span.ids.map((id): Loose => [id, changes.get(id) ?? null]);
    for (const [id, row] of changes.size > 0 ? [...loose, ...mine] : loose) {
      if (row) rows.set(id, JSON.stringify(row));
      else rows.delete(id);
      isAppended &&= newest === undefined || compareKeys(id, newest) > 0;
    }
    const ids = sorted(rows.keys());
    // What comes in order fills segments; else each has room for more.
    const size = isAppended ? MOST : Math.ceil(ids.length / Math.ceil(ids.length / MOST));
    const writes: Promise<unknown>[] = [this.loose.delete(range)];
    if (ids.length === 0) writes.push(this.segments.delete([collection, span.start]));
    for (let at = 0; at < ids.length; at += size) {
      const some = ids.slice(at, at + size);
      const start = at === 0 ? span.start : (some[0] as Id);
      const written: Segment = { start, ids: some, rows: some.map((id) => rows.get(id) ?? '') };
      writes.push(this.segments.put(written, [collection, start]));
    }
    await Promise.all(writes);
  }

  /** @param ids in order, each once */
  private async spans(collection: string, ids: readonly Id[]): Promise<Span[]> {
    const [first, last] = [ids[0], ids.at(-1)];
    if (first === undefined || last === undefined) return [];
    const [before, within, end] = await Promise.all([
      this.startOf(collection, first),
      this.startsWithin(collection, first, last),
      this.segments.getKey(idsOf(collection, last)) as Promise<[string, Id] | undefined>,
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
    const keys = (await this.segments.getAllKeys(range)) as [string, Id][];
    return keys.map(([, start]) => start);
  }

  /** Of the segment that has this id, or would have it. */
  private async startOf(collection: string, id: Id): Promise<Id> {
    const upTo = IDBKeyRange.bound([collection, -Infinity], [collection, id]);
    const cursor = await this.segments.openKeyCursor(upTo, 'prev');
    return (cursor?.key as [string, Id] | undefined)?.[1] ?? -Infinity;
  }

  private async segment(collection: string, start: Id): Promise<Segment> {
    const segment = (await this.segments.get([collection, start])) as Segment | undefined;
    return segment ?? { start, ids: [], rows: [] };
  }

  private async read(collection: string, { after, limit = Infinity }: ScanOptions): Promise<BaseRow[]> {
    const found: BaseRow[] = [];
    const stride = Math.min(STRIDE, 1 + Math.ceil(limit / HALF));
    let start = after === undefined ? -Infinity : await this.startOf(collection, after);
    for (let from = after; ; from = undefined) {
      const range = IDBKeyRange.bound([collection, start], [collection, []]);
      const segments = (await this.segments.getAll(range, stride + 1)) as Segment[];
      const next = segments.length > stride ? segments.pop()?.start : undefined;
      const window = IDBKeyRange.bound(
        [collection, from ?? start],
        [collection, next ?? []],
        from !== undefined,
        true,
      );
      const loose = (await this.loose.getAll(window)) as Loose[];
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
  for (const { ids, rows } of segments)
    for (const [place, id] of ids.entries()) {
      if (after !== undefined && compareKeys(id, after) <= 0) continue;
      let next = loose[at];
      for (; next && compareKeys(next[0], id) < 0; next = loose[++at]) if (next[1]) yield next[1];
      if (next?.[0] !== id) yield JSON.parse(rows[place] ?? '') as BaseRow;
    }
  for (const [, row] of loose.slice(at)) if (row) yield row;
}

/** The ids of some rows that are in the same segment, or would be. */
interface Span {
  readonly start: Id;
  /** Of the next segment. */
  readonly next: Id | undefined;
  readonly ids: readonly Id[];
}

function rangeOf(collection: string, { start, next }: Span): IDBKeyRange {
  return IDBKeyRange.bound([collection, start], [collection, next ?? []], false, true);
}

function sorted(ids: Iterable<Id>): Id[] {
  return [...ids].sort(compareKeys);
}
