export const FIRST_PAGE_ENTRIES = 100;
const MAX_PAGE_ENTRIES = 1_000;
const MIN_PAGE_ENTRIES = 10;

/**
 * How many entries the next page may have, so that it holds about `targetBytes` when they are like the last ones.
 *
 * @param entries of the page before
 */
export function nextPageEntries(entries: readonly { readonly bytes: number }[], targetBytes: number): number {
  if (entries.length === 0) return FIRST_PAGE_ENTRIES;
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  const fitting = Math.floor((targetBytes * entries.length) / Math.max(1, bytes));
  return Math.max(MIN_PAGE_ENTRIES, Math.min(MAX_PAGE_ENTRIES, fitting));
}
