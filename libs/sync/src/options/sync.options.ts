import type { CanActivate, Type } from '@nestjs/common';
import type { ScopesPort } from '../identity/scopes';
import type {
  SyncAuthorizer,
  SyncAuthorizerFunction,
  DocumentTransform,
  DocumentTransformFunction,
} from '../collections/ports';
import type { SyncIdentity } from '../identity/identity';
import type {
  ConflictResolver,
  ConflictResolverFunction,
  ConflictStrategy,
  DeleteUpdatePolicy,
} from '../plan/conflict';

/** A provider's class (taken from the app's DI, else made by it), or a plain function. */
export type Port<T extends object, F> = Type<T> | F;

/** What is done about a write that goes past the log. */
export type Bypass = 'warn' | 'error' | 'off';

/** One synced collection. Give it in forRoot or, next to its schema, in `SyncModule.forFeature([...])`. */
export interface SyncCollectionOptions {
  /** The collection's name in MongoDB and on the wire. */
  readonly name: string;
  /** Name of the Mongoose model. Default: the model on the connection whose collection is `name`. */
  readonly model?: string;
  /** True: no model, no casting, any JSON object. Must be said, so that a mistyped name is not taken for it. */
  readonly freeForm?: boolean;
  /** `global` (default): the stored `_id` is the wire's id. `scoped`: each scope has its own ids. */
  readonly ids?: 'global' | 'scoped';
  /** A class-validator class that each upsert's data must satisfy. */
  readonly dto?: Type<object>;
  /** Fields that the schema or the DTO does not know: `reject` (default) or silently `strip`. */
  readonly unknownFields?: 'reject' | 'strip';
  /**
   * Dotted paths of fields that never leave the server: not by pull, full resync, stream, a conflict's document or to a
   * resolver. A device's edit leaves them as they are. Default: the schema's paths with `select: false`.
   */
  readonly hidden?: readonly string[];
  readonly transform?: Port<DocumentTransform, DocumentTransformFunction>;
  readonly authorizer?: Port<SyncAuthorizer, SyncAuthorizerFunction>;
  /** A built-in strategy. Default `last-writer-wins`. */
  readonly conflict?: ConflictStrategy;
  /** A resolver of the app's own; it takes the place of `conflict`. */
  readonly resolver?: Port<ConflictResolver, ConflictResolverFunction>;
  /** Default `resurrect_on_update`. */
  readonly deleteUpdatePolicy?: DeleteUpdatePolicy;
  /** Default true. */
  readonly allowFullResync?: boolean;
  /**
   * True: what other code writes into the collection (Mongoose, the driver, another service) is recorded too. Needs global
   * ids; MongoDB keeps the collection's pre-images then. Default false.
   */
  readonly capture?: boolean;
  /**
   * With `capture`: the dotted path of the field that names the scope of a document that other code has made. Without it such
   * a document stays the app's own.
   */
  readonly scopeField?: string;
  /** The module's option `bypass`, for this collection. Not with `capture`, which records such writes. */
  readonly bypass?: Bypass;
  /**
   * The kinds of scopes that the collection lives in, as `kind` of the module's option `scopes` names them. Elsewhere
   * reads leave it out, and changes are refused with `wrong_scope`. Default: all scopes.
   */
  readonly scopes?: readonly string[];
}

/** How the shipped JWT strategy verifies a bearer token. Exactly one of the three keys. */
export interface SyncJwtOptions {
  /** Shared secret for HS256/384/512. */
  readonly secret?: string;
  /** PEM public key for RS/PS/ES algorithms. */
  readonly publicKey?: string;
  /** URL of a JWKS document; rotated keys are fetched again. */
  readonly jwksUri?: string;
  /**
   * Accepted algorithms. Default: HS256 with a secret, that of the key with a public key, RS256 and ES256 with a JWKS.
   * `none` is never accepted.
   */
  readonly algorithms?: readonly string[];
  readonly issuer?: string | readonly string[];
  readonly audience?: string | readonly string[];
  /** Seconds of leeway for exp and nbf. Default 0. */
  readonly clockToleranceSeconds?: number;
}

