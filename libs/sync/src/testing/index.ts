/** For tests of apps that use the package: `import { … } from 'nest-offline-sync/testing'`. */
export { FixedWallClock } from './fixed-wall-clock';
