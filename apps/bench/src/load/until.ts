import { setTimeout as delay } from 'node:timers/promises';

const BETWEEN_MS = 5;

/** Looks again and again until a condition holds. @throws Error after `limitMs` */
export async function until(holds: () => boolean, limitMs: number): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`Not within ${String(limitMs)} ms`);
    await delay(BETWEEN_MS);
  }
}
