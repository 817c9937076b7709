/** What the benchmark passes to its server. */
export interface ServerEnvironment {
  readonly mongoUri: string;
  readonly database: string;
  readonly secret: string;
  readonly workers: number;
  readonly pingIntervalMs: number | undefined;
  /** A folder of pages that are served too, for clients in a browser. */
  readonly pages?: string | undefined;
  /** Notes that other code writes too are captured. */
  readonly capture?: boolean | undefined;
}

/** The same as environment variables. */
export function toVariables(environment: ServerEnvironment): NodeJS.ProcessEnv {
  const { mongoUri, database, secret, workers, pingIntervalMs, pages, capture } = environment;
  return {
    MONGODB_URI: mongoUri,
    MONGODB_DATABASE: database,
    JWT_SECRET: secret,
    WORKERS: String(workers),
    ...(pingIntervalMs === undefined ? {} : { PING_INTERVAL_MS: String(pingIntervalMs) }),
    ...(pages === undefined ? {} : { PAGES: pages }),
    ...(capture === true ? { CAPTURE: '1' } : {}),
  };
}

export function fromVariables(variables: NodeJS.ProcessEnv): ServerEnvironment {
  const {
    MONGODB_URI = '',
    MONGODB_DATABASE = '',
    JWT_SECRET = '',
    WORKERS,
    PING_INTERVAL_MS,
    PAGES,
    CAPTURE,
  } = variables;
  return {
    mongoUri: MONGODB_URI,
    database: MONGODB_DATABASE,
    secret: JWT_SECRET,
    workers: Number(WORKERS ?? 1),
    pingIntervalMs: PING_INTERVAL_MS === undefined ? undefined : Number(PING_INTERVAL_MS),
    pages: PAGES,
    capture: CAPTURE !== undefined,
  };
}
