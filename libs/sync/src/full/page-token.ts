import { parseHlc } from '../hlc/hlc';
import { SyncError } from '../protocol/errors';
import { isObject, type Json } from '../protocol/json';

/**
 * Where a full resync goes on: the text in `X-Sync-Cursor`. It is not signed, because it gives no access: the scope
 * that is read is always the identity's own, and the collections are authorized again on each page (invariant 5). It
 * holds no state of the server's, so it outlives a restart.
 */
export interface PageToken {
  readonly scope: string;
  /** All collections of the resync, in the order in which they are given. */
  readonly collections: readonly string[];
  /** Which of them the next page starts in. */
  readonly index: number;
  /** The id of the next page's first document, as canonical Extended JSON, so that its type survives. */
  readonly from: Json;
  /** Marked before the first document was read; the same on every page. */
  readonly lastSeq: string;
}

/** The format. A token of another one is refused. */
const FORMAT = 1;
/** Node refuses longer request lines. */
const MAX_LENGTH = 16_384;

export function encodePageToken({ scope, collections, index, from, lastSeq }: PageToken): string {
  const token = { v: FORMAT, scope, collections, index, from, lastSeq };
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

/**
 * @throws SyncError `invalid_cursor` for anything that {@link encodePageToken} has not made for this scope. Another
 *   scope's token gets the same words as garbage.
 */
export function decodePageToken(text: string, scope: string): PageToken {
  const token = text.length <= MAX_LENGTH && /^[A-Za-z0-9_-]+$/.test(text) ? parse(text) : undefined;
  if (!isObject(token) || Object.keys(token).length !== 6) throw invalidPageCursor();
  const { v, collections, index, from, lastSeq } = token;
  if (
    v !== FORMAT ||
    token['scope'] !== scope ||
    !isNameList(collections) ||
    typeof index !== 'number' ||
    !Number.isInteger(index) ||
    index < 0 ||
    index >= collections.length ||
    from === undefined ||
    typeof lastSeq !== 'string' ||
    !parseHlc(lastSeq)
  )
    throw invalidPageCursor();
  return { scope, collections, index, from: from as Json, lastSeq };
}

export function invalidPageCursor(): SyncError {
  return new SyncError(
    'invalid_cursor',
    'The parameter cursor must be the X-Sync-Cursor of the page before, unchanged, from the same scope. Start the full resync again without a cursor.',
    { path: 'cursor' },
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return undefined;
  }
}

function isNameList(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((name) => typeof name === 'string' && name !== '') &&
    new Set(value).size === value.length
  );
}
