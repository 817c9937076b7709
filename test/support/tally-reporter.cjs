const { mkdirSync, writeFileSync } = require('node:fs');
const { dirname } = require('node:path');

/**
 * Jest reporter: writes `N passed, N failed` from Jest's own result to the file that JEST_TALLY names. A test file
 * that could not run counts as a failure, and so does a run that was cut short.
 */
class TallyReporter {
  onRunComplete(_contexts, results) {
    const file = process.env.JEST_TALLY;
    if (!file) return;
    let failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    // results.success is not yet set when reporters are called.
    if (failed === 0 && (results.wasInterrupted || results.runExecError)) failed = 1;
    const skipped = results.numPendingTests + results.numTodoTests;
    const tally = `${results.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${tally}\n`);
  }
}

module.exports = TallyReporter;
