import type { Rows, SqliteConnection } from './connection.ts';

/** What is used of a connection of @capacitor-community/sqlite (6 or later). */
export interface CapacitorConnection {
  open(): Promise<void>;
  /** @param transaction whether the plugin puts a transaction of its own around it */
  execute(sql: string, transaction?: boolean): Promise<unknown>;
  run(sql: string, values?: (string | number)[], transaction?: boolean): Promise<unknown>;
  query(sql: string, values?: (string | number)[]): Promise<{ values?: unknown[] }>;
  close(): Promise<void>;
}

/**
 * For Capacitor. The plugin keeps connections by name, also closed ones:
 *
 *     const plugin = new SQLiteConnection(CapacitorSQLite);
 *     const storage = sqlite(async () =>
 *       capacitorSqlite(
 *         (await plugin.isConnection('sync', false)).result
 *           ? await plugin.retrieveConnection('sync', false)
 *           : await plugin.createConnection('sync', false, 'no-encryption', 1, false),
 *       ),
 *     );
 */
export async function capacitorSqlite(connection: CapacitorConnection): Promise<SqliteConnection> {
  await connection.open();
  return {
    exec: (sql) => connection.execute(sql, false),
    run: (sql, values) => connection.run(sql, [...values], false),
    all: async (sql, values) => ((await connection.query(sql, [...values])).values ?? []) as Rows,
    close: () => connection.close(),
  };
}
