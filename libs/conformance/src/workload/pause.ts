import { setTimeout as delay } from 'node:timers/promises';

/** Waits, or less when `signal` says that there is nothing to wait for any more. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return;
  await delay(ms, undefined, signal ? { signal } : {}).catch(() => undefined);
}
