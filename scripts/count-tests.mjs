/**
 * Prints how many tests passed and failed, from the results that Vitest wrote.
 * Fails when one failed, when one was skipped, and when there was none.
 */
import { readFileSync } from 'node:fs';

/**
 * @typedef {object} Results
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {number} numPendingTests
 * @property {number} numTodoTests
 * @property {{ name: string, status: string, assertionResults: { status: string }[] }[]} testResults
 */

/**
 * @param {string | undefined} file
 * @returns {Results}
 */
function read(file) {
  try {
    return JSON.parse(readFileSync(file ?? '', 'utf8'));
  } catch {
    console.log('The tests wrote no results.');
    return {
      numPassedTests: 0,
      numFailedTests: 0,
      numPendingTests: 0,
      numTodoTests: 0,
      testResults: [],
    };
  }
}

const results = read(process.argv[2]);

// A file that cannot be loaded has no tests that could fail: it counts as one failure itself.
const broken = results.testResults.filter(
  (file) =>
    file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
);
const passed = results.numPassedTests;
const failed = results.numFailedTests + broken.length;
const skipped = results.numPendingTests + results.numTodoTests;

if (skipped > 0) console.log(`${skipped} tests were skipped, and none may be.`);
console.log(`${passed} passed, ${failed} failed`);
if (failed > 0 || skipped > 0 || passed === 0) process.exitCode = 1;
