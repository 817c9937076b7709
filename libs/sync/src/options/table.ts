/* eslint-disable max-lines -- a table: one row for each option */
import { DEFAULT_MAX_DRIFT_MS } from 'nest-offline-sync-protocol';
import type {
  SyncCollectionOptions,
  SyncJwtOptions,
  SyncLimits,
  SyncModuleExtras,
  SyncOptions,
} from './sync.options';

/**
 * What an option may be: `flag` true or false; `whole` and `number` within bounds; `name` of a collection; `path` of
 * URL segments; `nodeId` of versions; `choice` of some words; `text` and `list` of texts, which their readers check; `code`: a function, a class,
 * an object or a mixture, which no variable of the environment can hold.
 */
export type OptionKind =
  'flag' | 'whole' | 'number' | 'name' | 'path' | 'nodeId' | 'choice' | 'text' | 'list' | 'code';

/** Where docs/options.md lists it. `start`: known before DI, next to `useFactory` in forRootAsync. */
export type OptionSection =
  'start' | 'identity' | 'jwt' | 'collections' | 'requests' | 'stream' | 'clock' | 'log' | 'metrics';

/** One option: how its value is checked, what stands in for a missing one, and what the documentation says. */
export interface OptionRow<
  K extends OptionKind = OptionKind,
  D = boolean | number | string,
  S extends OptionSection = OptionSection,
> {
  readonly section: S;
  readonly kind: K;
  readonly default?: D;
  /** What the documentation says in place of a plain default. Markdown. */
  readonly shown?: string;
  /** The smallest number. Default 0. */
  readonly min?: number;
  readonly max?: number;
  /** The words that a `choice` is one of. */
  readonly words?: readonly string[];
  /** Another option: the value is at most that one's, and the default too. */
  readonly atMost?: 'maxPullLimit' | 'maxFullLimit';
  /** One line without a full stop; bounds and default are not part of it. */
  readonly about: string;
  /** Further sentences, for the documentation alone. Markdown. */
  readonly more?: string;
}

/** Every option by its dotted path. */
export type OptionPath =
  keyof SyncModuleExtras | keyof SyncOptions | `jwt.${keyof SyncJwtOptions}` | `limits.${keyof SyncLimits}`;

type ValueAt<P extends OptionPath> = P extends `jwt.${infer N extends keyof SyncJwtOptions}`
  ? SyncJwtOptions[N]
  : P extends `limits.${infer N extends keyof SyncLimits}`
    ? SyncLimits[N]
    : P extends keyof SyncModuleExtras
      ? SyncModuleExtras[P]
      : P extends keyof SyncOptions
        ? SyncOptions[P]
        : never;

/** By its type, an option can only be checked in a way that fits: a new number without bounds does not compile. */
type KindFor<V> = V extends boolean
  ? 'flag'
  : V extends number
    ? 'whole' | 'number'
    : V extends string
      ? 'name' | 'path' | 'nodeId' | 'choice' | 'text'
      : V extends readonly string[]
        ? 'list'
        : 'code';
type Plain<V> = V extends boolean ? boolean : Extract<V, number | string>;
type RowFor<V, S extends OptionSection> = OptionRow<KindFor<NonNullable<V>>, Plain<V>, S>;

/** An option in one place only does not compile: each member of the interfaces has its row, and each row its member. */
type Table = {
  readonly [P in OptionPath]: RowFor<
    ValueAt<P>,
    P extends keyof SyncModuleExtras ? 'start' : Exclude<OptionSection, 'start'>
  >;
};

/**
 * Every option of the module: the one place for defaults, bounds, and what is said about them. Made from it: the
 * settings and their checks, the names that are known, the demo's environment variables, and the tables of
 * docs/options.md (`npm run docs:options`).
 */
