const Sequencer = require('@jest/test-sequencer').default;

/** The longest first, so that none of them is left to run alone in the end. The others in the order that Jest has for them. */
const LONGEST = ['crash-points.e2e.ts', 'mutants.e2e.ts'];

module.exports = class extends Sequencer {
  sort(tests) {
    const rank = ({ path }) => LONGEST.findIndex((name) => path.endsWith(name)) >>> 0;
    return [...super.sort(tests)].sort((a, b) => rank(a) - rank(b));
  }
};
