import { tmpdir } from 'node:os';
import path from 'node:path';
import purity from './purity.cjs';

// One folder (or one file of it) a run, tried by the specs of that folder alone: test/harness/mutation/run.ts goes through all.
const target = process.env.MUTATION_TARGET ?? 'libs/sync/src/plan';
const report = `coverage/mutation/${target.replaceAll('/', '-')}`;

export default {
  testRunner: 'jest',
  plugins: ['@stryker-mutator/jest-runner'],
  // The pure files of the folder, by the list that the linter has.
  mutate: target.endsWith('.ts')
    ? [target]
    : [...purity.PURE.filter((glob) => glob.startsWith(`${target}/`)), '!**/*.spec.ts'],
  jest: { configFile: 'test/harness/mutation/jest.config.cjs', enableFindRelatedTests: true },
  coverageAnalysis: 'perTest',
  concurrency: Number(process.env.MUTATION_CONCURRENCY ?? 1),
  // A busy machine must not look like an endless loop.
  timeoutMS: 30_000,
  // Outside the tree, so that Jest, eslint and editors do not see the copies.
  tempDirName: path.join(tmpdir(), 'nest-offline-sync-mutation'),
  ignorePatterns: ['/dist', '/.data', '/coverage', '/docs', '/apps', '/test/*.ts'],
  reporters: ['progress-append-only', 'clear-text', 'json', 'html'],
  jsonReporter: { fileName: `${report}.json` },
  htmlReporter: { fileName: `${report}.html` },
  clearTextReporter: { logTests: false, reportTests: false, allowColor: false },
};
