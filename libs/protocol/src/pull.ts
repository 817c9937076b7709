import { parseEnvelope, type Envelope, type EnvelopeFields } from './envelope.ts';
import type { LogChange } from './change.ts';
import {
  collectionsParameter,
  cursorParameter,
  limitParameter,
  queryObject,
  type Cursor,
} from './read-query.ts';

/**
 * GET pull: the entries of a scope's log above a cursor.
 *
 * The answer is `{"changes":[…],"last_seq":"…","seq":12,"has_more":false}`, or, when the cursor is older than what the
 * log keeps or from another database, `{"full_resync_required":true,"collections":[…],"reason":"too_old"}`.
 */
export interface PullRequest extends EnvelopeFields {
  /** `last_seq` of the answer before. Missing, blank or zero: from the beginning. */
  readonly since?: string | null;
  /** The same as `seq` of the answer before; 0: from the beginning. Not together with `since`. */
  readonly since_seq?: number | string | null;
  /** Names, in a list or separated by commas. None: all that the identity may read. */
  readonly collections?: string | readonly string[] | null;
  /** At most this many changes in the answer: 1 to maxPullLimit. Default: defaultPullLimit. */
  readonly limit?: number | string | null;
}

/** A checked PullRequest. */
export interface PullQuery extends Envelope {
  /** Undefined reads from the beginning. */
  readonly since: Cursor | undefined;
  /** No blanks, no repetitions; undefined stands for all. */
  readonly collections: readonly string[] | undefined;
  readonly limit: number;
}

export interface PullLimits {
  readonly defaultPullLimit: number;
  readonly maxPullLimit: number;
}

/**
 * Reads the parameters of a pull as they came, text or typed. Unknown parameters are ignored.
 *
 * @throws SyncError `invalid_cursor`, `invalid_limit` or `malformed_request`
 */
export function parsePullQuery(request: unknown, limits: PullLimits): PullQuery {
  const query = queryObject(request);
  return {
    ...parseEnvelope(query),
    since: cursorParameter(query),
    collections: collectionsParameter(query),
    limit: limitParameter(query, { min: 1, max: limits.maxPullLimit, default: limits.defaultPullLimit }),
  };
}

/** A place in a scope's log. */
export interface Position {
  readonly version: string;
  readonly seq: number;
}

/**
 * Why a cursor cannot be gone on from. `too_old`: entries above it have been trimmed. `unknown_cursor`: this database
 * never wrote it, or has lost it (restored from a backup, reset, another environment).
 */
export type ResyncReason = 'too_old' | 'unknown_cursor';

/** One page of the log. */
export interface PullPageResponse {
  readonly full_resync_required?: false;
  /** In order of their versions. */
  readonly changes: readonly LogChange[];
  /** Where the next pull goes on: never below the asked `since`. */
  readonly last_seq: string;
  /** The same as a plain integer; 0 for the zero cursor. */
  readonly seq: number;
  /** Whether to ask again at once. */
  readonly has_more: boolean;
}

/** The client has to load everything again (GET full), keep its unsent changes, and pull from there. */
export interface FullResyncResponse {
  readonly full_resync_required: true;
  readonly collections: readonly string[];
  readonly reason: ResyncReason;
}

/** What a pull is answered. */
export type PullResponse = PullPageResponse | FullResyncResponse;
