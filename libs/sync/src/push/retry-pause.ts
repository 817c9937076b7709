const FIRST_MS = 4;
const LONGEST_MS = 200;

/** Full jitter up to 200 ms: how long to wait before try `attempts` + 1. `random` is from 0 to below 1. */
export function retryPauseMs(attempts: number, random: number): number {
  return random * Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempts, 10));
}
