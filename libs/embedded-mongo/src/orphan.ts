import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, type ProcessIdentity } from './process-identity';

/** The watchdog of a dead host looks every 2 s; past this it is gone too, and the server is ended from here. */
const WATCHDOG_MS = 3000;
const LIMIT_MS = 15_000;

/**
 * Waits until a server whose host has died is gone, and ends it if its watchdog does not.
 * @returns false when it is still there after 15 s
 */
export async function outliveOrphan(mongod: ProcessIdentity): Promise<boolean> {
  const begin = Date.now();
  let ended = false;
  while (isAlive(mongod)) {
    const waited = Date.now() - begin;
    if (waited > LIMIT_MS) return false;
    if (waited > WATCHDOG_MS && !ended) {
      ended = true;
      process.kill(mongod.pid, 'SIGTERM');
    }
    await delay(50);
  }
  return true;
}
