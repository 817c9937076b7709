import type { SqliteConnection } from './connection.ts';
import { synchronous, type SynchronousDatabase } from './synchronous.ts';

/** For Node and Electron: `sqlite(() => betterSqlite3(new Database('sync.db')))`. */
export function betterSqlite3(database: SynchronousDatabase): SqliteConnection {
  return synchronous(database);
}
