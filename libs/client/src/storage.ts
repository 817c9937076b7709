import type { DocId, JsonObject } from 'nest-offline-sync-protocol';
import type { StorageLostError } from './errors.ts';

/**
 * What the client keeps on the device, and what a storage has to guarantee.
 *
 * A storage holds databases; the client has one for each replica (a scope of a server, as one actor sees it). A database has
 * five stores:
 *
 *   base      what the server said                     by collection and id
 *   view      what the user sees where that differs    by collection and id
 *   outbox    mutations that are not finished          by a number that rises with each local edit
 *   rejected  mutations that the server refused        by name
 *   meta      cursor, clock, ids                       by name
 *
 * THE CONTRACT. The suite in libs/client/src/testing checks it for any storage.
 *
 * 1. All or nothing. What a body wrote is there as a whole once the promise of its transaction has resolved, for every
 *    later transaction, in all tabs and processes. If the body throws or an operation fails, nothing of it is, and the
 *    promise rejects with that error. An operation that failed spoils the transaction, also if the body catches the error.
 * 2. Isolated. Transactions that name a store in common, one of them writing, take effect one after another, in the order in
 *    which they were begun (of one connection). A body sees what it has written itself, and nothing of others meanwhile.
 * 3. Ordered and durable. A later transaction never survives a crash without the earlier ones of the same database. After
 *    the promise of a `durable` one has resolved, it and everything before it survive the end of the process and, where the
 *    platform can do that, a power cut. A `write` survives the end of the process; a power cut may take the last ones.
 * 4. A body awaits the operations of its own transaction and nothing else: no timer, no network, no other transaction
 *    (IndexedDB ends a transaction as soon as nothing is asked of it). Operations may be begun without awaiting the one
 *    before; they take effect in the order of the calls.
 * 5. A body may be run again, when a connection was lost and the storage has opened another one. So it changes nothing but its
 *    stores, and says everything else by what it returns.
 * 6. Values are JSON: objects, arrays, strings (any UTF-16, also lone surrogates), finite numbers, booleans, null. A field that
 *    is undefined may come back missing. The order of fields is kept. Neither side ever changes a value that it gave or was given, so
 *    a storage may give the same object twice.
 * 7. Ids and keys. 1 and "1" are two documents. Numbers are safe integers, also negative ones, and come before strings;
 *    numbers rise; strings are ordered by UTF-16 code units or by code points, always in the same way. Collections and
 *    names are any text.
 * 8. Full. When the device has no room, the promise rejects with {@link StorageFullError}, and nothing of the transaction is
 *    there. Later ones are tried again; those that only remove have to work as far as the platform allows it.
 * 9. Lost. When the database cannot be used any more (removed, cleared by the user, upgraded by a newer version in another
 *    tab, connection gone for good) every transaction rejects with {@link StorageLostError}, and `onLost` is told once.
 *    After `close` it is the same, and nobody is told.
 */
export interface ClientStorage {
  /** For the status: `memory`, `indexeddb`, `sqlite`. */
  readonly kind: string;
  /** Other tabs of the browser see the same databases, so that they have to agree who sends and reads. */
  readonly isShared?: boolean;
  /**
   * Opens a database, or makes it. The same name opens the same one. Names are any text of up to 200 characters.
   *
   * @throws StorageOutdatedError when a newer version of this package wrote it; nothing was touched then
   */
  open(name: string): Promise<Database>;
  /** Removes a database and everything in it, open or not; no error if there is none. */
  remove(name: string): Promise<void>;
  /** The names of the databases that are there, in no order. Those of other users of the same storage too. */
  list(): Promise<readonly string[]>;
  /** Missing: a platform that does not clear databases by itself. */
  readonly marks?: Marks;
}

/**
 * Short texts in another place than the databases: when those are cleared, these may still tell that there was something.
 * Nothing relies on them, and no call throws.
 */
export interface Marks {
  get(name: string): string | null;
  /** @param text null: removes it */
  set(name: string, text: string | null): void;
}

