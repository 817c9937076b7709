import { formatHlc, ZERO_HLC, ZERO_VERSION, type ResyncReason } from 'nest-offline-sync-protocol';
import { PullPage } from './page';
import type { LogEntry } from '../log/entry';

/** What the decisions need of a scope's head. */
export interface HeadView {
  readonly version: string;
  readonly seq: number;
  readonly floor: string;
}

/** Where the answer to a cursor is to be found. */
export type Look =
  /** Nothing above the cursor: the head alone answers. */
  | { readonly at: 'head' }
  /** In the log, from `from` on, inclusive. `mustMeet`: the first row has to be `from` itself. */
  | { readonly at: 'log'; readonly from: string | undefined; readonly mustMeet: boolean }
  | { readonly at: 'gone'; readonly reason: ResyncReason };

/** Below it are the zero cursors: any stamp of 1970-01-01T00:00:00.000. */
const FIRST_REAL = formatHlc({ ...ZERO_HLC, ms: 1 });

const UNKNOWN: Look = { at: 'gone', reason: 'unknown_cursor' };
const TOO_OLD: Look = { at: 'gone', reason: 'too_old' };

/**
 * What a scope's head says of a cursor, before the log is read (invariant 7).
 *
 * A cursor is known when it is the beginning and nothing was trimmed yet, the floor, or the version of a kept entry.
 * The beginning counts as too old once something was trimmed: the removed entries would be a hole.
 *
 * @param since undefined for the beginning; versions compare as text
 * @param head null before the scope's first write
 */
export function locateCursor(since: string | undefined, head: HeadView | null): Look {
  if (since === undefined || since < FIRST_REAL) {
    if (!head) return { at: 'head' };
    return head.floor > ZERO_VERSION ? TOO_OLD : { at: 'log', from: undefined, mustMeet: false };
  }
  if (!head || since > head.version) return UNKNOWN;
  if (since === head.version) return { at: 'head' };
  if (since < head.floor) return TOO_OLD;
  return { at: 'log', from: since, mustMeet: since !== head.floor };
}

/**
 * The same of a cursor that is a seq. `entry`: the log has to say the version of the entry of this seq, which is then
 * the cursor.
 */
export function locateSeq(
  seq: number,
  head: (HeadView & { readonly floorSeq: number }) | null,
): Look | { readonly at: 'entry' } {
  if (!head || seq > head.seq) return UNKNOWN;
  if (seq === head.seq) return { at: 'head' };
  if (seq < head.floorSeq) return TOO_OLD;
  return seq === head.floorSeq ? { at: 'log', from: head.floor, mustMeet: false } : { at: 'entry' };
}

/** How many rows tell whether there is more: one above the limit, and the row at the cursor, which is not given. */
export function rowsToRead(look: Look & { at: 'log' }, limit: number): number {
  return limit + (look.from === undefined ? 1 : 2);
}

/** The page when nothing is above the cursor. */
export function headPage(head: HeadView | null): PullPage {
  return new PullPage([], head?.version ?? ZERO_VERSION, head?.seq ?? 0, false);
}

/**
 * The page that the rows of the log give (invariant 3): the asked entries above the cursor, and where to go on.
 *
 * `last_seq` is the last given version while there is more. At the end it moves up to the head, so that a client of
 * quiet collections never falls below the floor.
 *
 * @param head read BEFORE the rows, so that every asked entry up to it is among them
 * @param rows from `look.from` on, inclusive, in order; all of the asked collections but for the row at the cursor
 * @param cutShort whether the reader stopped before `rowsToRead` although the log may go on
 */
export function pageOf(
  look: Look & { at: 'log' },
  head: HeadView,
  rows: readonly LogEntry[],
  limit: number,
  cutShort = false,
): PullPage | ResyncReason {
  const met = look.from !== undefined && rows[0]?.version === look.from;
  if (look.mustMeet && !met) return 'unknown_cursor';
  const above = met ? rows.slice(1) : rows;
  const entries = above.slice(0, limit);
  const last = entries.at(-1);
  const hasMore = above.length > limit || (cutShort && last !== undefined);
  const end = last && (hasMore || last.version > head.version) ? last : head;
  return new PullPage(entries, end.version, end.seq, hasMore);
}
