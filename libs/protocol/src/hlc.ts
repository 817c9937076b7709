/**
 * The hybrid logical clock, as plain values and functions (Kulkarni et al., "Logical Physical Clocks", 2014).
 *
 * A stamp is a UTC millisecond, a counter inside that millisecond and the node that drew it. On the wire it is
 * `20260502T120000.000Z-0001-a1b2`; the node part may be missing (older clients). The text form has fixed-width
 * time and counter, so comparing two texts by code unit orders them exactly as the clock does.
 */
export interface Hlc {
  /** UTC milliseconds since 1970, 0 … {@link MAX_MS}. */
  readonly ms: number;
  /** 0 … 9999. One past 9999 moves `ms` on, so that the text keeps its width. */
  readonly counter: number;
  /** `''` for a legacy two-part stamp, else 1 to 64 of `A-Z a-z 0-9 . _ -`. May hold dashes. */
  readonly node: string;
}

/** The last millisecond that fits four digits of year. */
export const MAX_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
export const MAX_COUNTER = 9999;
/** How far ahead of the bounded wall clock a client's stamp may be, by default. Milliseconds. */
export const DEFAULT_MAX_DRIFT_MS = 60_000;

const TEXT = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})\.(\d{3})Z-(\d{4})(?:-([A-Za-z0-9._-]{1,64}))?$/;
const NODE = /^[A-Za-z0-9._-]{1,64}$/;

/** Whether `node` can stand in a stamp. */
export function isNodeId(node: string): boolean {
  return typeof node === 'string' && NODE.test(node);
}

/** Reads a stamp, or gives `undefined` for anything that no clock could have written (month 13, year 0000, …). */
export function parseHlc(text: string): Hlc | undefined {
  const match = TEXT.exec(text);
  if (!match) return undefined;
  const part = (index: number): number => Number(match[index]);
  const ms = Date.UTC(part(1), part(2) - 1, part(3), part(4), part(5), part(6), part(7));
  const hlc: Hlc = { ms, counter: part(8), node: match[9] ?? '' };
  // Date.UTC rolls 31 February over; a stamp that does not come back as it was is not a stamp.
  return ms >= 0 && ms <= MAX_MS && formatHlc(hlc) === text ? hlc : undefined;
}

/** The wire form of a stamp. */
export function formatHlc({ ms, counter, node }: Hlc): string {
  const stamp = `${timeText(ms)}-${String(counter).padStart(4, '0')}`;
  return node === '' ? stamp : `${stamp}-${node}`;
}

/** The last time that was written: the versions of one push share it. */
let known = { ms: NaN, text: '' };

function timeText(ms: number): string {
  if (ms !== known.ms) known = { ms, text: new Date(ms).toISOString().replace(/[-:]/g, '') };
  return known.text;
}

/** Negative, zero or positive, as `a` is before, equal to or after `b`. The node decides last. */
export function compareHlc(a: Hlc, b: Hlc): number {
  return a.ms - b.ms || a.counter - b.counter || (a.node < b.node ? -1 : a.node > b.node ? 1 : 0);
}

/**
 * The next stamp of `node`: strictly above `last` whatever the wall clock says (backward, frozen, leaping).
 *
 * @param last the highest stamp known so far
 * @param wallMs the wall clock, milliseconds
 * @throws RangeError past the year 9999
 */
export function sendHlc(last: Hlc, wallMs: number, node: string): Hlc {
  if (wallMs > last.ms) return within({ ms: wallMs, counter: 0, node });
  return last.counter < MAX_COUNTER
    ? { ms: last.ms, counter: last.counter + 1, node }
    : within({ ms: last.ms + 1, counter: 0, node });
}

/**
 * The stamp of `node` after it has seen `remote`: strictly above both.
 *
 * @throws RangeError past the year 9999; check {@link isTooFarAhead} before
 */
export function receiveHlc(last: Hlc, remote: Hlc, wallMs: number, node: string): Hlc {
  return sendHlc(compareHlc(last, remote) >= 0 ? last : remote, wallMs, node);
}

/** Whether a stamp is further ahead of the wall clock (and of the scope's own head) than the drift allows. */
export function isTooFarAhead(stamp: Hlc, wallMs: number, headMs: number, maxDriftMs: number): boolean {
  return stamp.ms > Math.max(wallMs, headMs) + maxDriftMs;
}

/** Before everything. Any stamp at its millisecond counts as the zero cursor. */
export const ZERO_HLC: Hlc = { ms: 0, counter: 0, node: '' };
export const ZERO_VERSION = formatHlc(ZERO_HLC);

/** Whether a cursor means "from the beginning". */
export function isZeroCursor(hlc: Hlc): boolean {
  return hlc.ms === 0;
}

function within(hlc: Hlc): Hlc {
  if (!(hlc.ms <= MAX_MS)) throw new RangeError('The clock is past the year 9999');
  return hlc;
}
