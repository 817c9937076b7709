import { parseEnvelope, type Envelope, type EnvelopeFields } from './envelope.ts';
import { isDocId, MAX_ID_BYTES, type DocId } from './change.ts';
import { SyncError } from './errors.ts';
import type { FullLine } from './full.ts';
import { queryObject, textParameter } from './read-query.ts';

/**
 * GET documents: single documents of one collection as they stand, with their versions. For a client that has to look at
 * one before it goes on (after a rejection, say), not for loading many: that is what pull and full are for.
 */
export interface DocumentsRequest extends EnvelopeFields {
  readonly collection?: string | null;
  /**
   * At most {@link MAX_DOCUMENT_IDS}: a JSON array (`["a",7]`), or the parameter repeated with the text of one id each. A
   * single text that begins with `[` is an array. Commas separate nothing: an id may hold one.
   */
  readonly ids?: string | readonly DocId[] | null;
}

/** Ids of one request. */
export const MAX_DOCUMENT_IDS = 100;

/** A checked DocumentsRequest. */
export interface DocumentsQuery extends Envelope {
  readonly collection: string;
  readonly ids: readonly DocId[];
}

export interface DocumentsAnswer {
  /** Those that exist, in the order of the ids; a deleted one with `deleted: true`. */
  readonly documents: readonly FullLine[];
  /** Ids of which this scope has no document, or none any more: its tombstone was removed. */
  readonly missing: readonly DocId[];
  /** Ids that were not looked at, because the answer would have grown too large: ask for these again. */
  readonly remaining: readonly DocId[];
}

/**
 * Reads the parameters as they came, text or typed. Unknown parameters are ignored.
 *
 * @throws SyncError `malformed_request`, `invalid_doc_id`
 */
export function parseDocumentsQuery(request: unknown): DocumentsQuery {
  const query = queryObject(request);
  const collection = textParameter(query, 'collection');
  if (collection === undefined)
    throw malformed('collection', 'The parameter collection must name one collection.');
  const ids = listOf(query['ids']);
  if (ids === undefined || ids.length === 0)
    throw malformed('ids', 'The parameter ids must be a JSON array of ids, or be repeated with one id each.');
  if (ids.length > MAX_DOCUMENT_IDS)
    throw new SyncError(
      'malformed_request',
      `A request names at most ${MAX_DOCUMENT_IDS} ids; ask for the rest in further requests.`,
      { path: 'ids', limit: MAX_DOCUMENT_IDS },
    );
  const bad = ids.findIndex((id) => !isDocId(id));
  if (bad >= 0)
    throw new SyncError(
      'invalid_doc_id',
      `ids[${bad}] must be a string of 1 to ${MAX_ID_BYTES} bytes without NUL, or a safe integer.`,
      { path: `ids[${bad}]` },
    );
  return {
    ...parseEnvelope(query),
    collection,
    ids: ids as readonly DocId[],
  };
}

function listOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value as readonly unknown[];
  if (typeof value !== 'string' || value === '') return undefined;
  if (!value.startsWith('[')) return [value];
  try {
    const parsed: unknown = JSON.parse(value);
    return Array.isArray(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function malformed(path: string, message: string): SyncError {
  return new SyncError('malformed_request', message, { path });
}
