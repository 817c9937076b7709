import type { DocId } from 'nest-offline-sync-protocol';
import { StorageLostError } from './errors.ts';
import { OrderedMap } from './ordered-map.ts';
import type {
  BaseRow,
  BaseStore,
  ClientStorage,
  Database,
  DocumentStore,
  KeyedStore,
  RangeOptions,
  ScanOptions,
  StoreName,
  Stores,
  TransactionMode,
} from './storage.ts';

/**
 * Keeps everything in memory: for tests, for servers that render, and where nothing may stay on the device. A database is
 * there until it is removed or the storage object is gone, also after its connections were closed.
 */
export function memory(): ClientStorage {
  const databases = new Map<string, MemoryData>();
  return {
    kind: 'memory',
    open: async (name) => {
      const data = databases.get(name) ?? new MemoryData();
      databases.set(name, data);
      return new MemoryDatabase(name, data);
    },
    remove: async (name) => {
      const data = databases.get(name);
      databases.delete(name);
      data?.end(new StorageLostError('it was removed'));
    },
    list: async () => [...databases.keys()],
  };
}

type Documents<Row> = Map<string, OrderedMap<DocId, Row>>;
/** What takes a write back. */
type Undo = () => void;

/** What a database holds, its turns, and who uses it. */
class MemoryData {
  readonly base: Documents<BaseRow> = new Map();
  readonly view: Documents<object> = new Map();
  readonly outbox = new OrderedMap<number, object>();
  readonly rejected = new OrderedMap<string, object>();
  readonly meta = new OrderedMap<string, object>();
  readonly connections = new Set<MemoryDatabase>();
  private lastWrite: Promise<unknown> = Promise.resolve();
  private readonly reads = new Set<Promise<unknown>>();

  /** Reads share a turn; a write has one for itself. */
  turn<T>(writes: boolean, body: () => Promise<T>): Promise<T> {
    const before = writes ? Promise.all([this.lastWrite, ...this.reads]) : this.lastWrite;
    const run = before.then(body);
    const done: Promise<unknown> = run.then(
      () => this.reads.delete(done),
      () => this.reads.delete(done),
    );
    if (writes) this.lastWrite = done;
    else this.reads.add(done);
    return run;
  }

  end(loss: StorageLostError): void {
    for (const connection of [...this.connections]) connection.lose(loss);
  }
}

class MemoryDatabase implements Database {
  private loss: StorageLostError | undefined;
  private readonly listeners = new Set<(loss: StorageLostError) => void>();

  constructor(
    readonly name: string,
    private readonly data: MemoryData,
  ) {
    data.connections.add(this);
  }

  async transaction<S extends StoreName, T>(
    mode: TransactionMode,
    stores: readonly S[],
    body: (stores: Pick<Stores, S>) => Promise<T>,
  ): Promise<T> {
    this.expectOpen();
    return this.data.turn(mode !== 'read', async () => {
      this.expectOpen();
      const scope = new Scope(mode !== 'read');
      try {
        const result = await body(scope.stores(this.data, stores));
        scope.end();
        this.expectOpen();
        return result;
      } catch (error) {
        scope.undo();
        throw error;
      }
    });
  }

  private expectOpen(): void {
    if (this.loss) throw this.loss;
  }

  async estimate(): Promise<{ persisted: boolean }> {
    return { persisted: false };
  }

  async persist(): Promise<boolean> {
    return false;
  }

  onLost(listener: (loss: StorageLostError) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.listeners.clear();
    await this.data.turn(true, async () => this.lose(new StorageLostError('it was closed')));
  }

  lose(loss: StorageLostError): void {
    this.data.connections.delete(this);
    this.loss ??= loss;
    for (const listener of this.listeners) listener(this.loss);
    this.listeners.clear();
  }
}

/** One transaction: what it may do, what it has done, and whether it is still on. */
class Scope {
  private readonly undos: Undo[] = [];
  private isOver = false;
  private failure: Error | undefined;

