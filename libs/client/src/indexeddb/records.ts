import type { DocumentStore, KeyedStore, RangeOptions } from '../storage.ts';
import { resultOf } from './requests.ts';

/**
 * Does an operation, and spoils the transaction if it fails. A write is begun and not waited for: if it fails, so does the transaction,
 * which waits for all of them. A round trip to the browser's process for each would cost more than the write.
 */
export type Operate = <T>(work: () => Promise<T>) => Promise<T>;

/** A record holds its key too, so that a range is one request. */
type Pair<Key, Value> = readonly [key: Key, value: Value];
type Id = string | number;

/** Ids of a collection: arrays come behind all numbers and strings. */
export function idsOf(collection: string, after?: Id): IDBKeyRange {
  return IDBKeyRange.bound([collection, after ?? -Infinity], [collection, []], after !== undefined);
}

export function documents(store: IDBObjectStore, operate: Operate): DocumentStore {
  return {
    get: (collection, id) => operate(async () => valueOf(await resultOf(store.get([collection, id])))),
    put: (collection, id, row) =>
      operate(async () => {
        store.put([id, row], [collection, id]);
      }),
    delete: (collection, id) =>
      operate(async () => {
        store.delete([collection, id]);
      }),
    scan: (collection, { after, limit } = {}) =>
      operate(() => resultOf(store.getAll(idsOf(collection, after), limit)) as Promise<Pair<Id, object>[]>),
    clear: (collection) =>
      operate(async () => {
        if (collection === undefined) store.clear();
        else store.delete(idsOf(collection));
      }),
  };
}

export function keyed<Key extends Id>(store: IDBObjectStore, operate: Operate): KeyedStore<Key> {
  return {
    get: (key) => operate(async () => valueOf(await resultOf(store.get(key)))),
    put: (key, value) =>
      operate(async () => {
        store.put([key, value], key);
      }),
    delete: (key) =>
      operate(async () => {
        store.delete(key);
      }),
    range: (options = {}) => operate(() => range<Key>(store, options)),
    clear: () =>
      operate(async () => {
        store.clear();
      }),
  };
}

async function range<Key extends Id>(
  store: IDBObjectStore,
  { from, to, limit, reverse = false }: RangeOptions<Key>,
): Promise<Pair<Key, object>[]> {
  if (from !== undefined && to !== undefined && from > to) return [];
  const keys = from !== undefined || to !== undefined ? between(from, to) : undefined;
  const all = (most?: number) => resultOf(store.getAll(keys, most)) as Promise<Pair<Key, object>[]>;
  if (!reverse) return all(limit);
  if (limit === undefined) return (await all()).reverse();
  const found: Pair<Key, object>[] = [];
  const request = store.openCursor(keys, 'prev');
  for (let cursor = await resultOf(request); cursor; cursor = await resultOf(request)) {
    found.push(cursor.value as Pair<Key, object>);
    if (found.length >= limit) break;
    cursor.continue();
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
