/** Jest's transform with the patches of the mutant that MUTANT names. All other files come from the cache of the whole build. */
const { join } = require('node:path');
const { createTransformer } = require('@swc/jest');
require('../../support/ts-hook.cjs');

const { applyPatch } = require('./mutant.ts');
const { ruleNamed } = require('./rules/index.ts');

const sources = join(__dirname, '../../../libs/sync/src');
const { patches } = ruleNamed(process.env.MUTANT);

function broken(source, filename) {
  return patches.filter(({ file }) => join(sources, file) === filename).reduce(applyPatch, source);
}

module.exports = {
  createTransformer: (options) => {
    const whole = createTransformer(options);
    return {
      ...whole,
      process: (source, filename, given) => whole.process(broken(source, filename), filename, given),
      getCacheKey: (source, filename, ...given) =>
        whole.getCacheKey(broken(source, filename), filename, ...given),
    };
  },
};
