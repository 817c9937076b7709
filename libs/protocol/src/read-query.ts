import { parseHlc, isZeroCursor } from './hlc.ts';
import { SyncError } from './errors.ts';
import { isObject } from './json.ts';

/**
 * The pieces that the query strings of pull and full share. Values are texts of a query string, or what the app's own
 * code passed; anything else is refused with a SyncError and never with a TypeError.
 */
export type QueryObject = Readonly<Record<string, unknown>>;

/** @throws SyncError `malformed_request` when the query is no object */
export function queryObject(query: unknown): QueryObject {
  if (query === undefined || query === null) return {};
  if (isObject(query)) return query;
  throw new SyncError('malformed_request', 'The query must be an object of parameters.');
}

/**
 * A parameter that stands once, as text; blank counts as missing.
 *
 * @throws SyncError `malformed_request` for a repeated or nested parameter
 */
export function textParameter(query: QueryObject, name: string): string | undefined {
  const value = query[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'string') return value;
  throw new SyncError('malformed_request', `The parameter ${name} must be given once, as text.`, {
    path: name,
  });
}

/**
 * The asked collections: separated by commas, or the parameter repeated; blanks and repetitions fall out.
 *
 * @returns undefined when none is named: all that the identity may read
 * @throws SyncError `malformed_request` for a nested parameter
 */
export function collectionsParameter(query: QueryObject): readonly string[] | undefined {
  const value = query['collections'];
  if (value === undefined || value === null) return undefined;
  const parts: readonly unknown[] = Array.isArray(value) ? value : [value];
  const names = new Set<string>();
  for (const part of parts) {
    if (typeof part !== 'string')
      throw new SyncError(
        'malformed_request',
        'The parameter collections must be names separated by commas, or be repeated with one name each.',
        { path: 'collections' },
      );
    for (const name of part.split(',')) if (name.trim() !== '') names.add(name.trim());
  }
  return names.size > 0 ? [...names] : undefined;
}

/**
 * @throws SyncError `invalid_limit` for anything but a whole number in the range; `malformed_request` for a repeated
 *   or nested parameter
 */
export function limitParameter(
  query: QueryObject,
  range: { min: number; max: number; default: number },
): number {
  const value = query['limit'];
  if (value === undefined || value === null) return range.default;
  if (typeof value !== 'string' && typeof value !== 'number')
    throw new SyncError('malformed_request', 'The parameter limit must be given once.', { path: 'limit' });
  const limit = typeof value === 'number' ? value : /^\d{1,15}$/.test(value) ? Number(value) : NaN;
  if (!Number.isSafeInteger(limit) || limit < range.min || limit > range.max)
    throw new SyncError(
      'invalid_limit',
      `The parameter limit must be a whole number from ${range.min} to ${range.max}.`,
      { path: 'limit' },
    );
  return limit;
}

/** Where to read on from: a version, or the seq of one. Undefined where one is expected: the beginning. */
export type Cursor = string | number;

/**
 * The cursor: `since` (a version) or `since_seq` (its seq).
 *
 * @returns undefined for "from the beginning": both missing or blank, seq 0, or any stamp of 1970-01-01T00:00:00.000
 * @throws SyncError `invalid_cursor` for anything that no clock could have written, or that is no seq;
 *   `malformed_request` for both at once, and for a repeated or nested parameter
 */
export function cursorParameter(query: QueryObject): Cursor | undefined {
  const text = textParameter(query, 'since');
  const seq = seqParameter(query);
  if (text !== undefined && seq !== undefined)
    throw new SyncError('malformed_request', 'Give since or since_seq, not both.', { path: 'since_seq' });
  return seq === undefined ? versionCursor(text) : seq || undefined;
}

function seqParameter(query: QueryObject): number | undefined {
  const value = query['since_seq'];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string' && typeof value !== 'number')
    throw new SyncError('malformed_request', 'The parameter since_seq must be given once, as an integer.', {
      path: 'since_seq',
    });
  const seq = typeof value === 'number' ? value : /^\d{1,16}$/.test(value) ? Number(value) : NaN;
  if (Number.isSafeInteger(seq) && seq >= 0) return seq;
  throw new SyncError(
    'invalid_cursor',
    'The parameter since_seq must be the seq of an earlier answer: a whole number from 0 on.',
    { path: 'since_seq' },
  );
}

function versionCursor(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const stamp = parseHlc(text);
  if (!stamp)
    throw new SyncError(
      'invalid_cursor',
      'The parameter since must be the last_seq of an earlier answer, for example 20260502T120000.000Z-0001-a1b2.',
      { path: 'since' },
    );
  return isZeroCursor(stamp) ? undefined : text;
}

/**
 * A switch, as text of a query string or typed; blank counts as missing.
 *
 * @throws SyncError `malformed_request` for anything but true or false
 */
export function flagParameter(query: QueryObject, name: string, otherwise: boolean): boolean {
  const value = query[name];
  if (value === undefined || value === null || value === '') return otherwise;
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  throw new SyncError('malformed_request', `The parameter ${name} must be true or false.`, { path: name });
}
