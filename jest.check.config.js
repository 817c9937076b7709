const config = require('./jest.config.js');

/** @type {import('jest').Config} What `npm run check` runs: the tests that take minutes. */
module.exports = {
  ...config,
  testMatch: ['<rootDir>/test/harness/**/*.e2e.ts'],
  testSequencer: '<rootDir>/test/support/long-first.cjs',
};
