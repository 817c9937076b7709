const { readdirSync, readFileSync } = require('node:fs');
const path = require('node:path');

const config = require('./jest.config.js');

/** The files whose properties `npm test` tries less often: they say so by importing test/support/runs.ts. */
function withRuns(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => /\.(spec|e2e)\.ts$/.test(name) && !name.includes('node_modules'))
    .map((name) => path.join(folder, name))
    .filter((file) => /support\/runs(\.ts)?'/.test(readFileSync(file, 'utf8')));
}

/** @type {import('jest').Config} What `npm run check` runs: the long tests, and the properties at full length. */
module.exports = {
  ...config,
  // All properties at full length.
  globals: { propertyRuns: 1 },
  testMatch: [
    '<rootDir>/test/harness/**/*.e2e.ts',
    ...['libs', 'test'].flatMap((folder) => withRuns(path.join(__dirname, folder))),
  ],
};