export const OPTION_TABLE = {
  prefix: {
    section: 'start',
    kind: 'path',
    default: 'sync',
    about: 'path of the HTTP routes',
    more: "It comes after the app's global prefix; the routes are version-neutral",
  },
  streamPath: {
    section: 'start',
    kind: 'path',
    shown: '`/<prefix>/stream`',
    about: 'path of the socket, used as is',
    more: "The default comes after the app's global prefix",
  },
  isGlobal: {
    section: 'start',
    kind: 'flag',
    default: true,
    about: 'the services can be injected everywhere',
  },
  http: {
    section: 'start',
    kind: 'flag',
    default: true,
    about: 'false: no routes',
    more: '`SyncService` has push, pull and full as methods',
  },
  stream: {
    section: 'start',
    kind: 'flag',
    default: true,
    about: 'false: no socket',
    more: 'The socket needs no WebSocket adapter, and works next to any',
  },
  connectionName: {
    section: 'start',
    kind: 'text',
    shown: 'the unnamed one',
    about: 'the Mongoose connection',
    more: 'A second instance needs a different one; inject its service with `@InjectSync(name)`, and pass the name to `forFeature` as the second argument',
  },

  jwt: {
    section: 'identity',
    kind: 'code',
    about: 'the built-in bearer-token check, [below](#jwt). Give this or `guard`',
  },
  guard: {
    section: 'identity',
    kind: 'code',
    about: "the app's own guard, for HTTP and the socket. Taken from the app's providers, else instantiated",
  },
  user: {
    section: 'identity',
    kind: 'code',
    shown: '`request.user`',
    about: 'a function: where the guard puts the user',
  },
  actorIdField: {
    section: 'identity',
    kind: 'text',
    default: 'user_id',
    about: "dotted path of the actor's id in the user",
  },
  scopeIdField: {
    section: 'identity',
    kind: 'text',
    default: 'user_id',
    about: "dotted path of the scope's id in the user",
    more: 'By default each user is a scope',
  },
  actorIdResolver: {
    section: 'identity',
    kind: 'code',
    about: 'a function, may be async; replaces `actorIdField`',
  },
  scopeIdResolver: {
    section: 'identity',
    kind: 'code',
    about: 'a function, may be async; replaces `scopeIdField`',
  },
  allowedOrigins: {
    section: 'identity',
    kind: 'code',
    shown: "the app's CORS",
    about: 'which pages may open a socket with a cookie, [below](#browsers-of-another-origin)',
  },
  scopes: {
    section: 'identity',
    kind: 'code',
    shown: 'none',
    about: 'which scopes an identity may use besides its own, [below](#several-scopes)',
  },
  expiresAt: {
    section: 'identity',
    kind: 'code',
    shown: "the token's `exp`",
    about: 'a function of the request: the `Date` at which opaque credentials expire. The socket closes then',
  },
  clientSchema: {
    section: 'identity',
    kind: 'code',
    shown: 'every client is served',
    about:
      'a function of `client_schema` (undefined if the client sent none) and the identity: `true`, or `{ minimum, message? }` for a client that is too old',
    more: '[Old clients](protocol.md#old-clients)',
  },

  'jwt.secret': {
    section: 'jwt',
    kind: 'text',
    about: 'shared secret for HS256, HS384 and HS512',
  },
  'jwt.publicKey': {
    section: 'jwt',
    kind: 'text',
    about: 'PEM public key for RS, PS or ES algorithms',
  },
  'jwt.jwksUri': {
    section: 'jwt',
    kind: 'text',
    about: 'URL of a JWKS document; rotated keys are fetched',
    more: 'Needs `jwks-rsa@3`',
  },
  'jwt.algorithms': {
    section: 'jwt',
    kind: 'list',
    shown: "HS256 with a secret, the key's own with a public key, RS256 and ES256 with a JWKS",
    about: 'accepted algorithms; never `none`',
  },
  'jwt.issuer': { section: 'jwt', kind: 'list', shown: 'any', about: 'accepted issuers, one or several' },
  'jwt.audience': { section: 'jwt', kind: 'list', shown: 'any', about: 'accepted audiences, one or several' },
  'jwt.clockToleranceSeconds': {
    section: 'jwt',
    kind: 'number',
    default: 0,
    about: 'leeway for `exp` and `nbf`',
  },

  collections: {
    section: 'collections',
    kind: 'code',
    shown: 'none',
    about: 'names or [options](#options-of-a-collection). More come from `SyncModule.forFeature([...])`',
  },
  authorizer: {
    section: 'collections',
    kind: 'code',
    shown: 'everything is allowed',
    about:
      'for collections without their own: `(identity, collection, action) => boolean`, where action is `read`, `upsert` (of a patch, too) or `delete`; or a class with `authorize`. [What it may return](#what-the-apps-code-may-return)',
  },
  transform: {
    section: 'collections',
    kind: 'code',
    shown: 'none',
    about:
      'for collections without their own: `(collection, data, identity, docId) => data`; or a class with `transform`',
  },
  bypass: {
    section: 'collections',
    kind: 'choice',
    words: ['warn', 'error', 'off'],
    default: 'warn',
    about:
      'what is done when this process writes a synced collection without the engine: `warn` logs each place in the code once, `error` throws before anything is written, `off` does nothing',
    more: 'For collections that are not captured and have no `bypass` of their own. [What is noticed](own-writes.md#writes-that-go-past-the-log)',
  },

  batchAtomic: {
    section: 'requests',
    kind: 'flag',
    default: true,
    about: 'one rejected change rolls back its push',
    more: 'A push can override this with `atomic`',
  },
  limits: { section: 'requests', kind: 'code', about: 'below' },
  'limits.maxChanges': {
    section: 'requests',
    kind: 'whole',
    default: 1000,
    min: 1,
    about: 'changes in one push',
  },
  'limits.maxPushBytes': {
    section: 'requests',
    kind: 'whole',
    default: 8 << 20,
    min: 1024,
    about: 'bytes of one push',
    more: 'Counted are its data as JSON, and 128 per change. The body parser must allow as much',
  },
  'limits.maxDocumentBytes': {
    section: 'requests',
    kind: 'whole',
    default: 1 << 20,
    min: 64,
    max: 8 << 20,
    about: 'bytes of one document as JSON',
  },
  'limits.maxDepth': {
    section: 'requests',
    kind: 'whole',
    default: 32,
    min: 1,
    max: 90,
    about: 'nesting of one document',
  },
  'limits.maxSocketMessageBytes': {
    section: 'requests',
    kind: 'whole',
    default: 1 << 20,
    min: 1024,
    about: 'bytes of one socket message of a client that is not a push',
  },
  'limits.maxSocketPushes': {
    section: 'requests',
    kind: 'whole',
    default: 16,
    min: 1,
    max: 1024,
    about:
      'pushes of one socket without an answer; a client that sends more is not read from until one is answered',
  },
  'limits.maxSubscriptions': {
    section: 'requests',
    kind: 'whole',
    default: 200,
    min: 1,
    max: 10_000,
    about: 'subscriptions of one socket, one per scope',
  },
  'limits.maxScopes': {
    section: 'requests',
    kind: 'whole',
    default: 1000,
    min: 1,
    max: 10_000,
    about: 'scopes that are listed for one identity, besides its own',
  },
  defaultPullLimit: {
    section: 'requests',
    kind: 'whole',
    default: 500,
    min: 1,
    atMost: 'maxPullLimit',
    about: 'entries of a pull without `limit`',
  },
  maxPullLimit: {
    section: 'requests',
    kind: 'whole',
    default: 1000,
    min: 1,
    about: 'maximum entries of a pull',
  },
  defaultFullLimit: {
    section: 'requests',
    kind: 'whole',
    default: 1000,
    min: 1,
    atMost: 'maxFullLimit',
    about: 'documents of a full resync page without `limit`',
  },
  maxFullLimit: {
    section: 'requests',
    kind: 'whole',
    default: 10_000,
    min: 1,
    about: 'maximum documents of a full resync page',
    more: '`limit=0` requests everything in one response',
  },
  retryDeadlineMs: {
    section: 'requests',
    kind: 'whole',
    default: 15_000,
    min: 100,
    max: 3_600_000,
    about: 'how long a push or a transaction is retried before 503',
    more: "Also how long a pull waits for its scope's head",
  },
  prepareTimeoutMs: {
    section: 'requests',
    kind: 'whole',
    default: 30_000,
    min: 100,
    max: 3_600_000,
    about:
      "how long the app's own code (transforms, DTOs, validators, authorizers, conflict resolvers) may take for one push",
    more: 'Beyond it [`preparation_timeout`](protocol.md#error-codes). 16 changes are processed concurrently',
  },
  lanes: {
    section: 'requests',
    kind: 'whole',
    default: 4,
    min: 1,
    max: 64,
    about: 'transactions that one process runs concurrently for different scopes',
  },
  shutdownTimeoutMs: {
    section: 'requests',
    kind: 'whole',
    default: 10_000,
    about: 'how long shutdown waits for pushes in flight',
  },

  pingIntervalMs: {
    section: 'stream',
    kind: 'whole',
    default: 30_000,
    min: 100,
    about: 'interval of pings',
    more: 'The change stream stays open this long after the last socket',
  },
  scopeCheckIntervalMs: {
    section: 'stream',
    kind: 'whole',
    default: 60_000,
    min: 100,
    about:
      'after how long the app is asked again whether a socket may still listen to a scope that is not its own',
    more: 'The same during a long response of a full resync. `sync.accessChanged` asks at once',
  },
  subscribeTimeoutMs: {
    section: 'stream',
    kind: 'whole',
    default: 10_000,
    min: 100,
    about: 'how long a socket may stay open without a `subscribe` message',
  },
  socketBufferBytes: {
    section: 'stream',
    kind: 'whole',
    default: 1 << 20,
    min: 1024,
    about: 'bytes that may wait in one socket before it goes back to reading the log',
  },

  hlcNodeId: {
    section: 'clock',
    kind: 'nodeId',
    shown: 'the variable `HLC_NODE_ID`, else `HOSTNAME` and random digits, else random digits',
    about: 'node part of the versions: 1 to 64 of `A-Z a-z 0-9 . _ -`',
    more: 'If you set it, it must be unique per process',
  },
  maxDriftMs: {
    section: 'clock',
    kind: 'whole',
    default: DEFAULT_MAX_DRIFT_MS,
    about: "how far ahead a client's stamp may be",
  },

  oplogCollection: { section: 'log', kind: 'name', default: 'sync_oplog', about: 'the log' },
  headsCollection: {
    section: 'log',
    kind: 'name',
    default: 'sync_heads',
    about: 'one document per scope: its newest version',
  },
  receiptsCollection: {
    section: 'log',
    kind: 'name',
    default: 'sync_receipts',
    about: 'answers to retries',
  },
  leasesCollection: {
    section: 'log',
    kind: 'name',
    default: 'sync_leases',
    about:
      'which process trims, turns of contended scopes, running processes and their sessions, the key of `X-Sync-Identity`',
  },
  autoIndex: {
    section: 'log',
    kind: 'flag',
    default: true,
    about: 'create collections and indexes at startup',
    more: 'False: `npx nest-offline-sync init` creates them, and the app does not start while any are missing',
  },
  oplogTtlDays: {
    section: 'log',
    kind: 'number',
    default: 30,
    about: 'days that log entries are kept; fractions allowed, 0 keeps them forever',
  },
  oplogMaxEntries: {
    section: 'log',
    kind: 'whole',
    shown: 'no bound',
    min: 1,
    about: 'maximum entries per scope',
  },
  receiptTtlDays: {
    section: 'log',
    kind: 'number',
    default: 30,
    min: 30,
    about: 'days that receipts outlive the log',
  },
  tombstoneTtlDays: {
    section: 'log',
    kind: 'number',
    default: 0,
    about:
      'days that tombstones are kept, and at least as long as the log; fractions allowed, 0 keeps them forever',
    more: '[What it means](protocol.md#retention)',
  },
  trimIntervalMs: {
    section: 'log',
    kind: 'whole',
    default: 60_000,
    about: 'interval of the trimming job; 0 switches it off in this process',
  },
  trimGraceMs: {
    section: 'log',
    kind: 'whole',
    default: 600_000,
    about: 'time between raising a floor and deleting below it',
    more: "Should be at least a reader's time limit (60 s)",
  },

  metricsEnabled: {
    section: 'metrics',
    kind: 'flag',
    default: true,
    about: 'series in prom-client, if it is installed',
    more: 'If you set true, it must be installed',
  },
  metricsRegistry: {
    section: 'metrics',
    kind: 'code',
    shown: "prom-client's default registry",
    about: 'a prom-client `Registry`',
  },
} as const satisfies Table;

