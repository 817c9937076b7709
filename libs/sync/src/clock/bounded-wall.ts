/** How far the wall clock may be from the database's clock before it is held back. Milliseconds. */
export const MAX_OFFSET_MS = 5_000;
/** A measure that took longer says little: half of this is its error. Milliseconds. */
export const MAX_ROUND_TRIP_MS = 1_000;
/** After this a doubtful measure is better than an old one. Milliseconds. */
export const STALE_AFTER_MS = 60_000;

/** One look at the database's clock. `at` is a monotonic clock of this process, in milliseconds. */
export interface ClockMeasure {
  /** The database's clock at `at`: what it said, plus half the round trip. */
  readonly databaseMs: number;
  readonly at: number;
  readonly roundTripMs: number;
}

/**
 * @param localTimeMs the clock that the answer carried
 * @param sentAt when the question left, `receivedAt` when the answer was there, by the monotonic clock
 */
export function measureClock(localTimeMs: number, sentAt: number, receivedAt: number): ClockMeasure {
  const roundTripMs = Math.max(0, receivedAt - sentAt);
  return { databaseMs: localTimeMs + roundTripMs / 2, at: receivedAt, roundTripMs };
}

/** Which of two measures to go by: the newer one, unless it is doubtful and the older one still fresh. */
export function betterMeasure(known: ClockMeasure | undefined, next: ClockMeasure): ClockMeasure {
  if (known === undefined || next.roundTripMs <= MAX_ROUND_TRIP_MS) return next;
  return next.roundTripMs < known.roundTripMs || next.at - known.at > STALE_AFTER_MS ? next : known;
}

/** The database's clock now, moved on from the last measure by the monotonic clock. */
export function databaseClock(measure: ClockMeasure, monotonicMs: number): number {
  return measure.databaseMs + Math.max(0, monotonicMs - measure.at);
}

/**
 * The bounded wall clock (invariant 8): the machine's, but never more than {@link MAX_OFFSET_MS} away from the
 * database's. Whole milliseconds. Before the first measure it is the machine's.
 */
export function boundedWall(wallMs: number, measure: ClockMeasure | undefined, monotonicMs: number): number {
  if (measure === undefined) return Math.round(wallMs);
  const database = databaseClock(measure, monotonicMs);
  return Math.round(Math.min(Math.max(wallMs, database - MAX_OFFSET_MS), database + MAX_OFFSET_MS));
}

/** Milliseconds since 1970 as ISO 8601 in UTC, `2026-05-02T12:00:00.000Z`: how the wire tells the server's time. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
