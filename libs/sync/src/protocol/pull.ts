import type { LogChange } from './change';
import {
  clientSchemaParameter,
  collectionsParameter,
  limitParameter,
  queryObject,
  sinceParameter,
} from './read-query';
import { scopeParameter } from './scopes';

/**
 * GET pull: the entries of a scope's log above a cursor.
 *
 * The answer is `{"changes":[…],"last_seq":"…","seq":12,"has_more":false}`, or, when the cursor is older than what the
 * log keeps or from another database, `{"full_resync_required":true,"collections":[…],"reason":"too_old"}`.
 */
export interface PullRequest {
  /** The scope to read. None: the identity's own. */
  readonly scope?: string | null;
  /** `last_seq` of the answer before. Missing, blank or zero: from the beginning. */
  readonly since?: string | null;
  /** Names, in a list or separated by commas. None: all that the identity may read. */
  readonly collections?: string | readonly string[] | null;
  /** At most this many changes in the answer: 1 to maxPullLimit. Default: defaultPullLimit. */
  readonly limit?: number | string | null;
  /** The version of the client's data model, as the app calls it. */
  readonly client_schema?: string | number | null;
}

/** A checked PullRequest. */
export interface PullQuery {
  readonly scope: string | undefined;
  /** A version; undefined reads from the beginning. */
  readonly since: string | undefined;
  /** No blanks, no repetitions; undefined stands for all. */
  readonly collections: readonly string[] | undefined;
  readonly limit: number;
  readonly clientSchema: string | undefined;
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
    scope: scopeParameter(query),
    since: sinceParameter(query),
    collections: collectionsParameter(query),
    limit: limitParameter(query, { min: 1, max: limits.maxPullLimit, default: limits.defaultPullLimit }),
    clientSchema: clientSchemaParameter(query),
  };
}

/** A place in a scope's log. */
export interface Position {
  readonly version: string;
  readonly seq: number;
}

/** A log entry on its way to clients. */
export interface LogEntry extends Position {
  /** The entry's own JSON text, a LogChange, in UTF-8. Shared: never write into it. */
  readonly wire: Buffer;
}

const BEGINNING = '{"changes":[';
const COMMA = 44;

/** One page of a pull. Its `body` joins the entries' own bytes: nothing is parsed or encoded again. */
export class PullPage {
  readonly full_resync_required = false;
  private parsed: readonly LogChange[] | undefined;

  constructor(
    /** In order of their versions. */
    readonly entries: readonly LogEntry[],
    /** Where the next pull goes on: never below the asked `since`. */
    readonly last_seq: string,
    /** The same as a plain integer; 0 for the zero cursor. */
    readonly seq: number,
    /** Whether to ask again at once. */
    readonly has_more: boolean,
  ) {}

  /** The entries as typed values, parsed when first asked for. */
  get changes(): readonly LogChange[] {
    return (this.parsed ??= this.entries.map(({ wire }) => JSON.parse(wire.toString()) as LogChange));
  }

  /** The answer's body, in UTF-8. */
  get body(): Buffer {
    const { entries, last_seq, seq, has_more } = this;
    const end = `],${JSON.stringify({ last_seq, seq, has_more }).slice(1)}`;
    const body = Buffer.allocUnsafe(
      entries.reduce((sum, { wire }) => sum + wire.length + 1, BEGINNING.length + Buffer.byteLength(end)),
    );
    let at = body.write(BEGINNING);
    for (const { wire } of entries) {
      at += wire.copy(body, at);
      body[at++] = COMMA;
    }
    if (entries.length > 0) at -= 1;
    return body.subarray(0, at + body.write(end, at));
  }

  /** The answer's body as text. */
  get json(): string {
    return this.body.toString();
  }

  toJSON(): object {
    const { changes, last_seq, seq, has_more } = this;
    return { changes, last_seq, seq, has_more };
  }
}

/**
 * Why a cursor cannot be gone on from. `too_old`: entries above it have been trimmed. `unknown_cursor`: this database
 * never wrote it, or has lost it (restored from a backup, reset, another environment).
 */
export type ResyncReason = 'too_old' | 'unknown_cursor';

/** The client has to load everything again (GET full), keep its unsent changes, and pull from there. */
export class FullResyncRequired {
  readonly full_resync_required = true;

  constructor(
    readonly collections: readonly string[],
    readonly reason: ResyncReason,
  ) {}

  get body(): Buffer {
    return Buffer.from(this.json);
  }

  get json(): string {
    return JSON.stringify(this);
  }

  toJSON(): object {
    const { full_resync_required, collections, reason } = this;
    return { full_resync_required, collections, reason };
  }
}

export type PullAnswer = PullPage | FullResyncRequired;