export interface Stores {
  readonly base: BaseStore;
  readonly view: DocumentStore;
  readonly outbox: KeyedStore<number>;
  readonly rejected: KeyedStore<string>;
  readonly meta: KeyedStore<string>;
}
export type StoreName = keyof Stores;

/** `read` may not write. `durable` is a `write` that is on the disk when its promise resolves. */
export type TransactionMode = 'read' | 'write' | 'durable';

export interface Database {
  readonly name: string;
  /** @param stores all that the body uses; the others are not there */
  transaction<S extends StoreName, T>(
    mode: TransactionMode,
    stores: readonly S[],
    body: (stores: Pick<Stores, S>) => Promise<T>,
  ): Promise<T>;
  estimate(): Promise<StorageEstimate>;
  /** Asks the platform to keep the data when room is needed; true if it will. Called at the first edit of a user. */
  persist(): Promise<boolean>;
  /** Told once, as in 9. Returns what ends it. */
  onLost(listener: (loss: StorageLostError) => void): () => void;
  /** Waits for the transactions that were begun. */
  close(): Promise<void>;
}

export interface StorageEstimate {
  /** Bytes, of everything that shares the quota. */
  readonly usage?: number;
  readonly quota?: number;
  /** Whether the platform keeps the data when room is needed. */
  readonly persisted: boolean;
}

/** A document as the server has it, or had it. */
export interface BaseRow {
  readonly id: DocId;
  /** Null: stored before it was synced. */
  readonly version: string | null;
  /** Null: deleted. */
  readonly data: JsonObject | null;
  /** Which full load, counted from 1, found the row or was the last one before it. */
  readonly generation: number;
  /** Not from the server: the replica may write the collection and not read it. */
  readonly local?: true;
}

export interface ScanOptions {
  /** Begins behind this id, whether or not it is there. */
  readonly after?: DocId;
  /** At most so many rows, at least 1. */
  readonly limit?: number;
}

/** Documents of collections, in the order of ids inside a collection. */
export interface DocumentStore<Row extends object = object> {
  get(collection: string, id: DocId): Promise<Row | undefined>;
  put(collection: string, id: DocId, row: Row): Promise<void>;
  /** No error if there is none. */
  delete(collection: string, id: DocId): Promise<void>;
  scan(collection: string, options?: ScanOptions): Promise<readonly (readonly [id: DocId, row: Row])[]>;
  /** Removes all of a collection, or everything. */
  clear(collection?: string): Promise<void>;
}

/**
 * Many documents, written hundreds at a time and mostly read through: a storage may keep up to 200 neighbours in one record. So
 * the core never asks for one row where it can ask for many, and knows of no record.
 */
export interface BaseStore {
  /** In the order of the ids; undefined where there is no row. */
  get(collection: string, ids: readonly DocId[]): Promise<readonly (BaseRow | undefined)[]>;
  /** Replaces rows that are there. Of an id that is given twice the last row counts. */
  put(collection: string, rows: readonly BaseRow[]): Promise<void>;
  delete(collection: string, ids: readonly DocId[]): Promise<void>;
  scan(collection: string, options?: ScanOptions): Promise<readonly BaseRow[]>;
  /** Shows all rows of a collection in the order of ids, some hundreds or thousands at a time, and keeps none of them. */
  walk(collection: string, visit: (rows: readonly BaseRow[]) => void): Promise<void>;
  /** Removes all of a collection, or everything. */
  clear(collection?: string): Promise<void>;
}

export interface RangeOptions<Key> {
  /** At or above. */
  readonly from?: Key;
  /** At or below. */
  readonly to?: Key;
  readonly limit?: number;
  /** From the highest key down. */
  readonly reverse?: boolean;
}

/** Records by key, in the order of keys. */
export interface KeyedStore<Key extends string | number, Value extends object = object> {
  get(key: Key): Promise<Value | undefined>;
  put(key: Key, value: Value): Promise<void>;
  /** No error if there is none. */
  delete(key: Key): Promise<void>;
  range(options?: RangeOptions<Key>): Promise<readonly (readonly [key: Key, value: Value])[]>;
  clear(): Promise<void>;
}
