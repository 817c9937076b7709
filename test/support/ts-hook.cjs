/**
 * `node -r test/support/ts-hook.cjs file.ts` runs a TypeScript file of this tree as Jest does, without a build: for
 * tests that need a separate process to kill.
 */
const { createHash } = require('node:crypto');
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const Module = require('node:module');
const { transformSync, version } = require('@swc/core');
const jestConfig = require('../../jest.config.js');

const root = dirname(dirname(__dirname));
const [[, swcOptions]] = Object.values(jestConfig.transform);

// Hundreds of processes are started by the tests, each with hundreds of files: each content is transformed once.
const cache = join(root, 'node_modules/.cache/ts-hook');
mkdirSync(cache, { recursive: true });
const settings = JSON.stringify([version, swcOptions]);

function transformed(source, filename) {
  const key = createHash('sha256')
    .update(JSON.stringify([settings, filename, source]))
    .digest('hex');
  const file = join(cache, `${key}.js`);
  try {
    return readFileSync(file, 'utf8');
  } catch {
    const { code } = transformSync(source, { ...swcOptions, filename, sourceMaps: 'inline', swcrc: false });
    // Renamed, so that no other process reads half of it.
    writeFileSync(`${file}.${process.pid}`, code);
    renameSync(`${file}.${process.pid}`, file);
    return code;
  }
}

require.extensions['.ts'] = (module, filename) => {
  module._compile(transformed(readFileSync(filename, 'utf8'), filename), filename);
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

module.exports = { transformed };
