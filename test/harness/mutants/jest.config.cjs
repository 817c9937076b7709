const path = require('node:path');

const config = require('../../../jest.config.js');

const [[files, swc]] = Object.entries(config.transform);
const [, swcOptions] = swc;

/** @type {import('jest').Config} Tests against a broken build: MUTANT names it. Specs need no database. */
module.exports = {
  ...config,
  rootDir: path.join(__dirname, '../../..'),
  transform: { [files]: [path.join(__dirname, 'transform.cjs'), swcOptions] },
  ...(process.env.MUTANT_NEEDS_DATABASE ? {} : { globalSetup: undefined, globalTeardown: undefined }),
  reporters: [],
  maxWorkers: 1,
  testTimeout: 60_000,
};
