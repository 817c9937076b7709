const FIRST_MS = 50;
const LONGEST_MS = 2_000;

/**
 * How long to wait before the next attempt, in milliseconds: full jitter, so that the processes of a cluster do not
 * come back at the same moment.
 *
 * @param failures attempts that failed in a row, from 1 on
 * @param random 0 … 1
 */
export function backoffMs(failures: number, random: number): number {
  return random * Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 16));
}
