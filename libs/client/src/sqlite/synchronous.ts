import type { Rows, SqliteConnection } from './connection.ts';

/** What node:sqlite and better-sqlite3 have in common. */
export interface SynchronousDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SynchronousStatement;
  close(): unknown;
}
export interface SynchronousStatement {
  run(...values: (string | number)[]): unknown;
  all(...values: (string | number)[]): unknown[];
}

/** Statements are prepared once: there are few. */
export function synchronous(database: SynchronousDatabase): SqliteConnection {
  const statements = new Map<string, SynchronousStatement>();
  const prepared = (sql: string): SynchronousStatement => {
    const statement = statements.get(sql) ?? database.prepare(sql);
    statements.set(sql, statement);
    return statement;
  };
  return {
    exec: (sql) => database.exec(sql),
    run: (sql, values) => prepared(sql).run(...values),
    all: (sql, values) => prepared(sql).all(...values) as unknown as Rows,
    close: () => database.close(),
  };
}