export interface SyncLimits {
  /** Changes in one push. Default 1000. */
  readonly maxChanges?: number;
  /** Bytes of one push: its data as JSON, and 128 a change. Default 8 MiB. */
  readonly maxPushBytes?: number;
  /** Bytes of one document, as JSON. Default 1 MiB. */
  readonly maxDocumentBytes?: number;
  /** Nesting of one document's data. Default 32. */
  readonly maxDepth?: number;
  /** Bytes of one WebSocket message from a client that is no push. Default 1 MiB. */
  readonly maxSocketMessageBytes?: number;
  /** Subscriptions of one socket, one a scope. Default 200. */
  readonly maxSubscriptions?: number;
  /** Pushes of one WebSocket that have no answer yet; a client that sends more waits. Default 16. */
  readonly maxSocketPushes?: number;
  /** Scopes that are listed for one identity. Default 1000. */
  readonly maxScopes?: number;
}

/** What `SyncModule.forRoot()` takes, and what a forRootAsync factory returns. */
export interface SyncOptions {
  /** Default: none. A bare name stands for `{ name }`. More can come from forFeature. */
  readonly collections?: readonly (string | SyncCollectionOptions)[];

  /** The shipped bearer-token check. Give this or `guard`. */
  readonly jwt?: SyncJwtOptions;
  /** The app's own guard; it must put the user on the request. Used for HTTP and, by hand, for the socket. */
  readonly guard?: Type<CanActivate>;
  /** Where the guard puts the user. Default: `request.user`. */
  readonly user?: (request: SyncRequest) => unknown;
  /** Dotted path of the actor's id inside the user. Default `user_id`. */
  readonly actorIdField?: string;
  /** Dotted path of the scope's id inside the user. Default `user_id`: a scope for each user. */
  readonly scopeIdField?: string;
  /** Takes the place of `actorIdField`. */
  readonly actorIdResolver?: (user: unknown) => IdValue | Promise<IdValue>;
  /** Takes the place of `scopeIdField`. */
  readonly scopeIdResolver?: (user: unknown) => IdValue | Promise<IdValue>;
  /** The scopes that an identity may use besides its own. Default: none. */
  readonly scopes?: ScopesPort | Type<ScopesPort>;
  /** When opaque credentials end; by default the `exp` claim of the token that passed. */
  readonly expiresAt?: (request: SyncRequest) => Date | undefined;
  /**
   * Pages whose sockets may rest on the headers of their upgrade (a cookie): origins, regular expressions, `true` for any,
   * or a function. Default: those that the app's CORS names or allows credentials; the app's own origin always.
   */
  readonly allowedOrigins?: AllowedOrigins;
  /**
   * Whether the app still serves a client with this `client_schema` (undefined: it sent none). Called for each request and
   * subscription; anything but `true` or a refusal is an error of the server. Default: every client is served.
   */
  readonly clientSchema?: ClientSchemaFunction;
  /** For all collections that have none. */
  readonly authorizer?: Port<SyncAuthorizer, SyncAuthorizerFunction>;
  /** For all collections that have none. */
  readonly transform?: Port<DocumentTransform, DocumentTransformFunction>;

  /**
   * What is done when this process writes a synced collection without the engine, so that devices do not hear of it: `warn`
   * (default) logs each place in the app's code once, `error` throws before anything is written, `off` does nothing.
   */
  readonly bypass?: Bypass;

  /** Default true: one rejected change rolls its whole push back. A request may say otherwise with `atomic`. */
  readonly batchAtomic?: boolean;
  readonly limits?: SyncLimits;
  /** Rows of a pull that names no limit. Default 500. */
  readonly defaultPullLimit?: number;
  /** Default 1000. */
  readonly maxPullLimit?: number;
  /** Rows of a full resync page that names no limit. Default 1000. */
  readonly defaultFullLimit?: number;
  /** Default 10000. `limit=0` asks for everything in one streaming page. */
  readonly maxFullLimit?: number;

  /** Node part of the versions: 1 to 64 of `A-Z a-z 0-9 . _ -`. Default: derived, unlike any other process's. */
  readonly hlcNodeId?: string;
  /** How far ahead a client's stamp may be. Default 60000. */
  readonly maxDriftMs?: number;

