import type { ClientStorage } from '../storage.ts';
import type { OpenSqlite } from './connection.ts';
import { SqliteDatabase } from './database.ts';
import { SqliteFile } from './file.ts';

export type { OpenSqlite, Rows, SqliteConnection, SqliteValues } from './connection.ts';

/**
 * Keeps data in one file of SQLite (3.35 or later), for React Native, Capacitor, Electron and Node. The file is opened at first
 * use, and closed when no database in it is open. It has to be its own: nothing else belongs into it.
 *
 *     import Database from 'better-sqlite3';
 *     import { sqlite } from 'nest-offline-sync-client/sqlite';
 *     import { betterSqlite3 } from 'nest-offline-sync-client/sqlite/better-sqlite3';
 *     const storage = sqlite(() => betterSqlite3(new Database('sync.db')));
 *
 * As the app opens the file itself, so where it is, and whether it is encrypted, is the app's choice.
 */
export function sqlite(open: OpenSqlite): ClientStorage {
  const file = new SqliteFile(open);
  return {
    kind: 'sqlite',
    open: (name) => SqliteDatabase.open(name, file),
    remove: (name) => file.remove(name),
    list: () => file.list(),
  };
}
