import {
  collectionsParameter,
  isScopeId,
  limitParameter,
  queryObject,
  scopeParameter,
  SyncError,
  textParameter,
} from 'nest-offline-sync-protocol';

/** Rows of one page of any list. */
const PAGE = { min: 1, max: 200, default: 50 };

/** What every list takes. */
export interface PageQuery {
  readonly limit: number;
  /** What stood in the cursor; undefined: the first page. */
  readonly after: readonly unknown[] | undefined;
  /** Only rows of this scope. */
  readonly scope: string | undefined;
}

/** @throws SyncError `invalid_limit`, `invalid_cursor`, `malformed_request` */
export function parsePageQuery(given: unknown): PageQuery {
  const query = queryObject(given);
  const cursor = textParameter(query, 'cursor');
  return {
    limit: limitParameter(query, PAGE),
    after: cursor === undefined ? undefined : readCursor(cursor),
    scope: scopeParameter(query),
  };
}

/** A cursor is opaque to callers: the sort keys of the last row, as JSON in base64url. */
export function cursorText(keys: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(keys)).toString('base64url');
}

function readCursor(text: string): readonly unknown[] {
  try {
    const keys: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Array.isArray(keys) && cursorText(keys as string[]) === text) return keys;
  } catch {
    // No JSON.
  }
  throw badCursor();
}

export function badCursor(): SyncError {
  return new SyncError(
    'invalid_cursor',
    'The parameter cursor must be `next` of the page before, of the same list. Leave it out to begin again.',
    { path: 'cursor' },
  );
}

/** The scope that a cursor of the list of scopes stands at. */
export function scopeOfCursor(after: readonly unknown[] | undefined): string | undefined {
  if (after === undefined) return undefined;
  const [scope] = after;
  if (after.length !== 1 || typeof scope !== 'string' || !isScopeId(scope)) throw badCursor();
  return scope;
}

/** What `POST verify` takes. */
export interface VerifyQuery {
  readonly collections: readonly string[] | undefined;
  readonly scope: string | undefined;
  readonly limit: number;
}

/**
 * @param body undefined or null, as of a request without one: everything is compared
 * @param synced the names of the synced collections
 * @throws SyncError `malformed_request`, `invalid_limit`, `unknown_collection`
 */
export function parseVerifyBody(body: unknown, synced: readonly string[]): VerifyQuery {
  const query = queryObject(body);
  const collections = collectionsParameter(query);
  for (const name of collections ?? [])
    if (!synced.includes(name))
      throw new SyncError('unknown_collection', `The collection ${JSON.stringify(name)} is not synced.`, {
        path: 'collections',
      });
  return {
    collections,
    scope: scopeParameter(query),
    limit: limitParameter(query, { min: 1, max: 1000, default: 100 }),
  };
}
