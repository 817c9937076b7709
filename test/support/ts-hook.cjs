/**
 * `node -r test/support/ts-hook.cjs file.ts` runs a TypeScript file of this tree as Jest does, without a build: for
 * tests that need a separate process to kill.
 */
const { readFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const Module = require('node:module');
const { transformSync } = require('@swc/core');
const jestConfig = require('../../jest.config.js');

const root = dirname(dirname(__dirname));
const [[, swcOptions]] = Object.values(jestConfig.transform);

require.extensions['.ts'] = (module, filename) => {
  const { code } = transformSync(readFileSync(filename, 'utf8'), {
    ...swcOptions,
    filename,
    sourceMaps: 'inline',
    swcrc: false,
  });
  module._compile(code, filename);
};

const aliases = new Map(
  Object.entries(jestConfig.moduleNameMapper).map(([pattern, target]) => [
    pattern.slice(1, -1),
    join(root, target.replace('<rootDir>/', '')),
  ]),
);
const resolveFilename = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
  return resolveFilename.call(this, aliases.get(request) ?? request, ...rest);
};
