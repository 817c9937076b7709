/**
 * Preloaded into the server of the soak: SIGUSR2 collects all garbage at once. Without it the memory at rest says by
 * tens of megabytes when the last collection happened to be, and a leak of one would need hours to show.
 */
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
process.on('SIGUSR2', () => collect());
