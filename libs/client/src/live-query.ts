import type { DocId, JsonObject } from 'nest-offline-sync-protocol';
import { Value, type Observable } from './observable.ts';
import type { Replica } from './replica.ts';
import { sameJson } from './rules/fields.ts';
import { matches, sorted, type Query, type Row } from './rules/query.ts';
import type { Outcome } from './work.ts';

export interface LiveRows<T> {
  readonly rows: readonly Row<T>[];
  /** Everything that the server has was loaded once. False at the first start, while it loads. */
  readonly complete: boolean;
}

/** A query whose rows follow what the user sees. Begins with its first subscriber, and ends with its last. */
export class LiveQuery<T extends object> implements Observable<LiveRows<T>> {
  private readonly value = new Value<LiveRows<T>>({ rows: [], complete: false });
  private readonly found = new Map<DocId, Row<T>>();
  private isLoaded = false;
  private end: (() => void) | undefined;
  /** Looks come one after another, so that the last one wins. */
  private looking: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly replicas: Observable<Replica | undefined>,
    private readonly collection: string,
    private readonly query: Query<T>,
  ) {}

  get current(): LiveRows<T> {
    return this.value.current;
  }

  subscribe(listener: (value: LiveRows<T>) => void): () => void {
    const leave = this.value.subscribe(listener);
    this.end ??= this.begin();
    return () => {
      leave();
      if (this.value.isWatched) return;
      this.end?.();
      this.end = undefined;
    };
  }

  /** Follows the client through logins: another user, another database. */
  private begin(): () => void {
    let leave: (() => void) | undefined;
    const follow = (replica: Replica | undefined): void => {
      leave?.();
      this.found.clear();
      this.isLoaded = false;
      leave = replica?.onChange((outcome) => this.changed(replica, outcome));
      if (replica) this.look(() => this.load(replica));
      else this.value.set({ rows: [], complete: false });
    };
    const leaveClient = this.replicas.subscribe(follow);
    follow(this.replicas.current);
    return () => {
      leaveClient();
      leave?.();
    };
  }

  private changed(replica: Replica, { documents, isLoaded }: Outcome): void {
    const ids = documents.flatMap(([collection, id]) => (collection === this.collection ? [id] : []));
    if (ids.length > 0 || (isLoaded && !this.current.complete))
      this.look(async () => {
        const rows = await replica.look(this.collection, ids);
        if (!this.isLoaded) return;
        const before = ids.map((id) => this.found.get(id));
        ids.forEach((id, index) => this.take(id, rows[index] ?? null));
        const hasChanged = ids.some((id, index) => !sameJson(before[index], this.found.get(id)));
        if (hasChanged || (isLoaded && !this.current.complete)) this.emit(this.current.complete || isLoaded);
      });
  }

  private async load(replica: Replica): Promise<void> {
    const { rows, isComplete } = await replica.lookThrough(this.collection);
    if (this.replicas.current !== replica) return;
    this.found.clear();
    for (const [id, data] of rows) this.take(id, data);
    this.isLoaded = true;
    this.emit(isComplete);
  }

  private take(id: DocId, data: JsonObject | null): void {
    const row = data && ({ ...data, _id: id } as unknown as Row<T>);
    if (row && matches(this.query, row)) this.found.set(id, row);
    else this.found.delete(id);
  }

  private emit(complete: boolean): void {
    this.value.set({ rows: sorted(this.query, [...this.found.values()]), complete });
  }

  private look(body: () => Promise<void>): void {
    // A database that is gone says nothing more; the next one is followed.
    this.looking = this.looking.then(body).catch(() => undefined);
  }
}
