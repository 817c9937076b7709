import type { DocId } from 'nest-offline-sync-protocol';
import { Value, type Observable } from './observable.ts';
import { sameJson } from './rules/fields.ts';
import { matches, orderOf, type Query, type Row } from './rules/query.ts';
import type { RowChange, Table, Watcher } from './table.ts';

export interface LiveRows<T> {
  readonly rows: readonly Row<T>[];
  /** Everything that the server has was loaded once. False at the first start, while it loads. */
  readonly complete: boolean;
}

/** From more changes than this on, sorting once is cheaper than finding the place of each. */
const MANY = 64;

/** A query whose rows follow what the user sees. Begins with its first subscriber, and ends with its last. */
export class LiveQuery<T extends object> implements Observable<LiveRows<T>>, Watcher<T> {
  private readonly value = new Value<LiveRows<T>>({ rows: [], complete: false });
  private readonly inOrder: (a: Row<T>, b: Row<T>) => number;
  private readonly found = new Map<DocId, Row<T>>();
  /** Those of `found` in order. Never changed once it was given away. */
  private rows: readonly Row<T>[] = [];
  /** It holds the first rows alone, since an index can tell what comes behind them. */
  private hasMore = false;
  private isLoaded = false;
  /** Whose rows were given last. */
  private source: unknown;
  private end: (() => void) | undefined;

  constructor(
    private readonly table: Table<T>,
    readonly query: Query<T>,
  ) {
    this.inOrder = orderOf(query);
  }

  get current(): LiveRows<T> {
    return this.value.current;
  }

  subscribe(listener: (value: LiveRows<T>) => void): () => void {
    if (this.source !== this.table.source) this.gone();
    const leave = this.value.subscribe(listener);
    this.end ??= this.table.watch(this);
    return () => {
      leave();
      if (this.value.isWatched) return;
      this.end?.();
      this.end = undefined;
      this.forget();
    };
  }

  loaded(rows: readonly Row<T>[], isComplete: boolean, hasMore: boolean): void {
    this.forget();
    for (const row of rows) this.found.set(row._id, row);
    this.rows = rows;
    this.hasMore = hasMore;
    this.isLoaded = true;
    this.source = this.table.source;
    this.emit(isComplete);
  }

  changed(changes: readonly RowChange<T>[], isComplete: boolean): boolean {
    if (!this.isLoaded) return false;
    const out: Row<T>[] = [];
    const into: Row<T>[] = [];
    const last = this.rows.at(-1);
    for (const [id, row] of changes) {
      const before = this.found.get(id);
      let now = row && matches(this.query, row) ? row : undefined;
      if (before && now && sameJson(before, now)) continue;
      // Only an index knows what belongs behind the last row.
      if (now && this.hasMore && (!last || this.inOrder(now, last) > 0)) now = undefined;
      if (before) out.push(before);
      if (now) into.push(now);
      if (now) this.found.set(id, now);
      else this.found.delete(id);
    }
    if (out.length + into.length > 0) this.replace(out, into);
    const { limit = Infinity } = this.query;
    if (this.hasMore && this.rows.length < limit) return false;
    if (out.length + into.length > 0 || (isComplete && !this.current.complete)) this.emit(isComplete);
    return true;
  }

  gone(): void {
    this.forget();
    if (this.current.complete || this.current.rows.length > 0) this.emit(false);
  }

  everything(): Iterable<Row<T>> | undefined {
    const { where, filter, limit } = this.query;
    return this.isLoaded && !where && !filter && limit === undefined ? this.rows : undefined;
  }

  private forget(): void {
    this.found.clear();
    this.rows = [];
    this.isLoaded = this.hasMore = false;
  }

  private replace(out: readonly Row<T>[], into: readonly Row<T>[]): void {
    let rows: Row<T>[];
    if (out.length + into.length > MANY) {
      const gone = new Set(out);
      const kept = gone.size === 0 ? this.rows : this.rows.filter((row) => !gone.has(row));
      const come = [...into].sort(this.inOrder);
      const [last, first] = [kept.at(-1), come[0]];
      rows = [...kept, ...come];
      // Two parts that are in order are brought together in a walk. A load brings what comes behind all that is here.
      if (last && first && this.inOrder(last, first) > 0) rows.sort(this.inOrder);
    } else {
      rows = [...this.rows];
      for (const row of out) rows.splice(this.place(rows, row), 1);
      for (const row of into) rows.splice(this.place(rows, row), 0, row);
    }
    if (this.hasMore)
      for (const row of rows.splice(this.query.limit ?? rows.length)) this.found.delete(row._id);
    this.rows = rows;
  }

  /** Of a row that is there, or where it belongs. */
  private place(rows: readonly Row<T>[], row: Row<T>): number {
    let [low, high] = [0, rows.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.inOrder(rows[middle] as Row<T>, row) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private emit(complete: boolean): void {
    const { limit } = this.query;
    const isPart = limit !== undefined && this.rows.length > limit;
    this.value.set({ rows: isPart ? this.rows.slice(0, limit) : this.rows, complete });
  }
}
