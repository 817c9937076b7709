import { setTimeout as delay } from 'node:timers/promises';
import { SyncError } from 'nest-offline-sync-protocol';
import { mayBeOfOne } from '../database/errors';
import { fullJitter, OUTAGE_PAUSE } from '../database/waiting';

/** How often the first one is tried alone before it is left: it may still be a matter of the moment. */
const TRIES = 3;

/**
 * Does a work for many at once. Where it fails, and a single one may be the reason, it is done for smaller and smaller parts:
 * what fails alone is left, the others are done.
 *
 * @param work for all, or some of them, in their order. What is done twice must do nothing the second time
 * @param leave told of each that fails alone, and of its error
 * @throws the error that says something of the moment, or that any other one would meet too
 */
export async function apart<T>(
  items: readonly T[],
  work: (some: readonly T[]) => Promise<void>,
  leave: (item: T, error: unknown) => void,
): Promise<void> {
  let tries = TRIES;
  const attempt = async (some: readonly T[], failures = 0): Promise<void> => {
    try {
      await work(some);
    } catch (error) {
      if (error instanceof SyncError || !mayBeOfOne(error)) throw error;
      const half = some.length >> 1;
      if (half > 0) {
        await attempt(some.slice(0, half));
        await attempt(some.slice(half));
      } else if (failures + 1 < tries) {
        await delay(fullJitter(failures, OUTAGE_PAUSE, Math.random()));
        await attempt(some, failures + 1);
      } else {
        tries = 1;
        for (const item of some) leave(item, error);
      }
    }
  };
  await attempt(items);
}
