import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * SIGUSR2 collects all garbage, so that memory can be compared before and after. Nothing is different until then: a
 * server that runs with a flag would not be the users' one.
 */
export function collectGarbageOnSignal(): void {
  process.on('SIGUSR2', () => {
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
  });
}
