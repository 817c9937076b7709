/** How far ahead of any clock a stamp must lie to be refused everywhere. */
const FAR_AHEAD_MS = 10 * 365 * 24 * 3600 * 1000;

/** An edit stamp, as the device's own clock would generate it. */
export function stampAt(ms: number, counter: number, node: string): string {
  const time = new Date(ms).toISOString().replace(/[-:]/g, '');
  return `${time}-${String(counter % 10_000).padStart(4, '0')}-${node}`;
}

export function farAhead(ms: number, node: string): string {
  return stampAt(ms + FAR_AHEAD_MS, 0, node);
}