  /** Default `sync_oplog`. Heads, receipts and leases stand next to it: `sync_heads`, `sync_receipts`, `sync_leases`. */
  readonly oplogCollection?: string;
  readonly headsCollection?: string;
  readonly receiptsCollection?: string;
  readonly leasesCollection?: string;
  /** Days that log entries are kept; fractions allowed, 0 keeps them forever. Default 30. */
  readonly oplogTtlDays?: number;
  /** At most this many entries are kept for each scope. Default: no such bound. */
  readonly oplogMaxEntries?: number;
  /** Days that receipts outlive the log. Default and minimum 30. */
  readonly receiptTtlDays?: number;
  /** Days that tombstones are kept, at least as long as the log; fractions allowed, 0 keeps them forever. Default 0. */
  readonly tombstoneTtlDays?: number;
  /** How often the trimming job looks. Default 60000; 0 switches it off in this process. */
  readonly trimIntervalMs?: number;
  /** Between raising a floor and deleting below it. Default 600000; a reader's time limit must fit in it. */
  readonly trimGraceMs?: number;

  /** Make collections and indexes at start. Default true. */
  readonly autoIndex?: boolean;
  /** Default true. Needs prom-client. */
  readonly metricsEnabled?: boolean;
  /** A prom-client Registry. Default: prom-client's own default registry. */
  readonly metricsRegistry?: object;

  /** How long a push or a transaction is retried before 503. Default 15000. */
  readonly retryDeadlineMs?: number;
  /** How long the app's own code (transforms, DTOs, authorizers, resolvers) may take for one push. Default 30000. */
  readonly prepareTimeoutMs?: number;
  /** Transactions that one process runs at the same time for different scopes. Default 4. */
  readonly lanes?: number;
  /** Socket ping; the change stream stays open so long after the last subscriber has gone. Default 30000. */
  readonly pingIntervalMs?: number;
  /** After how long the app is asked again whether a socket may still listen to a scope of others. Default 60000. */
  readonly scopeCheckIntervalMs?: number;
  /** How long a socket may stay without a subscribe message. Default 10000. */
  readonly subscribeTimeoutMs?: number;
  /** Bytes that may wait in one socket before it goes back to reading the backlog. Default 1 MiB. */
  readonly socketBufferBytes?: number;
  /** How long shutdown waits for pushes in flight. Default 10000. */
  readonly shutdownTimeoutMs?: number;
}

export type IdValue = string | number | { toHexString(): string } | null | undefined;

/** What both transports give to guards and resolvers: the HTTP request, or one made from the socket's token. */
export interface SyncRequest {
  readonly headers: Record<string, string | string[] | undefined>;
  user?: unknown;
}

/** Decides on the Origin of a socket, as the browser sent it. */
export type OriginRule = (origin: string, request: SyncRequest) => boolean | Promise<boolean>;

/** What the option `allowedOrigins` may be. */
export type AllowedOrigins = true | readonly (string | RegExp)[] | OriginRule;

/** Why a client is not served any more: becomes `client_outdated`, which it shows to its user. */
export interface ClientSchemaRefusal {
  /** The oldest `client_schema` that is served. */
  readonly minimum: string | number;
  /** For the user. Default: a sentence in English with the minimum. */
  readonly message?: string;
}

/** The option `clientSchema`. An integer that a client sent comes as its decimal text. */
export type ClientSchemaFunction = (
  clientSchema: string | undefined,
  identity: SyncIdentity,
) => true | ClientSchemaRefusal | Promise<true | ClientSchemaRefusal>;

/** Known before DI: these stand next to the options, also in forRootAsync. */
export interface SyncModuleExtras {
  /** Default `sync`. */
  readonly prefix?: string;
  /** Path of the socket, as it stands. Default: `/<prefix>/stream` behind the app's global prefix, as the routes are. */
  readonly streamPath?: string;
  /** Default true. */
  readonly isGlobal?: boolean;
  /** False: no controller. Default true. */
  readonly http?: boolean;
  /** False: no gateway. Default true. */
  readonly stream?: boolean;
  /** Name of the Mongoose connection. Default: the unnamed one. */
  readonly connectionName?: string;
}
