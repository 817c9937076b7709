/** What a driver makes of an open database of SQLite. Its methods may answer at once or by a promise. */
export interface SqliteConnection {
  /** Runs a statement that has neither values nor rows. */
  exec(sql: string): unknown;
  /** Runs a statement without rows. */
  run(sql: string, values: SqliteValues): unknown;
  /** Gives the rows of a statement, by the names of columns. */
  all(sql: string, values: SqliteValues): Rows | Promise<Rows>;
  close(): unknown;
}

/** Text is well-formed and has no NUL; numbers are safe integers. */
export type SqliteValues = readonly (string | number)[];
export type Rows = readonly Readonly<Record<string, unknown>>[];

/** Opens the file, or makes it. Nobody else uses this connection; others to the same file are fine. */
export type OpenSqlite = () => SqliteConnection | Promise<SqliteConnection>;