  constructor(private readonly writes: boolean) {}

  stores<S extends StoreName>(data: MemoryData, names: readonly S[]): Pick<Stores, S> {
    const all: { readonly [N in StoreName]: () => Stores[N] } = {
      base: () => this.baseStore(data.base),
      view: () => this.documents(data.view),
      outbox: () => this.keyed(data.outbox),
      rejected: () => this.keyed(data.rejected),
      meta: () => this.keyed(data.meta),
    };
    return Object.fromEntries(names.map((name) => [name, all[name]()])) as Pick<Stores, S>;
  }

  end(): void {
    this.isOver = true;
    if (this.failure) throw this.failure;
  }

  undo(): void {
    this.isOver = true;
    for (const undo of this.undos.reverse()) undo();
  }

  private async read<T>(look: () => T): Promise<T> {
    if (this.isOver) throw new Error('The transaction is over: await its operations inside of the body.');
    return look();
  }

  private async write(change: () => void): Promise<void> {
    if (this.isOver) throw new Error('The transaction is over: await its operations inside of the body.');
    if (this.writes) return change();
    this.failure = new Error('A transaction that reads may not write: begin it with "write" or "durable".');
    throw this.failure;
  }

  private set<K extends DocId, V>(map: OrderedMap<K, V>, key: K, value: V | undefined): void {
    const before = map.get(key);
    this.undos.push(() => map.set(key, before));
    map.set(key, value);
  }

  private clear<Row>(documents: Documents<Row>, collection: string | undefined): void {
    for (const [name, map] of documents)
      if (collection === undefined || name === collection)
        for (const key of map.keys()) this.set(map, key, undefined);
  }

  private documents<Row extends object>(documents: Documents<Row>): DocumentStore<Row> {
    return {
      get: (collection, id) => this.read(() => documents.get(collection)?.get(id)),
      put: (collection, id, row) => this.write(() => this.set(mapOf(documents, collection), id, row)),
      delete: (collection, id) => this.write(() => this.set(mapOf(documents, collection), id, undefined)),
      scan: (collection, options) => this.read(() => scan(documents, collection, options)),
      clear: (collection) => this.write(() => this.clear(documents, collection)),
    };
  }

  private baseStore(documents: Documents<BaseRow>): BaseStore {
    return {
      get: (collection, ids) => this.read(() => ids.map((id) => documents.get(collection)?.get(id))),
      put: (collection, rows) =>
        this.write(() => {
          for (const row of rows) this.set(mapOf(documents, collection), row.id, row);
        }),
      delete: (collection, ids) =>
        this.write(() => {
          for (const id of ids) this.set(mapOf(documents, collection), id, undefined);
        }),
      scan: (collection, options) =>
        this.read(() => scan(documents, collection, options).map(([, row]) => row)),
      walk: (collection, visit) => this.read(() => visit(scan(documents, collection).map(([, row]) => row))),
      clear: (collection) => this.write(() => this.clear(documents, collection)),
    };
  }

  private keyed<K extends string | number>(map: OrderedMap<K, object>): KeyedStore<K> {
    return {
      get: (key) => this.read(() => map.get(key)),
      put: (key, value) => this.write(() => this.set(map, key, value)),
      delete: (key) => this.write(() => this.set(map, key, undefined)),
      range: (options: RangeOptions<K> = {}) => this.read(() => map.range(options)),
      clear: () =>
        this.write(() => {
          for (const key of map.keys()) this.set(map, key, undefined);
        }),
    };
  }
}

function mapOf<Row>(documents: Documents<Row>, collection: string): OrderedMap<DocId, Row> {
  const map = documents.get(collection) ?? new OrderedMap<DocId, Row>();
  documents.set(collection, map);
  return map;
}

function scan<Row>(
  documents: Documents<Row>,
  collection: string,
  { after, limit }: ScanOptions = {},
): (readonly [id: DocId, row: Row])[] {
  return documents.get(collection)?.range({ above: after, limit }) ?? [];
}
