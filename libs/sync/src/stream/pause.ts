import { setTimeout as delay } from 'node:timers/promises';

/** Waits, or returns at once when the signal fires. Never throws. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    // Aborted: the caller looks at the signal.
  }
}
