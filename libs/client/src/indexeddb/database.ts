import { StorageLostError } from '../errors.ts';
import type { Database, StorageEstimate, StoreName, Stores, TransactionMode } from '../storage.ts';
import { isDisconnected, storageError } from './failure.ts';
import { resultOf } from './requests.ts';
import { OBJECT_STORES, Scope } from './scope.ts';

/** Rises when object stores change. A later version of this package reads all earlier ones. */
const VERSION = 1;

/** A run of a body that failed because of its connection, so that it is worth another one. */
class Disconnected extends Error {
  constructor(
    readonly connection: IDBDatabase,
    readonly reason: unknown,
  ) {
    super();
  }
}

export class IndexedDbDatabase implements Database {
  private connection!: IDBDatabase;
  private reconnecting: Promise<void> | undefined;
  private loss: StorageLostError | undefined;
  private readonly listeners = new Set<(loss: StorageLostError) => void>();
  private readonly running = new Set<Promise<unknown>>();

  private constructor(
    readonly name: string,
    private readonly fullName: string,
  ) {}

  /** @param fullName the name among all databases of the origin */
  static async open(name: string, fullName: string): Promise<IndexedDbDatabase> {
    const database = new IndexedDbDatabase(name, fullName);
    try {
      database.connection = await database.connect(true);
    } catch (error) {
      throw storageError(error);
    }
    return database;
  }

  async transaction<S extends StoreName, T>(
    mode: TransactionMode,
    stores: readonly S[],
    body: (stores: Pick<Stores, S>) => Promise<T>,
  ): Promise<T> {
    const run = this.run(mode, stores, body);
    this.running.add(run);
    try {
      return await run;
    } finally {
      this.running.delete(run);
    }
  }

  async estimate(): Promise<StorageEstimate> {
    const manager = storageManager();
    const [{ usage, quota } = {}, persisted = false] = await Promise.all([
      manager?.estimate(),
      manager?.persisted(),
    ]);
    return { usage, quota, persisted };
  }

  async persist(): Promise<boolean> {
    return (await storageManager()?.persist()) ?? false;
  }

  onLost(listener: (loss: StorageLostError) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.listeners.clear();
    this.loss ??= new StorageLostError('it was closed');
    await Promise.allSettled(this.running);
    this.connection.close();
  }

  /** The browser's transaction is begun before this returns, for the order, unless a connection is awaited. */
  private async run<S extends StoreName, T>(
    mode: TransactionMode,
    stores: readonly S[],
    body: (stores: Pick<Stores, S>) => Promise<T>,
  ): Promise<T> {
    if (this.loss) throw this.loss;
    if (this.reconnecting) await this.reconnecting;
    try {
      return await this.attempt(mode, stores, body);
    } catch (error) {
      if (!(error instanceof Disconnected)) throw error;
      await this.reconnect(error.connection);
    }
    try {
      return await this.attempt(mode, stores, body);
    } catch (error) {
      throw error instanceof Disconnected ? storageError(error.reason) : error;
    }
  }

  private async attempt<S extends StoreName, T>(
    mode: TransactionMode,
    stores: readonly S[],
    body: (stores: Pick<Stores, S>) => Promise<T>,
  ): Promise<T> {
    const { connection } = this;
    const scope = begin(connection, mode, stores);
    try {
      const result = await body(scope.stores);
      await scope.commit();
      return result;
    } catch (error) {
      const reason = (await scope.abort()) ?? error;
      if (scope.isSpoiled && isDisconnected(reason)) throw new Disconnected(connection, reason);
      throw scope.isSpoiled ? storageError(reason) : error;
    }
  }

  private async connect(first: boolean): Promise<IDBDatabase> {
    const request = indexedDB.open(this.fullName, VERSION);
    request.onupgradeneeded = ({ oldVersion }) => {
      // It was there and is not: it must not come back empty.
      if (oldVersion === 0 && !first) return request.transaction?.abort();
      for (const names of Object.values(OBJECT_STORES))
        for (const name of names) request.result.createObjectStore(name);
    };
    const connection = await resultOf(request);
    connection.onversionchange = ({ newVersion }) => {
      connection.close();
      this.lose(newVersion === null ? 'it was removed' : 'a newer version of this app has opened it');
    };
    connection.onclose = () => void this.reconnect(connection).catch(() => undefined);
    return connection;
  }

  /** @param lost the connection that failed; nothing happens if another one is there already */
  private reconnect(lost: IDBDatabase): Promise<void> {
    if (this.loss) return Promise.reject(this.loss);
    if (this.connection !== lost) return Promise.resolve();
    lost.close();
    this.reconnecting ??= this.connect(false)
      .then(
        (connection) => {
          this.connection = connection;
          if (this.loss) connection.close();
        },
        (error: unknown) => {
          throw this.lose('its data was removed, or the browser gives no connection to it', error);
        },
      )
      .finally(() => (this.reconnecting = undefined));
    return this.reconnecting;
  }

  private lose(reason: string, cause?: unknown): StorageLostError {
    if (this.loss) return this.loss;
    this.loss = new StorageLostError(reason, cause);
    const listeners = [...this.listeners];
    this.listeners.clear();
    for (const listener of listeners) listener(this.loss);
    return this.loss;
  }
}

function begin<S extends StoreName>(
  connection: IDBDatabase,
  mode: TransactionMode,
  stores: readonly S[],
): Scope<S> {
  try {
    return new Scope(
      connection.transaction(
        stores.flatMap((name) => OBJECT_STORES[name]),
        mode === 'read' ? 'readonly' : 'readwrite',
        { durability: mode === 'durable' ? 'strict' : 'relaxed' },
      ),
      stores,
    );
  } catch (error) {
    throw isDisconnected(error) ? new Disconnected(connection, error) : storageError(error);
  }
}

function storageManager(): StorageManager | undefined {
  return (globalThis as { navigator?: { storage?: StorageManager } }).navigator?.storage;
}
