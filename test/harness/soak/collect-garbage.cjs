/**
 * Preloaded into the server of the soak: SIGUSR2 collects all garbage at once. Without it the memory at rest varies by
 * tens of megabytes, depending on when the last collection happened, and a leak of one would take hours to show.
 */
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
process.on('SIGUSR2', () => collect());
