import { parseEnvelope, type Envelope, type EnvelopeFields } from './envelope.ts';
import type { DocId } from './change.ts';
import type { JsonObject } from './json.ts';
import {
  collectionsParameter,
  flagParameter,
  limitParameter,
  queryObject,
  textParameter,
} from './read-query.ts';

/**
 * GET full: every document of the scope as it stands, in pages or in one stream, for a client that starts or has
 * fallen too far behind. The body is NDJSON, one {@link FullLine} a document and a {@link FullEnd} at its end; the headers
 * are `X-Sync-LastSeq`, the cursor to pull from afterwards, and `X-Sync-Cursor`, the next page's cursor, while there is
 * more.
 */
export interface FullRequest extends EnvelopeFields {
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
}

/** A checked FullRequest; `limit` 0 stands for no limit. */
export interface FullQuery extends Envelope {
  readonly collections: readonly string[] | undefined;
  readonly limit: number;
  readonly cursor: string | undefined;
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
    ...parseEnvelope(query),
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
