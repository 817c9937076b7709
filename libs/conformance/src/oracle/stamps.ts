/**
 * Versions and cursors as docs/protocol.md has them: UTC milliseconds, counter, node. Written again here: the oracle
 * shares no code with the server.
 */
const STAMP = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{3})Z-\d{4}(?:-[A-Za-z0-9._-]{1,64})?$/;
const BEGINNING = '19700101T000000.000Z';

/** Milliseconds since 1970 of a stamp; null for other text. */
export function stampMillis(stamp: string): number | null {
  const parts = STAMP.exec(stamp);
  if (parts === null) return null;
  const [year, month, day, hour, minute, second, millis] = parts.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return Date.UTC(year, month - 1, day, hour, minute, second, millis);
}

/** A cursor as text that is below every version when it means the beginning, else the cursor itself. */
export function cursorText(since: string | null): string {
  return since === null || since.startsWith(BEGINNING) ? '' : since;
}

/** Index of the first of rising `versions` that is above `version`. */
export function firstAbove(versions: readonly { readonly version: string }[], version: string): number {
  let low = 0;
  let high = versions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const found = versions[middle];
    if (found !== undefined && found.version <= version) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Rising, by text: that is the order of commit. */
export function byVersion(a: { readonly version: string }, b: { readonly version: string }): number {
  return a.version < b.version ? -1 : a.version > b.version ? 1 : 0;
}
