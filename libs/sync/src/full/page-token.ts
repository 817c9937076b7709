import { hash } from 'node:crypto';
import { isObject, parseHlc, SyncError, type Json } from 'nest-offline-sync-protocol';

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

/** The format. In the one before, the names stood in the token themselves; such tokens are still taken. */
const FORMAT = 2;
const FORMAT_WITH_NAMES = 1;
/** Node refuses longer request lines. */
const MAX_LENGTH = 16_384;

/**
 * The collections are told by their places among all that are synced, and by a hash of their names, so that the token
 * stays short however many there are. Where other collections are synced the places mean others, and the hash is wrong.
 *
 * @param known the names of all synced collections, those of the token among them
 */
export function encodePageToken(
  { scope, collections, index, from, lastSeq }: PageToken,
  known: readonly string[],
): string {
  const sorted = [...known].sort();
  const places = runsOf(collections.map((name) => sorted.indexOf(name)));
  const token = { v: FORMAT, scope, places, names: hashOf(collections), index, from, lastSeq };
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

/**
 * @param known the names of all synced collections
 * @throws SyncError `invalid_cursor` for anything that {@link encodePageToken} has not made for this scope and these
 *   collections. Another scope's token gets the same words as garbage.
 */
export function decodePageToken(text: string, scope: string, known: readonly string[]): PageToken {
  const token = text.length <= MAX_LENGTH && /^[A-Za-z0-9_-]+$/.test(text) ? parse(text) : undefined;
  if (!isObject(token)) throw invalidPageCursor();
  const { index, from, lastSeq } = token;
  const collections = collectionsOf(token, known);
  if (
    !collections ||
    token['scope'] !== scope ||
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

function collectionsOf(token: Record<string, unknown>, known: readonly string[]): string[] | undefined {
  const fields = Object.keys(token).length;
  if (token['v'] === FORMAT_WITH_NAMES)
    return fields === 6 && isNameList(token['collections']) ? token['collections'] : undefined;
  if (token['v'] !== FORMAT || fields !== 7 || typeof token['places'] !== 'string') return undefined;
  const sorted = [...known].sort();
  const names = placesIn(token['places'], sorted.length).map((place) => sorted[place]);
  return isNameList(names) && hashOf(names) === token['names'] ? names : undefined;
}

function hashOf(names: readonly string[]): string {
  return hash('sha256', JSON.stringify(names), 'base64url').slice(0, 22);
}

/** `0-41,7,50-52`: neighbours that follow each other are one run. */
function runsOf(places: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const place of places) {
    const run = runs.at(-1);
    if (run?.[1] === place - 1) run[1] = place;
    else runs.push([place, place]);
  }
  return runs.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join();
}

/** None when the text is no list of places below `count`, each once. */
function placesIn(runs: string, count: number): number[] {
  const places = new Set<number>();
  for (const run of runs.split(',')) {
    const [, first = '', last = first] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(run) ?? [];
    const [from, to] = [Number(first || NaN), Number(last)];
    if (!(from <= to && to < count)) return [];
    for (let place = from; place <= to; place += 1) {
      if (places.has(place)) return [];
      places.add(place);
    }
  }
  return [...places];
}

export function invalidPageCursor(): SyncError {
  return new SyncError(
    'invalid_cursor',
    'The parameter cursor must be the X-Sync-Cursor of the page before, unchanged, from the same scope and collections. Start the full resync again without a cursor.',
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
