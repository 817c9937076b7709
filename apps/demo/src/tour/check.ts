/** Something is not as the tour says. The message says what was expected. */
export class TourError extends Error {
  override readonly name = 'TourError';
}

/** @throws TourError */
export function check(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new TourError(claim);
}

/** @throws TourError when there is none */
export function present<T>(value: T | undefined | null, claim: string): T {
  check(value !== undefined && value !== null, claim);
  return value;
}
