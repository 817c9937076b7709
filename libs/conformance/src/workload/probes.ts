import type { Party } from './party';

/** Requests that must be refused, or bounded, in a known way. */
export async function probe(_party: Party): Promise<void> {
  // Filled in next.
}
