/**
 * `MUTANT=name node -r test/harness/mutants/hook.cjs file.ts` runs a TypeScript file with a broken build of the library: the
 * mutant's patches are applied to the sources as they are loaded, in this process's memory only. Without MUTANT the
 * build is whole.
 */
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { transformed } = require('../../support/ts-hook.cjs');

const sources = join(__dirname, '../../../libs/sync/src');
const name = process.env.MUTANT;

if (name) {
  const { applyPatch } = require('./mutant.ts');
  const { mutantNamed } = require('./list/index.ts');
  const { patches } = mutantNamed(name);
  const loadWhole = require.extensions['.ts'];
  require.extensions['.ts'] = (module, filename) => {
    const own = patches.filter(({ file }) => join(sources, file) === filename);
    if (own.length === 0) return loadWhole(module, filename);
    const broken = own.reduce(applyPatch, readFileSync(filename, 'utf8'));
    module._compile(transformed(broken, filename), filename);
  };
}
