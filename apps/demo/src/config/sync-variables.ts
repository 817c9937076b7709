import type { SyncJwtOptions, SyncLimits, SyncModuleExtras, SyncOptions } from 'nest-offline-sync';

/** How the text of a variable is read. */
export type Kind = 'text' | 'list' | 'flag' | 'whole' | 'number';

type Scalar = string | number | boolean | readonly string[] | undefined;
/** The keys of `T` whose values a variable can hold; objects, classes and functions are left out. */
type ScalarKeys<T> = { [K in keyof Required<T>]: T[K] extends Scalar ? K & string : never }[keyof T];

/**
 * The demo has one Mongoose connection, the unnamed one, and injects SyncService in its feature modules; `jwt.secret`
 * comes from JWT_SECRET.
 */
type NotOffered = 'connectionName' | 'isGlobal' | 'jwt.secret';

/** Every option of SyncModule that is a plain value, by its dotted path. */
export type OptionPath = Exclude<
  | ScalarKeys<Omit<SyncOptions, 'collections'>>
  | `limits.${ScalarKeys<SyncLimits>}`
  | `jwt.${ScalarKeys<SyncJwtOptions>}`
  | ScalarKeys<SyncModuleExtras>,
  NotOffered
>;

export interface SyncVariable {
  readonly option: OptionPath;
  readonly kind: Kind;
  /** One line for `--help`. */
  readonly about: string;
}

/**
 * The module's options as environment variables. This table is all there is: values are checked by it, the options
 * are made from it, `--help` prints it.
 */
