import type { DocId, JsonObject } from 'nest-offline-sync-protocol';
import type { Observable } from './observable.ts';
import { OrderedIndex } from './ordered-index.ts';
import type { Replica } from './replica.ts';
import { planOf, type IndexPlan } from './rules/index-plan.ts';
import { matches, orderOf, type Query, type Row } from './rules/query.ts';
import type { Outcome } from './outcome.ts';

export type RowChange<T> = readonly [id: DocId, row: Row<T> | undefined];

/** What the table gives to a query that is followed. */
export interface Watcher<T extends object> {
  readonly query: Query<T>;
  /** @param hasMore there may be rows of the query behind these */
  loaded(rows: readonly Row<T>[], isComplete: boolean, hasMore: boolean): void;
  /** @returns false if the rows have to be looked for again */
  changed(changes: readonly RowChange<T>[], isComplete: boolean): boolean;
  /** Another user, another database; or none. */
  gone(): void;
  /** The rows, if they are all that the collection has. */
  everything(): Iterable<Row<T>> | undefined;
}

/** A query, and what was found. */
interface Search<T> {
  readonly query: Query<T>;
  readonly plan: IndexPlan | undefined;
  rows: Row<T>[];
  hasMore: boolean;
}

/**
 * What the queries of a collection share: a change is told to all of them at once, a walk through the storage serves all that wait for
 * one, and an index is in memory from the first query that it serves on. Documents are kept by those who watch them, and only there.
 */
export class Table<T extends object> {
  private readonly watchers = new Set<Watcher<T>>();
  private readonly waiting = new Set<Watcher<T>>();
  private readonly indexes = new Map<string, OrderedIndex>();
  private replica: Replica | undefined;
  private leave: (() => void) | undefined;
  private isComplete = false;
  /** What reads or changes comes one after another. */
  private steps: Promise<unknown> = Promise.resolve();
  /** Steps that read the storage and have not ended. */
  private reading = 0;

  constructor(
    private readonly replicas: Observable<Replica | undefined>,
    private readonly collection: string,
    private readonly declared: readonly (readonly string[])[],
  ) {}

  /** Whose rows these are. */
  get source(): unknown {
    return this.replicas.current;
  }

  watch(watcher: Watcher<T>): () => void {
    this.watchers.add(watcher);
    this.follow();
    this.load(watcher);
    return () => {
      this.watchers.delete(watcher);
      this.waiting.delete(watcher);
      if (this.watchers.size === 0 && this.indexes.size === 0) this.end();
    };
  }

  async find(replica: Replica, query: Query<T>): Promise<Row<T>[]> {
    const search = searchFor(query, this.declared);
    if (search.plan) {
      this.follow();
      await this.step(() => this.read(replica, [search]));
    } else await this.read(replica, [search]);
    return search.rows.slice(0, query.limit);
  }

  /** Follows the client through logins, from the first query that needs it on. */
  private follow(): void {
    if (this.leave) return;
    let leaveReplica: (() => void) | undefined;
    const turn = (replica: Replica | undefined): void => {
      if (replica === this.replica) return;
      leaveReplica?.();
      this.replica = replica;
      this.indexes.clear();
      this.waiting.clear();
      this.isComplete = false;
      leaveReplica = replica?.onChange((outcome) => this.told(replica, outcome));
      for (const watcher of this.watchers) {
        watcher.gone();
        this.load(watcher);
      }
    };
    const leaveClient = this.replicas.subscribe(turn);
    this.leave = () => {
      leaveClient();
      leaveReplica?.();
    };
    turn(this.replicas.current);
  }

  private end(): void {
    this.leave?.();
    this.leave = undefined;
    this.replica = undefined;
    this.isComplete = false;
  }

  private load(watcher: Watcher<T>): void {
    const { replica } = this;
    if (!replica || this.waiting.has(watcher)) return;
    this.waiting.add(watcher);
    if (this.waiting.size === 1) this.step(() => this.loadAll(replica)).catch(() => undefined);
  }

  private async loadAll(replica: Replica): Promise<void> {
    if (this.replica !== replica) return;
    const watchers = [...this.waiting];
    this.waiting.clear();
    const searches = watchers.map(({ query }) => searchFor(query, this.declared));
    // One that waits itself may have what was there before.
    const all = [...this.watchers]
      .find((each) => !watchers.includes(each) && each.everything())
      ?.everything();
    if (all) for (const search of searches) if (!search.plan) take(search, all);
    await this.read(replica, all ? searches.filter(({ plan }) => plan) : searches);
    if (this.replica !== replica) return;
    for (const [at, watcher] of watchers.entries()) {
      const { rows, hasMore } = searches[at] as Search<T>;
      if (this.watchers.has(watcher)) watcher.loaded(rows, this.isComplete, hasMore);
    }
  }

  private step(body: () => Promise<void>): Promise<void> {
    this.reading += 1;
    const run = this.steps.then(body).finally(() => (this.reading -= 1));
    this.steps = run.catch(() => undefined);
    return run;
  }

