import { StorageLostError } from '../errors.ts';
import type { Database, StorageEstimate, StoreName, Stores, TransactionMode } from '../storage.ts';
import type { SqliteFile } from './file.ts';
import { Scope } from './scope.ts';

export class SqliteDatabase implements Database {
  private loss: StorageLostError | undefined;
  private readonly listeners = new Set<(loss: StorageLostError) => void>();

  /** In the file. */
  private id = 0;

  private constructor(
    readonly name: string,
    private readonly file: SqliteFile,
  ) {}

  static async open(name: string, file: SqliteFile): Promise<SqliteDatabase> {
    const database = new SqliteDatabase(name, file);
    file.enter(database.onRemoved);
    try {
      database.id = await file.idOf(name);
    } catch (error) {
      await database.close();
      throw error;
    }
    return database;
  }

  async transaction<S extends StoreName, T>(
    mode: TransactionMode,
    stores: readonly S[],
    body: (stores: Pick<Stores, S>) => Promise<T>,
  ): Promise<T> {
    this.expectOpen();
    const scope = new Scope(this.file, `rows_${this.id}`, mode !== 'read');
    try {
      return await this.file.transaction(mode, async () => {
        const loss = await this.file.lossOf(this.id);
        if (loss !== undefined) throw this.lose(loss);
        const result = await body(scope.stores(stores));
        await scope.end();
        return result;
      });
    } finally {
      scope.isOver = true;
    }
  }

  async estimate(): Promise<StorageEstimate> {
    this.expectOpen();
    return { usage: await this.file.bytes(), persisted: true };
  }

  async persist(): Promise<boolean> {
    return true;
  }

  onLost(listener: (loss: StorageLostError) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.listeners.clear();
    this.loss ??= new StorageLostError('it was closed');
    await this.file.leave(this.onRemoved);
  }

  private readonly onRemoved = (id: number): void => {
    if (id === this.id) this.lose('it was removed');
  };

  private expectOpen(): void {
    if (this.loss) throw this.loss;
  }

  private lose(reason: string): StorageLostError {
    if (this.loss) return this.loss;
    this.loss = new StorageLostError(reason);
    const listeners = [...this.listeners];
    this.listeners.clear();
    for (const listener of listeners) listener(this.loss);
    return this.loss;
  }
}
