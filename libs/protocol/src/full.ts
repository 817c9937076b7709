import type { DocId } from './change.ts';
import type { JsonObject } from './json.ts';
import {
  clientSchemaParameter,
  collectionsParameter,
  expectedIdentityParameter,
  flagParameter,
  limitParameter,
  queryObject,
  textParameter,
} from './read-query.ts';
import { scopeParameter } from './scopes.ts';

/**
 * GET full: every document of the scope as it stands, in pages or in one stream, for a client that starts or has
 * fallen too far behind. The body is NDJSON, one {@link FullLine} a document and a {@link FullEnd} at its end; the headers
 * are `X-Sync-LastSeq`, the cursor to pull from afterwards, and `X-Sync-Cursor`, the next page's cursor, while there is
 * more.
 */
export interface FullRequest {
  /** The scope to read, the same on all pages. None: the identity's own. */
  readonly scope?: string | null;
  /** Names, in a list or separated by commas. None: all that the identity may read and that allow a full resync. */
  readonly collections?: string | readonly string[] | null;
  /** Documents in the page: 1 to maxFullLimit, or 0 for everything in one stream. Default: defaultFullLimit. */
  readonly limit?: number | string | null;
  /** `X-Sync-Cursor` of the page before. It brings the collections with it; others than those are refused. */
  readonly cursor?: string | null;
  /** False: deleted documents have no lines. For a client that has nothing yet. Default true. */
  readonly tombstones?: boolean | string | null;
  /** True: `X-Sync-Count` says about how many rows there are, unless counting takes too long. First page only. */
  readonly count?: boolean | string | null;
  /** `X-Sync-Identity` of an earlier answer: with credentials of anybody else the request is refused. */
  readonly expected_identity?: string | null;
  /** The version of the client's data model, as the app calls it. */
  readonly client_schema?: string | number | null;
}

/** A checked FullRequest; `limit` 0 stands for no limit. */
export interface FullQuery {
  readonly scope: string | undefined;
  readonly expectedIdentity: string | undefined;
  readonly collections: readonly string[] | undefined;
  readonly limit: number;
  readonly cursor: string | undefined;
  readonly clientSchema: string | undefined;
  readonly tombstones: boolean;
  readonly count: boolean;
}

export interface FullLimits {
  readonly defaultFullLimit: number;
  readonly maxFullLimit: number;
}

/**
 * Reads the parameters of a full resync as they came, text or typed. Unknown parameters are ignored.
 *
 * @throws SyncError `invalid_limit` or `malformed_request`
 */
export function parseFullQuery(request: unknown, limits: FullLimits): FullQuery {
  const query = queryObject(request);
  return {
    scope: scopeParameter(query),
    clientSchema: clientSchemaParameter(query),
    expectedIdentity: expectedIdentityParameter(query),
    collections: collectionsParameter(query),
    limit: limitParameter(query, { min: 0, max: limits.maxFullLimit, default: limits.defaultFullLimit }),
    cursor: textParameter(query, 'cursor'),
    tombstones: flagParameter(query, 'tombstones', true),
    count: flagParameter(query, 'count', false),
  };
}

/** One document of a full resync. */
export interface FullLine {
  readonly collection: string;
  readonly doc_id: DocId;
  /** Null for a tombstone. */
  readonly data: JsonObject | null;
  readonly deleted: boolean;
  /** What a change of this document gives as its parent_version; null for a document that never went through sync. */
  readonly version: string | null;
}

/** The last line of a page, once all of it was sent: without it the page is not whole. It has no `doc_id`. */
export interface FullEnd {
  readonly end: true;
  /** As in `X-Sync-LastSeq`. */
  readonly last_seq: string;
  /** As in `X-Sync-Seq`; null on a later page whose entry has been trimmed. */
  readonly seq: number | null;
  /** As in `X-Sync-Cursor`; null on the last page. */
  readonly cursor: string | null;
}
