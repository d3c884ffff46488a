/**
 * The main job: four processes share one store, appending and running transactions at once. One of them is killed in the middle of its work and
 * replaced; the replacement sends again whatever had not been acknowledged. Then everything acknowledged is counted
 * and verified, and what projections say, now and as of half-way, is compared with the log folded by hand. Ends with code 1 on any difference, and then keeps the directory.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openStore } from '#src/index.js';
import { commitsOf, differences, folded, misread } from './compare.mjs';
import { options, progress, tally } from './projections.mjs';

/** @typedef {import('./writer.mjs').Report} Report */

const WRITERS = ['writer-1', 'writer-2', 'writer-3', 'writer-4'];
const KILLED = 'writer-2';
const COMMITS_PER_WRITER = 2_000;
const CALLERS_PER_WRITER = 16;
/** When the writer that dies has heard of so many acknowledgements. */
const KILLED_AFTER_COMMITS = 700;
/** The job takes a few seconds; one that hangs must fail. */
const TIMEOUT_MS = 60_000;

const program = fileURLToPath(new URL('./writer.mjs', import.meta.url));
const parent = mkdtempSync(join(realpathSync(tmpdir()), 'recollect-main-job-'));
const directory = join(parent, 'memory');

/** @type {Report[]} */
const reports = [];
/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/** @param {string} writer */
function unacknowledged(writer) {
  const done = new Set(
    reports.filter((report) => report.writer === writer).map((report) => report.number),
  );
  const all = Array.from({ length: COMMITS_PER_WRITER }, (_, index) => index + 1);
  return all.filter((number) => !done.has(number));
}

/**
 * Starts a process that appends all that the writer has not had acknowledged.
 * @param {string} writer
 * @param {number} [killAfter] acknowledgements after which to kill it
 * @returns {Promise<string>} how it ended, when everything it said has been heard
 */
async function write(writer, killAfter = Number.POSITIVE_INFINITY) {
  const child = fork(program);
  running.add(child);
  let heard = 0;
  child.on('message', (message) => {
    reports.push(/** @type {Report} */ (message));
    heard += 1;
    if (heard === killAfter) child.kill('SIGKILL');
  });
  // What a process said before it died can arrive after the news of its death.
  const ended = Promise.all([once(child, 'exit'), once(child, 'disconnect')]);
  child.send({
    directory,
    writer,
    numbers: unacknowledged(writer),
    callers: CALLERS_PER_WRITER,
  });
  const [[code, signal]] = await ended;
  running.delete(child);
  return signal ?? `code ${code}`;
}

/**
 * @param {string} writer
 * @returns {Promise<string[]>} what went wrong
 */
async function writeAndReplace(writer) {
  if (writer !== KILLED) return mustEndWell(writer, await write(writer));

  const end = await write(writer, KILLED_AFTER_COMMITS);
  const left = unacknowledged(writer).length;
  console.log(`${writer} ended by ${end} with ${left} commits to go; replacing it`);
  if (end !== 'SIGKILL' || left === 0)
    return [`${writer} was not killed in the middle of its work`];
  return mustEndWell(`the replacement of ${writer}`, await write(writer));
}

/**
 * @param {string} who
 * @param {string} end
 */
function mustEndWell(who, end) {
  return end === 'code 0' ? [] : [`${who} ended by ${end}`];
}

/** @returns {Promise<string[]>} every difference between what was promised and what is there */
async function run() {
  console.log(
    `${WRITERS.length} processes make ${COMMITS_PER_WRITER} commits each in one directory`,
  );
  const began = performance.now();
  const problems = (await Promise.all(WRITERS.map(writeAndReplace))).flat();
  const writingMs = performance.now() - began;

  const store = await openStore(directory, { ...options, create: false });
  const readingBegan = performance.now();
  const commits = await commitsOf(store.readAll());
  const readingMs = performance.now() - readingBegan;
  const verifyingBegan = performance.now();
  const report = await store.verify();
  const verifyingMs = performance.now() - verifyingBegan;
  const { head, recovery } = store;
  const half = Math.floor(head.position / 2);
  const foldingBegan = performance.now();
  problems.push(...(await misreadings(store, commits, head.position, 'at the end')));
  const foldingMs = performance.now() - foldingBegan;
  problems.push(...(await misreadings(store.at(half), commits, half, `as of position ${half}`)));
  const raised = (await store.get(tally, 'tally'))?.raised ?? 0;
  await store.close();

  problems.push(
    ...differences(reports, commits, { writers: WRITERS, commitsPerWriter: COMMITS_PER_WRITER }),
  );
  if (head.position !== commits.length) {
    problems.push(`the head is at position ${head.position} after ${commits.length} commits`);
  }
  if (report.damage) problems.push(`verify found damage: ${JSON.stringify(report.damage)}`);
  if (report.commits !== commits.length) {
    problems.push(`verify counted ${report.commits} commits, reading gave ${commits.length}`);
  }

  const events = commits.reduce((sum, commit) => sum + commit.events.length, 0);
  const repeated = reports.filter((answer) => answer.repeated).length;
  const perSecond = (/** @type {number} */ ms) => Math.round((commits.length / ms) * 1000);
  console.log(`acknowledged  ${reports.length} commits, ${repeated} of them repeated answers`);
  console.log(`in the log    ${commits.length} commits, ${events} events`);
  console.log(`tally         ${raised}, each raised by a transaction`);
  console.log(`opening       ${recovery.state}`);
  console.log(`head          position ${head.position}, seal ${head.seal.slice(0, 16)}...`);
  console.log(`writing       ${perSecond(writingMs)} commits/s, all processes and their start`);
  console.log(`reading       ${perSecond(readingMs)} commits/s`);
  console.log(`verifying     ${perSecond(verifyingMs)} commits/s`);
  console.log(`projections   ${perSecond(foldingMs)} commits/s, first reading of all keys`);
  return problems;
}

/**
 * @param {Pick<import('#src/index.js').Store, 'get' | 'entries'>} view
 * @param {import('./compare.mjs').Commit[]} commits
 * @param {number} position
 * @param {string} when
 */
async function misreadings(view, commits, position, when) {
  const expected = folded(commits.slice(0, position));
  const entries = await view.entries(progress).toArray();
  return [...misread(when, entries, await view.get(tally, 'tally'), expected)];
}

const timer = setTimeout(() => {
  for (const child of running) child.kill('SIGKILL');
  console.error(`main job failed: not done after ${TIMEOUT_MS} ms; the directory is ${directory}`);
  process.exit(1);
}, TIMEOUT_MS);

/** @type {string[]} */
let problems;
try {
  problems = await run();
} catch (error) {
  problems = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
} finally {
  clearTimeout(timer);
  for (const child of running) child.kill('SIGKILL');
}

if (problems.length === 0) {
  rmSync(parent, { recursive: true, force: true });
  console.log(
    'main job passed: every acknowledged commit stands exactly once, and every reading agrees with the log',
  );
} else {
  for (const problem of problems.slice(0, 20)) console.error(`difference    ${problem}`);
  if (problems.length > 20) console.error(`difference    and ${problems.length - 20} more`);
  console.error(`main job failed: ${problems.length} differences; the directory is ${directory}`);
  process.exitCode = 1;
}
