import { StorageOutdatedError } from '../errors.ts';
import type { OpenSqlite, Rows, SqliteConnection, SqliteValues } from './connection.ts';
import { isBusy, storageError } from './failure.ts';

/** All runtimes with SQLite have it. */
declare function setTimeout(work: () => void, ms: number): unknown;

/** Rises when the tables change. A later version of this package reads all earlier ones. */
const VERSION = 1;
/** How often a lock of another process is asked for, about 20 ms apart: half a minute. */
const MOST_TRIES = 1500;

/** A transaction of SQLite: `read` takes no lock, and sees the state at its beginning. */
export type Kind = 'read' | 'write' | 'durable';

/**
 * The file and its one connection.
 *
 *   databases   id, name (as JSON)                    ids are never given twice
 *   rows_<id>   place (store and collection), id, value (as JSON)
 *
 * The databases share a file, since not every driver can list or remove files. A removed one is gone from the file, and a
 * connection that has it open finds no entry with its id at the next transaction, in other processes too.
 */
export class SqliteFile {
  private connection: SqliteConnection | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private synchronous = '';
  private users = 0;
  private readonly watchers = new Set<(id: number) => void>();

  constructor(private readonly open: OpenSqlite) {}

  /** Keeps the connection until it leaves again. @param onRemoved told of databases that were removed through this object */
  enter(onRemoved: (id: number) => void): void {
    this.users++;
    this.watchers.add(onRemoved);
  }

  /** Resolves when what was begun before has ended. */
  leave(onRemoved: (id: number) => void): Promise<void> {
    const end = this.last.then(async () => {
      if (this.watchers.delete(onRemoved)) this.users--;
      if (this.users === 0) await this.disconnect();
    });
    this.last = end.catch(() => undefined);
    return end;
  }

  /** The id of a database, which is made if it is not there. */
  async idOf(name: string): Promise<number> {
    return this.transaction('write', async () => {
      const found = await this.find(name);
      if (found !== undefined) return found;
      await this.run('INSERT INTO databases (name) VALUES (?)', [JSON.stringify(name)]);
      const id = (await this.find(name)) ?? 0;
      await this.exec(
        `CREATE TABLE rows_${id} (place TEXT NOT NULL, id NOT NULL, value TEXT NOT NULL, PRIMARY KEY (place, id))`,
      );
      return id;
    });
  }

  async remove(name: string): Promise<void> {
    const removed = await this.transaction('durable', async () => {
      const id = await this.find(name);
      if (id === undefined) return undefined;
      await this.run('DELETE FROM databases WHERE id = ?', [id]);
      await this.exec(`DROP TABLE rows_${id}`);
      return id;
    });
    if (removed === undefined) return;
    for (const watcher of this.watchers) watcher(removed);
    // Gives the room back, and leaves no copy in the log. Where others hold a lock, that is for the next time.
    await this.inTurn(async () => {
      await this.exec('PRAGMA incremental_vacuum');
      await this.all('PRAGMA wal_checkpoint(TRUNCATE)', []);
    }).catch(() => undefined);
  }

  async list(): Promise<string[]> {
    const rows = await this.transaction('read', () => this.all('SELECT name FROM databases', []));
    return rows.map(({ name }) => JSON.parse(String(name)) as string);
  }

  /** Why a database cannot be used any more: another process may have removed it, or be of a newer version. */
  async lossOf(id: number): Promise<string | undefined> {
    const [row] = await this.all(
      'SELECT user_version AS version FROM pragma_user_version, databases WHERE id = ?',
      [id],
    );
    if (!row) return 'it was removed';
    return Number(row.version) > VERSION ? 'a newer version of this app has opened it' : undefined;
  }

  async bytes(): Promise<number> {
    return this.inTurn(async () => {
      const [[pages], [size]] = [
        await this.all('PRAGMA page_count', []),
        await this.all('PRAGMA page_size', []),
      ];
      return Number(pages?.page_count) * Number(size?.page_size);
    });
  }

  /** One after another, so that each body has the connection for itself. */
  transaction<T>(kind: Kind, body: () => Promise<T>): Promise<T> {
    return this.inTurn(async () => {
      await named(() => this.begin(kind));
      try {
        const result = await body();
        await named(() => this.exec('COMMIT'));
        return result;
      } catch (error) {
        // SQLite has ended some by itself.
        await this.exec('ROLLBACK').catch(() => undefined);
        throw error;
      }
    });
  }

  async run(sql: string, values: SqliteValues): Promise<void> {
    await this.connection?.run(sql, values);
  }

  async all(sql: string, values: SqliteValues): Promise<Rows> {
    return (await this.connection?.all(sql, values)) ?? [];
  }

  private async exec(sql: string): Promise<void> {
    await this.connection?.exec(sql);
  }

  private async begin(kind: Kind): Promise<void> {
    if (kind !== 'read') {
      const synchronous = kind === 'durable' ? 'FULL' : 'NORMAL';
      if (this.synchronous !== synchronous) await this.exec(`PRAGMA synchronous = ${synchronous}`);
      this.synchronous = synchronous;
    }
    await patiently(async () => {
      await this.exec(kind === 'read' ? 'BEGIN' : 'BEGIN IMMEDIATE');
      try {
        // Reading fixes the state that the transaction sees.
        await this.all('SELECT 1 FROM databases LIMIT 1', []);
      } catch (error) {
        await this.exec('ROLLBACK').catch(() => undefined);
        throw error;
      }
    });
  }

  private async find(name: string): Promise<number | undefined> {
    const [row] = await this.all('SELECT id FROM databases WHERE name = ?', [JSON.stringify(name)]);
    return row && Number(row.id);
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.last.then(async () => {
      try {
        if (!this.connection) await this.connect();
        return await work();
      } finally {
        if (this.users === 0) await this.disconnect();
      }
    });
    this.last = run.catch(() => undefined);
    return run;
  }

  private async connect(): Promise<void> {
    try {
      this.connection = await this.open();
      this.synchronous = '';
      await patiently(() => this.prepare());
    } catch (error) {
      await this.disconnect();
      throw error instanceof StorageOutdatedError ? error : storageError(error);
    }
  }

  private async prepare(): Promise<void> {
    // A lock of another connection is awaited outside of SQLite: it may be one of this thread.
    await this.all('PRAGMA busy_timeout = 0', []);
    const [row] = await this.all('PRAGMA user_version', []);
    const version = Number(row?.user_version);
    if (version > VERSION) throw new StorageOutdatedError();
    // So that a removed database gives its room back; only an empty file takes it.
    await this.exec('PRAGMA auto_vacuum = INCREMENTAL');
    await this.all('PRAGMA journal_mode = WAL', []);
    // Apple's systems do not write through without it.
    await this.exec('PRAGMA fullfsync = 1');
    if (version === VERSION) return;
    await this.exec('BEGIN IMMEDIATE');
    await this.exec(
      'CREATE TABLE IF NOT EXISTS databases (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE)',
    );
    await this.exec(`PRAGMA user_version = ${VERSION}`);
    await this.exec('COMMIT');
  }

  private async disconnect(): Promise<void> {
    const { connection } = this;
    this.connection = undefined;
    await connection?.close();
  }
}

async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(error);
  }
}

/** Tries again while another connection has the lock. */
async function patiently(work: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++)
    try {
      return await work();
    } catch (error) {
      if (!isBusy(error) || tries >= MOST_TRIES) throw error;
      await new Promise<void>((resolve) => setTimeout(resolve, 10 + 20 * Math.random()));
    }
}
