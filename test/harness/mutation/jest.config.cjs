const path = require('node:path');

const target = process.env.MUTATION_TARGET ?? 'libs/sync/src/plan';
const folder = target.endsWith('.ts') ? path.posix.dirname(target) : target;

/** @type {import('jest').Config} The specs of one folder, without the database that the whole suite starts. */
const config = {
  ...require('../../../jest.config.js'),
  rootDir: path.join(__dirname, '../../..'),
  testMatch: [`<rootDir>/${folder}/**/*.spec.ts`],
};
delete config.globalSetup;
delete config.globalTeardown;
delete config.reporters;

module.exports = config;
