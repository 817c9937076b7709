import type { SqliteConnection } from './connection.ts';
import { synchronous, type SynchronousDatabase } from './synchronous.ts';

/** For Node 22.13 or later: `sqlite(() => nodeSqlite(new DatabaseSync('sync.db')))`. */
export function nodeSqlite(database: SynchronousDatabase): SqliteConnection {
  return synchronous(database);
}