/** What docs/options.md says of one option of a collection. Their checks stand in collections/collection-options.ts. */
export interface CollectionOptionRow {
  /** Markdown. */
  readonly shown?: string;
  /** Markdown. */
  readonly about: string;
}

/** The options of one collection, in forRoot or forFeature. */
export const COLLECTION_OPTION_TABLE: Readonly<Record<keyof SyncCollectionOptions, CollectionOptionRow>> = {
  name: { about: "the collection's name in MongoDB and on the wire" },
  model: {
    shown: 'the model whose collection is `name`',
    about: 'name of the Mongoose model that casts and validates',
  },
  freeForm: {
    shown: 'false',
    about: 'true: no model, any JSON object. Explicit, so that a mistyped name does not become free-form',
  },
  ids: {
    shown: '`global`',
    about:
      '`global`: the stored `_id` is the id on the wire. `scoped`: each scope has its own ids ([which one to choose](decisions/ids-global-or-scoped.md))',
  },
  hidden: {
    shown: "the schema's `select: false` paths",
    about:
      'dotted paths that never leave the server and that no client can write ([Types](protocol.md#by-schema-type))',
  },
  dto: {
    shown: 'none',
    about:
      "a class-validator class that each upsert's data, and each document as a patch leaves it, must satisfy, before the schema. The data is stored as its transformers return it",
  },
  unknownFields: {
    shown: '`reject`',
    about: 'fields that the schema or the DTO does not know: `reject` or `strip`',
  },
  transform: {
    shown: 'that of the module',
    about:
      "changes or completes a client's data before validation. Gets a copy; if it returns nothing, the copy is used",
  },
  authorizer: {
    shown: 'that of the module',
    about: 'only `true` allows. Called once per request, collection and action',
  },
  conflict: {
    shown: '`last-writer-wins`',
    about: '`last-writer-wins`, `reject-stale`, `client-wins`, `merge` ([Conflicts](protocol.md#conflicts))',
  },
  resolver: {
    shown: 'none',
    about: 'replaces `conflict`: a function of a `Conflict`, or a class with `resolve`',
  },
  deleteUpdatePolicy: {
    shown: '`resurrect_on_update`',
    about: '`resurrect_on_update`, `reject_update`, `delete_wins`',
  },
  capture: {
    shown: 'false',
    about:
      'true: what other code writes into the collection is recorded too ([Writes from anywhere](migrating.md#writes-from-anywhere)). Needs global ids',
  },
  scopeField: {
    shown: 'none',
    about: 'with `capture`: dotted path of the field that names the scope of documents that other code makes',
  },
  bypass: {
    shown: 'that of the module',
    about:
      '`warn`, `error` or `off`: what is done when this process writes the collection without the engine. Not with `capture`',
  },
  allowFullResync: { shown: 'true', about: 'false: no full resync of this collection' },
  scopes: {
    shown: 'all',
    about:
      'the kinds of scopes in which the collection lives, as `kind` of the [option `scopes`](#several-scopes) names them. Elsewhere reads leave it out, and changes are `wrong_scope`',
  },
};
