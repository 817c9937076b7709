import type { Rows, SqliteConnection } from './connection.ts';

/** What is used of expo-sqlite (15 or later). */
export interface ExpoDatabase {
  execAsync(sql: string): Promise<void>;
  runAsync(sql: string, values: (string | number)[]): Promise<unknown>;
  getAllAsync(sql: string, values: (string | number)[]): Promise<unknown[]>;
  closeAsync(): Promise<void>;
}

/** For React Native with Expo: `sqlite(async () => expoSqlite(await openDatabaseAsync('sync.db', { useNewConnection: true })))`. */
export function expoSqlite(database: ExpoDatabase): SqliteConnection {
  return {
    exec: (sql) => database.execAsync(sql),
    run: (sql, values) => database.runAsync(sql, [...values]),
    all: (sql, values) => database.getAllAsync(sql, [...values]) as Promise<Rows>,
    close: () => database.closeAsync(),
  };
}
