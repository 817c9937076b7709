/**
 * Versions as the engine generates them, for what the driver writes alone: `20260502T120000.000Z-0001-bench`.
 *
 * @param place the n-th stamp from `startMs` on; ten to a millisecond
 */
export function stamp(startMs: number, place: number): string {
  const time = new Date(startMs + Math.floor(place / 10)).toISOString().replace(/[-:]/g, '');
  return `${time}-000${String(place % 10)}-bench`;
}

/** Before every stamp. */
export const ZERO_STAMP = '19700101T000000.000Z-0000';
