import type { IDBPObjectStore } from 'idb';
import type { DocumentStore, KeyedStore, RangeOptions } from '../storage.ts';

export type ObjectStore = IDBPObjectStore<unknown, string[], string, 'readwrite'>;
/** Does an operation, and spoils the transaction if it fails. */
export type Operate = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Does not wait for a write: if it fails, so does the transaction, which waits for all of them. A round trip to the browser's
 * process for each would cost more than the write.
 */
export function sent(write: Promise<unknown>): void {
  write.catch(() => undefined);
}

/** A record holds its key too, so that a range is one request. */
type Pair<Key, Value> = readonly [key: Key, value: Value];
type Id = string | number;

/** Ids of a collection: arrays come behind all numbers and strings. */
export function idsOf(collection: string, after?: Id): IDBKeyRange {
  return IDBKeyRange.bound([collection, after ?? -Infinity], [collection, []], after !== undefined);
}

export function documents(store: ObjectStore, operate: Operate): DocumentStore {
  return {
    get: (collection, id) => operate(async () => valueOf(await store.get([collection, id]))),
    put: (collection, id, row) =>
      operate(async () => {
        sent(store.put([id, row], [collection, id]));
      }),
    delete: (collection, id) => operate(async () => sent(store.delete([collection, id]))),
    scan: (collection, { after, limit } = {}) =>
      operate(() => store.getAll(idsOf(collection, after), limit) as Promise<Pair<Id, object>[]>),
    clear: (collection) =>
      operate(async () => sent(collection === undefined ? store.clear() : store.delete(idsOf(collection)))),
  };
}

export function keyed<Key extends Id>(store: ObjectStore, operate: Operate): KeyedStore<Key> {
  return {
    get: (key) => operate(async () => valueOf(await store.get(key))),
    put: (key, value) =>
      operate(async () => {
        sent(store.put([key, value], key));
      }),
    delete: (key) => operate(async () => sent(store.delete(key))),
    range: (options = {}) => operate(() => range<Key>(store, options)),
    clear: () => operate(async () => sent(store.clear())),
  };
}

async function range<Key extends Id>(
  store: ObjectStore,
  { from, to, limit, reverse = false }: RangeOptions<Key>,
): Promise<Pair<Key, object>[]> {
  if (from !== undefined && to !== undefined && from > to) return [];
  const keys = from !== undefined || to !== undefined ? between(from, to) : undefined;
  if (!reverse) return store.getAll(keys, limit) as Promise<Pair<Key, object>[]>;
  if (limit === undefined) return ((await store.getAll(keys)) as Pair<Key, object>[]).reverse();
  const found: Pair<Key, object>[] = [];
  let cursor = await store.openCursor(keys, 'prev');
  while (cursor) {
    found.push(cursor.value as Pair<Key, object>);
    cursor = found.length < limit ? await cursor.continue() : null;
  }
  return found;
}

function between(from: Id | undefined, to: Id | undefined): IDBKeyRange {
  if (from === undefined) return IDBKeyRange.upperBound(to);
  return to === undefined ? IDBKeyRange.lowerBound(from) : IDBKeyRange.bound(from, to);
}

function valueOf(pair: unknown): object | undefined {
  return (pair as Pair<Id, object> | undefined)?.[1];
}
