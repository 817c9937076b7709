import type { SqliteConnection } from './connection.ts';

/** What is used of @op-engineering/op-sqlite (9 or later). */
export interface OpDatabase {
  execute(sql: string, values?: (string | number)[]): Promise<{ rows: Record<string, unknown>[] }>;
  close(): void;
}

/** For React Native: `sqlite(() => opSqlite(open({ name: 'sync.db' })))`. */
export function opSqlite(database: OpDatabase): SqliteConnection {
  return {
    exec: (sql) => database.execute(sql),
    run: (sql, values) => database.execute(sql, [...values]),
    all: async (sql, values) => (await database.execute(sql, [...values])).rows,
    close: () => database.close(),
  };
}
