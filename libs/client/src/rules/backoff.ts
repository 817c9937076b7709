/** Milliseconds. */
export interface BackoffLimits {
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * How long to wait after the given number of failures in a row: full jitter, so that devices that failed together do not come back
 * together. What the server asks for is waited for in any case.
 *
 * @param failures 1 or more
 * @param chance 0 to 1
 * @param retryAfterMs of the server; 0 if it said nothing
 */
export function waitFor(
  failures: number,
  chance: number,
  retryAfterMs: number,
  limits: BackoffLimits,
): number {
  const most = Math.min(limits.maxMs, limits.baseMs * 2 ** Math.min(30, failures - 1));
  // At least a tenth: a chance of zero must not become a loop without a pause.
  return Math.max(Math.round(most * Math.max(0.1, chance)), retryAfterMs);
}