export const SYNC_VARIABLES = {
  SYNC_PREFIX: is('prefix', 'text', 'path of the HTTP routes (sync)'),
  SYNC_STREAM_PATH: is('streamPath', 'text', 'path of the WebSocket (/<prefix>/stream)'),
  SYNC_HTTP: is('http', 'flag', 'false: no push, pull and full routes'),
  SYNC_STREAM: is('stream', 'flag', 'false: no WebSocket'),

  SYNC_JWT_PUBLIC_KEY: is('jwt.publicKey', 'text', 'PEM key, instead of JWT_SECRET'),
  SYNC_JWT_JWKS_URI: is('jwt.jwksUri', 'text', 'URL of a key set, instead of JWT_SECRET'),
  SYNC_JWT_ALGORITHMS: is('jwt.algorithms', 'list', 'accepted algorithms (HS256, or RS256,ES256)'),
  SYNC_JWT_ISSUER: is('jwt.issuer', 'list', 'accepted issuers (any)'),
  SYNC_JWT_AUDIENCE: is('jwt.audience', 'list', 'accepted audiences (any)'),
  SYNC_JWT_CLOCK_TOLERANCE_SECONDS: is('jwt.clockToleranceSeconds', 'number', 'leeway for exp and nbf (0)'),
  SYNC_ACTOR_ID_FIELD: is('actorIdField', 'text', 'claim with the actor (user_id)'),
  SYNC_SCOPE_ID_FIELD: is('scopeIdField', 'text', 'claim with the scope (business_id in this demo)'),

  SYNC_BATCH_ATOMIC: is('batchAtomic', 'flag', 'one rejected change rolls its push back (true)'),
  SYNC_MAX_CHANGES: is('limits.maxChanges', 'whole', 'changes in one push (1000)'),
  SYNC_MAX_PUSH_BYTES: is('limits.maxPushBytes', 'whole', 'bytes of one push (8388608)'),
  SYNC_MAX_DOCUMENT_BYTES: is('limits.maxDocumentBytes', 'whole', 'bytes of one document (1048576)'),
  SYNC_MAX_DEPTH: is('limits.maxDepth', 'whole', 'nesting of one document (32)'),
  SYNC_MAX_SOCKET_MESSAGE_BYTES: is(
    'limits.maxSocketMessageBytes',
    'whole',
    'bytes of a client’s message (1048576)',
  ),
  SYNC_MAX_SCOPES: is('limits.maxScopes', 'whole', 'scopes that are listed for one identity (1000)'),
  SYNC_DEFAULT_PULL_LIMIT: is('defaultPullLimit', 'whole', 'rows of a pull that names no limit (500)'),
  SYNC_MAX_PULL_LIMIT: is('maxPullLimit', 'whole', 'maximum entries of a pull (1000)'),
  SYNC_DEFAULT_FULL_LIMIT: is('defaultFullLimit', 'whole', 'rows of a full page that names no limit (1000)'),
  SYNC_MAX_FULL_LIMIT: is('maxFullLimit', 'whole', 'maximum documents of a full resync page (10000)'),

  HLC_NODE_ID: is('hlcNodeId', 'text', 'node part of versions; workers add their number (derived)'),
  SYNC_MAX_DRIFT_MS: is('maxDriftMs', 'whole', 'how far ahead a client’s stamp may be (60000)'),

  SYNC_OPLOG_COLLECTION: is('oplogCollection', 'text', 'the log (sync_oplog)'),
  SYNC_HEADS_COLLECTION: is('headsCollection', 'text', 'a head for each scope (sync_heads)'),
  SYNC_RECEIPTS_COLLECTION: is('receiptsCollection', 'text', 'answers to retries (sync_receipts)'),
  SYNC_LEASES_COLLECTION: is('leasesCollection', 'text', 'who trims (sync_leases)'),
  SYNC_AUTO_INDEX: is('autoIndex', 'flag', 'make collections and indexes at start (true)'),
  SYNC_OPLOG_TTL_DAYS: is('oplogTtlDays', 'number', 'days that log entries are kept, 0 forever (30)'),
  SYNC_OPLOG_MAX_ENTRIES: is('oplogMaxEntries', 'whole', 'maximum log entries per scope (no limit)'),
  SYNC_RECEIPT_TTL_DAYS: is('receiptTtlDays', 'number', 'days that receipts outlive the log (30)'),
  SYNC_TRIM_INTERVAL_MS: is('trimIntervalMs', 'whole', 'how often the log is trimmed, 0 never (60000)'),
  SYNC_TRIM_GRACE_MS: is('trimGraceMs', 'whole', 'from raising a floor to deleting below it (600000)'),

  SYNC_METRICS_ENABLED: is('metricsEnabled', 'flag', 'prom-client series (true)'),
  SYNC_RETRY_DEADLINE_MS: is('retryDeadlineMs', 'whole', 'how long a push is retried before 503 (15000)'),
  SYNC_PREPARE_TIMEOUT_MS: is(
    'prepareTimeoutMs',
    'whole',
    'how long the code of the app may take for one push (30000)',
  ),
  SYNC_LANES: is('lanes', 'whole', 'transactions side by side in one process (4)'),
  SYNC_PING_INTERVAL_MS: is('pingIntervalMs', 'whole', 'socket ping (30000)'),
  SYNC_SUBSCRIBE_TIMEOUT_MS: is(
    'subscribeTimeoutMs',
    'whole',
    'time for the first subscribe message (10000)',
  ),
  SYNC_SOCKET_BUFFER_BYTES: is('socketBufferBytes', 'whole', 'bytes that may wait in one socket (1048576)'),
  SYNC_SHUTDOWN_TIMEOUT_MS: is('shutdownTimeoutMs', 'whole', 'how long shutdown waits for pushes (10000)'),
} as const satisfies Record<string, SyncVariable>;

export type SyncVariableName = keyof typeof SYNC_VARIABLES;

type Offered = (typeof SYNC_VARIABLES)[SyncVariableName]['option'];
/** Does not compile when the library has an option that the table lacks; the error names it. */
const _EVERY_OPTION_IS_OFFERED: Exclude<OptionPath, Offered> extends never
  ? true
  : Exclude<OptionPath, Offered> = true;

function is<const O extends OptionPath, const K extends Kind>(option: O, kind: K, about: string) {
  return { option, kind, about };
}
