/** @type {import('jest').Config} What `npm test` runs; jest.check.config.js has the rest. */
module.exports = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/{libs,apps,test,tools}/**/*.spec.ts', '<rootDir>/test/e2e/**/*.e2e.ts'],
  transform: {
    '^.+\\.[cm]?[jt]s$': [
      '@swc/jest',
      {
        module: { type: 'commonjs' },
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          keepClassNames: true,
        },
      },
    ],
  },
  // Nest 12 and the driver's ESM files pass through the transform; with Nest alone a test with a database hangs.
  transformIgnorePatterns: ['/node_modules/(?!(?:.*/node_modules/)?(?:@nestjs|mongodb)/)'],
  moduleNameMapper: {
    '^nest-offline-sync$': '<rootDir>/libs/sync/src/index.ts',
    '^nest-offline-sync-protocol$': '<rootDir>/libs/protocol/src/index.ts',
    '^nest-offline-sync-client$': '<rootDir>/libs/client/src/index.ts',
    '^nest-offline-sync-client/sqlite$': '<rootDir>/libs/client/src/sqlite/index.ts',
    '^nest-offline-sync-client/sqlite/better-sqlite3$': '<rootDir>/libs/client/src/sqlite/better-sqlite3.ts',
    '^nest-offline-sync-client/indexeddb$': '<rootDir>/libs/client/src/indexeddb/index.ts',
    '^nest-offline-sync-client/testing$': '<rootDir>/libs/client/src/testing/index.ts',
    '^nest-offline-sync-conformance$': '<rootDir>/libs/conformance/src/index.ts',
    '^nest-offline-sync-embedded-mongo$': '<rootDir>/libs/embedded-mongo/src/index.ts',
    '^nest-offline-sync/testing$': '<rootDir>/libs/sync/src/testing/index.ts',
  },
  modulePathIgnorePatterns: ['<rootDir>/(libs/\\w[\\w-]*/(esm/)?)?dist/', '<rootDir>/test/consumers/\\w+/'],
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  reporters: ['default', '<rootDir>/test/support/tally-reporter.cjs'],
  // A limit for what hangs, also on a machine that is very busy; where a test proves that something ends in time, it has
  // a shorter one.
  testTimeout: 120_000,
  // Much of the suite waits for databases and processes: two files at a time even on two cores.
  maxWorkers: 3,
};
