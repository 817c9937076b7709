import { setTimeout as delay } from 'node:timers/promises';

/**
 * Looks again and again until a condition holds.
 *
 * @param pauseMs between two looks; longer for what costs others something
 * @throws Error after `limitMs`
 */
export async function until(
  holds: () => boolean | Promise<boolean>,
  limitMs = 60_000,
  pauseMs = 5,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > deadline)
      throw new Error(`Not within ${String(limitMs)} ms: ${holds.toString()}`);
    await delay(pauseMs);
  }
}