  private told(replica: Replica, { documents, shown, isLoaded, isAll }: Outcome): void {
    if (isAll) {
      this.steps = this.steps.then(() => this.indexes.clear());
      for (const watcher of this.watchers) this.load(watcher);
      return;
    }
    const changes = documents.flatMap(([collection, id], at) =>
      collection === this.collection ? [[id, shown?.[at] ?? null] as const] : [],
    );
    if (changes.length === 0 && (!isLoaded || this.isComplete)) return;
    const take = (now: typeof changes): void => {
      if (this.replica === replica) this.take(now, isLoaded);
    };
    // What a read has begun to see may be newer than what was told before it.
    if (shown && this.reading === 0) this.steps = this.steps.then(() => take(changes)).catch(() => undefined);
    else
      this.step(async () => {
        const ids = changes.map(([id]) => id);
        const data = await replica.look(this.collection, ids);
        take(ids.map((id, at) => [id, data[at] ?? null]));
      }).catch(() => undefined);
  }

  private take(changes: readonly (readonly [DocId, JsonObject | null])[], isLoaded: boolean): void {
    this.isComplete ||= isLoaded;
    for (const index of this.indexes.values()) index.update(changes);
    const rows = changes.map(([id, data]) => [id, data ? rowOf<T>(id, data) : undefined] as const);
    for (const watcher of this.watchers)
      if (!this.waiting.has(watcher) && !watcher.changed(rows, this.isComplete)) this.load(watcher);
  }

  /** Looks for the rows of queries. A plan is served by its index, which is built with the same walk that serves those without one. */
  private async read(replica: Replica, searches: readonly Search<T>[]): Promise<void> {
    const fresh = new Map<string, OrderedIndex>();
    for (const { plan } of searches)
      if (plan && !this.indexes.has(nameOf(plan))) fresh.set(nameOf(plan), new OrderedIndex(plan.fields));
    const rest = searches.filter(({ plan }) => !plan);
    if (fresh.size > 0 || rest.length > 0) await this.walk(replica, fresh, rest);
    for (const search of searches) {
      const index = search.plan && this.indexes.get(nameOf(search.plan));
      if (index) await this.look(replica, search, index);
    }
  }

  private async walk(
    replica: Replica,
    fresh: Map<string, OrderedIndex>,
    searches: readonly Search<T>[],
  ): Promise<void> {
    const isComplete = await replica.walk(this.collection, () => {
      for (const index of fresh.values()) index.clear();
      for (const search of searches) search.rows = [];
      return (id, data) => {
        for (const index of fresh.values()) index.add(id, data);
        const row = searches.length > 0 ? rowOf<T>(id, data) : undefined;
        for (const { query, rows } of searches) if (row && matches(query, row)) rows.push(row);
      };
    });
    for (const { query, rows } of searches) rows.sort(orderOf(query));
    if (this.replica !== replica) return;
    this.isComplete ||= isComplete;
    for (const [name, index] of fresh) {
      index.sort();
      this.indexes.set(name, index);
    }
  }

  private async look(replica: Replica, search: Search<T>, index: OrderedIndex): Promise<void> {
    const { plan, query } = search;
    const most = (plan?.order && query.limit) ?? Infinity;
    const ids = index.ids(plan as IndexPlan);
    let size = Math.min(BATCH, most);
    for (let isOver = false; !isOver && search.rows.length < most; size = Math.min(BATCH, 2 * size)) {
      const batch: DocId[] = [];
      while (batch.length < size) {
        const next = ids.next();
        if ((isOver = next.done === true)) break;
        batch.push(next.value);
      }
      const data = await replica.look(this.collection, batch);
      const newer = batch.flatMap((id, at) =>
        data[at] && !index.isCurrent(id, data[at]) ? [[id, data[at]] as const] : [],
      );
      if (newer.length > 0) {
        // Written since the index was told of anything: what it gives is not in order.
        index.update(newer);
        search.rows = [];
        return this.look(replica, search, index);
      }
      for (const [at, id] of batch.entries()) {
        const row = data[at] && rowOf<T>(id, data[at]);
        if (row && matches(query, row)) search.rows.push(row);
      }
    }
    if (plan?.order) search.hasMore = search.rows.length >= most;
    else search.rows.sort(orderOf(query));
    search.rows.splice(most);
  }
}

const BATCH = 1_000;

function searchFor<T extends object>(query: Query<T>, indexes: readonly (readonly string[])[]): Search<T> {
  return { query, plan: planOf(query, indexes), rows: [], hasMore: false };
}

/** From rows that are in memory, without a walk. */
function take<T extends object>({ query, rows }: Search<T>, all: Iterable<Row<T>>): void {
  for (const row of all) if (matches(query, row)) rows.push(row);
  rows.sort(orderOf(query));
}

function nameOf({ fields }: IndexPlan): string {
  return JSON.stringify(fields);
}

export function rowOf<T extends object>(id: DocId, data: JsonObject): Row<T> {
  return { ...data, _id: id } as unknown as Row<T>;
}
