const { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { dirname, relative } = require('node:path');

/**
 * Jest reporter: adds `N passed, N failed` from Jest's own result to the file that JEST_TALLY names, so that it holds the
 * sum of several runs. A test file that could not run counts as a failure, and so does a run that was cut short. What has
 * failed is named in the file beside it, `.failures`.
 */
class TallyReporter {
  onRunComplete(_contexts, results) {
    const file = process.env.JEST_TALLY;
    if (!file) return;
    let failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    // results.success is not yet set when reporters are called.
    if (failed === 0 && (results.wasInterrupted || results.runExecError)) failed = 1;
    const skipped = results.numPendingTests + results.numTodoTests;
    const before = existsSync(file) ? readTally(readFileSync(file, 'utf8')) : {};
    const sum = { passed: results.numPassedTests, failed, skipped };
    for (const [what, count] of Object.entries(before)) sum[what] += count;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${tallyText(sum)}\n`);
    appendFileSync(`${file}.failures`, failuresOf(results).join(''));
  }
}

/** A line for each test that has failed, and for each file that could not run. */
function failuresOf({ testResults }) {
  return testResults.flatMap(({ testFilePath, testExecError, testResults: tests }) => {
    const file = relative(process.cwd(), testFilePath);
    const names = tests.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName);
    if (testExecError && names.length === 0) names.push('could not run');
    return names.map((name) => `${file}: ${name}\n`);
  });
}

function readTally(text) {
  return Object.fromEntries(
    [...text.matchAll(/(\d+) (passed|failed|skipped)/g)].map(([, n, what]) => [what, Number(n)]),
  );
}

function tallyText({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

module.exports = TallyReporter;
