/**
 * Every error code that a client or an app can meet. The codes are part of the wire: they never change their
 * meaning. docs/protocol.md lists them with their remedies; a test keeps the two in step.
 */
export const ERROR_CODES = {
  // Requests that are refused as a whole (HTTP status).
  malformed_request: 400,
  invalid_cursor: 400,
  invalid_limit: 400,
  unknown_collection: 400,
  unauthenticated: 401,
  forbidden: 403,
  origin_not_allowed: 403,
  scope_missing: 403,
  identity_changed: 409,
  scope_forbidden: 403,
  full_resync_disabled: 403,
  client_outdated: 409,
  push_id_in_use: 409,
  too_many_changes: 413,
  payload_too_large: 413,
  too_many_subscriptions: 429,
  preparation_timeout: 503,
  busy: 503,
  unavailable: 503,
  shutting_down: 503,
  internal: 500,

  // One change of a push (never the whole request; the status is for the app's own calls).
  invalid_change: 400,
  wrong_scope: 400,
  invalid_doc_id: 400,
  invalid_version: 400,
  clock_drift: 400,
  parent_unknown: 409,
  parent_refused: 409,
  invalid_patch: 400,
  mutation_id_required: 400,
  patch_mismatch: 409,
  document_missing: 404,
  invalid_data: 400,
  unknown_field: 400,
  forbidden_key: 400,
  too_deep: 400,
  document_too_large: 413,
  unsafe_number: 400,
  invalid_string: 400,
  validation_failed: 400,
  id_unavailable: 409,
  unique_violation: 409,
  refused_by_database: 400,
  conflict_stale: 409,
  conflict_deleted: 409,
  conflict_retry: 409,
  resolver_failed: 409,
  mutation_id_reused: 409,
  batch_rolled_back: 409,

  // The routes of an operator.
  not_found: 404,
  body_not_kept: 409,

  // The app's own writes and set-up.
  stale_version: 409,
  weak_write_concern: 400,
  not_adopted: 409,
  unrecorded_write: 500,
  configuration: 500,
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface SyncErrorOptions {
  /** Where: a path such as `changes[3].doc_id`, a query parameter, an option. */
  readonly path?: string;
  /** Whole seconds after which the same request makes sense again. */
  readonly retryAfterSeconds?: number;
  /** The bound that was passed: bytes, changes or ids. */
  readonly limit?: number;
  /** The oldest `client_schema` that the app takes. */
  readonly minimum?: string | number;
  readonly cause?: unknown;
  /** The status that the app's own code chose. Default: that of the code. */
  readonly status?: number;
}

/** What users of the package catch: a stable `code`, the HTTP `status` it maps to, and a message with the remedy. */
export class SyncError extends Error {
  readonly status: number;
  readonly path: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly limit: number | undefined;
  readonly minimum: string | number | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: SyncErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SyncError';
    this.status = options.status ?? ERROR_CODES[code];
    this.path = options.path;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.limit = options.limit;
    this.minimum = options.minimum;
  }

  /**
   * By these two Nest's own filter, and Fastify, know which status an error has: where SyncErrorFilter does not stand, a
   * SyncError has its status and its message anyway. A fault of the server stays a 500 without words.
   */
  get statusCode(): number | undefined {
    return this.status === 500 ? undefined : this.status;
  }
  get expose(): boolean {
    return this.status !== 500;
  }
}

/** The body of every error answer. */
export interface ErrorBody {
  readonly statusCode: number;
  readonly code: ErrorCode;
  readonly message: string;
  readonly path?: string;
  /** With a code that says that something is too large or too many: how much may be sent. */
  readonly limit?: number;
  /** With `client_outdated`, if the app says so: the oldest `client_schema` that it takes. */
  readonly minimum?: string | number;
}

export function errorBody({ status, code, message, path, limit, minimum }: SyncError): ErrorBody {
  return {
    statusCode: status,
    code,
    message,
    ...(path === undefined ? {} : { path }),
    ...(limit === undefined ? {} : { limit }),
    ...(minimum === undefined ? {} : { minimum }),
  };
}

/** Why one change was not taken. Becomes `code` and `error` of its result. */
export interface Rejection {
  readonly code: ErrorCode;
  readonly message: string;
}

/** A path in the form that messages use: `data.items[3].name`. Odd keys are quoted, long ones cut. */
export function dataPath(path: readonly (string | number)[]): string {
  let text = 'data';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^\w{1,60}$/.test(step)) text += `.${step}`;
    else text += `[${JSON.stringify(step.length > 60 ? `${step.slice(0, 60)}…` : step)}]`;
    if (text.length > 300) return `${text.slice(0, 300)}…`;
  }
  return text;
}
