import type { Injector } from './injector';

const HOUR_MS = 3_600_000;

/** The wall clock of one server process jumps, and later jumps back. */
function shifted(ms: number): Injector {
  return ({ servers }, { target }) => {
    const server = servers[target % servers.length];
    server?.shiftClock(ms);
    return () => server?.shiftClock(0);
  };
}

export const clockAhead = shifted(HOUR_MS);
export const clockBehind = shifted(-HOUR_MS);
