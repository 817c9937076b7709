const FIRST_MS = 250;
const LONGEST_MS = 30_000;

/**
 * How long to wait before a dead worker is replaced, in milliseconds: a moment, and twice as long with each one that
 * died young before it, so that a fault that stays does not keep the machine busy.
 *
 * @param quickDeaths workers in a row that did not live for long
 */
export function restartDelay(quickDeaths: number): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, quickDeaths - 1));
}
