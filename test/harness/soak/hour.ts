import type { Census } from './census';
import { drift, slope } from './trend';

/** One round of the soak: a conformance run under load, then a census while nobody is connected. */
export interface Round {
  /** Seconds since the soak began, at the census. */
  readonly at: number;
  readonly changes: number;
  /** Of the pushes of this round, in milliseconds. */
  readonly pushP50: number;
  readonly pushP99: number;
  readonly pullP99: number;
  /** Numbers of the invariants that were violated. */
  readonly violated: readonly number[];
  readonly rest: Census;
}

export interface Assessment {
  /** Megabytes in ten minutes. */
  readonly rssSlope: number;
  /** p99 of a push in the last third of the rounds, over that of the first third. */
  readonly p99Drift: number;
  /** What is more than allowed, a sentence each. */
  readonly problems: readonly string[];
}

export const RSS_SLOPE_LIMIT = 1;
export const P99_DRIFT_LIMIT = 1.5;
/** A connection of the driver's pool or of the load may come or go between two rests. */
const HANDLE_MARGIN = 6;
const MEGABYTE = 1 << 20;

/**
 * Judges what was measured after the warm-up.
 *
 * @param rounds at least one
 * @param warmUp seconds at the beginning that do not count for slope and drift
 */
export function assess(rounds: readonly Round[], warmUp: number): Assessment {
  const counted = rounds.filter(({ at }) => at > warmUp);
  const rssSlope = 600 * slope(counted.map(({ at, rest }) => ({ at, value: rest.rss / MEGABYTE })));
  const p99Drift = drift(counted.map(({ at, pushP99 }) => ({ at, value: pushP99 })));
  const problems: string[] = [];
  if (counted.length < 6)
    problems.push(`Only ${String(counted.length)} rounds after the warm-up: too few for a trend.`);
  if (rssSlope > RSS_SLOPE_LIMIT)
    problems.push(`Memory grows by ${rssSlope.toFixed(2)} MB in ten minutes, more than ${RSS_SLOPE_LIMIT}.`);
  if (p99Drift > P99_DRIFT_LIMIT)
    problems.push(`The p99 of a push drifted to ${p99Drift.toFixed(2)} times what it was.`);
  for (const { at, violated } of rounds)
    if (violated.length > 0)
      problems.push(`The round that ended at ${at.toFixed(0)} s violated invariants ${violated.join(', ')}.`);
  const [first] = rounds;
  const last = rounds.at(-1);
  if (first && last) {
    for (const handle of ['descriptors', 'cursors', 'pinnedCursors', 'openTransactions'] as const)
      if (last.rest[handle] > first.rest[handle] + (handle === 'descriptors' ? HANDLE_MARGIN : 0))
        problems.push(
          `${handle}: ${String(last.rest[handle])} at rest at the end, ${String(first.rest[handle])} at first.`,
        );
  }
  return { rssSlope, p99Drift, problems };
}
