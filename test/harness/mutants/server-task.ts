/** Signs the tokens of these servers only. */
export const SECRET = 'a secret of the broken builds that is long enough';

/** What a server process gets at its start, as JSON in SERVER_TASK. */
export interface ServerTask {
  /** With the database in its path. */
  readonly uri: string;
  /** Its connections' name at the database: fail points use it. */
  readonly appName: string;
  /** How far its wall clock is ahead. Milliseconds. */
  readonly clockMs: number;
  /** Options of SyncModule that are plain values. */
  readonly options: object;
}
