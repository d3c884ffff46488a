/**
 * The main job: four agents, each a process of its own, share one memory and import real input at once, while the memory is compacted. One of them is killed
 * half-way and replaced. Then everything that was acknowledged is looked for, in the log and in the models, what projections say is compared with the log
 * folded by hand, and a tour shows what can be done with the memory. Ends with code 1 on any difference. What there is too little input for is said, and is no
 * difference.
 *
 *   npm start                                   the history of this repository
 *   npm start -- <path>                         an MCP memory, a chat, a folder of Markdown, another repository
 *   npm start -- <path> --directory <new>       where the memory is to be made
 */
import { lstatSync, mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { digestsIn } from '#src/importers/item.js';
import { openMemory, RecollectError } from '#src/index.js';
import { Agents, victimOf } from './agents.mjs';
import { Compacting } from './compacting.mjs';
import {
  commitsOf,
  differences,
  folded,
  misread,
  unacknowledged,
  wronglyImported,
  wronglyRaised,
  wronglyRecorded,
  wronglyVisited,
} from './compare.mjs';
import { Display } from './display.mjs';
import { Effects } from './effects.mjs';
import { nextCommands } from './next.mjs';
import { options, spoken, tally, visitedSite } from './projections.mjs';
import { chosenSource, itemsOf, sharesOf } from './source.mjs';
import { compared, historyAndBlame, momentBefore, recalls, restored } from './tour.mjs';

const AGENTS = 4;
/** Each agent makes about so many commits at most. */
const COMMITS_PER_AGENT = 1000;
const ITEMS_PER_COMMIT_MAX = 256;
/** Items for which an agent raises the tally once. */
const RAISE_EVERY = 10;
/** Of the agents: the rest of the job, whose time is limited from outside, must say what they did. What it was given may be of any size. */
const TIMEOUT_MS = 90_000;

/**
 * @typedef {import('./source.mjs').Chosen} Chosen
 * @typedef {import('./compare.mjs').Commit} Commit
 * @typedef {import('#src/index.js').Memory} Memory
 */

/**
 * @param {string[]} parameters
 * @returns {Promise<number>} the exit code
 */
export async function mainJob(parameters) {
  const display = new Display();
  try {
    const { values, positionals } = parseArgs({
      args: parameters,
      options: { directory: { type: 'string' } },
      allowPositionals: true,
    });
    if (positionals.length > 1) throw new TypeError('give one path, or none');
    if (values.directory !== undefined) refuseExisting(resolve(values.directory));
    const chosen = await chosenSource(positionals[0]);
    display.say(`importing     ${chosen.said}`);
    const shares = await sharesOf(chosen, AGENTS);
    // Only now: a source that is refused leaves nothing behind.
    const parent = () => mkdtempSync(join(realpathSync(tmpdir()), 'recollect-main-job-'));
    const directory =
      values.directory === undefined ? join(parent(), 'memory') : resolve(values.directory);
    const problems = await run({ chosen, shares }, directory, display);
    return told(problems, directory, display);
  } catch (error) {
    const isExpected = error instanceof RecollectError || error instanceof TypeError;
    const message = error instanceof Error ? error.message : String(error);
    console.error(isExpected ? message : error);
    console.error('main job failed');
    return 1;
  }
}

/**
 * The memory and what is restored of it are made anew: nothing that is there may mix with them.
 * @param {string} directory
 */
function refuseExisting(directory) {
  for (const path of [directory, halfWayOf(directory)]) {
    if (isFree(path)) continue;
    throw new TypeError(`${path} exists already: remove it, or give --directory another name`);
  }
}

/** @param {string} path */
function isFree(path) {
  try {
    // A link that leads nowhere is there as well.
    return lstatSync(path, { throwIfNoEntry: false }) === undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message : error;
    throw new TypeError(`no memory can be made there, give --directory another name: ${why}`);
  }
}

/**
 * Where the memory is restored to as it was half-way.
 * @param {string} directory
 */
function halfWayOf(directory) {
  return `${directory}-half-way`;
}

/**
 * @param {string[]} problems
 * @param {string} directory
 * @param {Display} display
 */
function told(problems, directory, display) {
  if (problems.length === 0) {
    display.say(
      'main job passed: every acknowledged key stands exactly once, with its effect in its model',
    );
    return 0;
  }
  for (const problem of problems.slice(0, 20)) console.error(`difference    ${problem}`);
  if (problems.length > 20) console.error(`difference    and ${problems.length - 20} more`);
  console.error(`main job failed: ${problems.length} differences; the memory is ${directory}`);
  return 1;
}

/**
 * @param {{ chosen: Chosen, shares: number[] }} source
 * @param {string} directory
 * @param {Display} display
 * @returns {Promise<string[]>} every difference between what was promised and what is there
 */
async function run({ chosen, shares }, directory, display) {
  const say = (/** @type {string} */ line) => display.say(line);
  const items = shares.reduce((sum, share) => sum + share, 0);
  const itemsPerCommit = Math.min(
    ITEMS_PER_COMMIT_MAX,
    Math.max(1, Math.ceil(items / AGENTS / COMMITS_PER_AGENT)),
  );
  say(
    `agents        ${AGENTS} processes share ${items} items, ${itemsPerCommit} to a commit, in ${directory}`,
  );

  const { path, format } = chosen;
  const work = { directory, path, format, itemsPerCommit, raiseEvery: RAISE_EVERY };
  const memory = await openMemory(directory, { ...options, actor: 'main job' });
  try {
    const agents = await worked(work, shares, memory, display);
    const problems = [...agents.problems];
    const commits = await commitsOf(memory.engine.readAll());
    const half = Math.max(1, Math.floor(commits.length / 2));
    problems.push(...(await checked({ chosen, shares, agents, commits, half }, memory, say)));
    problems.push(...(await recalls(memory, commits, say)));
    const { key, problems: unexplained } = await historyAndBlame(memory, commits, say);
    problems.push(...unexplained);
    const moment = momentBefore(commits, half);
    if (moment < half) say('there is too little to import for half of it to be compared with all');
    problems.push(...(await compared(memory, moment, say)));
    const target = halfWayOf(directory);
    problems.push(...(await restored(memory, directory, { target, half, commits }, say)));
    for (const line of nextCommands(directory, key)) say(line);
    return problems;
  } finally {
    await memory.close();
  }
}

/**
 * Lets the agents work, and compacts meanwhile.
 * @param {import('./agents.mjs').Work} work
 * @param {number[]} shares
 * @param {Memory} memory
 * @param {Display} display
 */
async function worked(work, shares, memory, display) {
  const say = (/** @type {string} */ line) => display.say(line);
  const compacting = new Compacting(memory);
  const agents = new Agents(work, shares, say, () => compacting.halfWay());
  const stop = () => {
    agents.problems.push(`the agents were not done after ${TIMEOUT_MS} ms`);
    agents.stop();
  };
  const isGiven = work.format === undefined;
  const timer = isGiven ? undefined : setTimeout(stop, TIMEOUT_MS);
  display.begin({ states: agents.states, facts: () => compacting.told() });
  compacting.begin();
  const began = performance.now();
  try {
    await agents.run();
  } finally {
    clearTimeout(timer);
    agents.stop();
    await compacting.end(say, victimOf(shares) !== undefined);
    display.end();
  }
  agents.problems.push(...compacting.problems);
  const seconds = (performance.now() - began) / 1000;
  const { length } = agents.reports;
  say(`acknowledged  ${length} calls in ${seconds.toFixed(1)} s, with the start of all processes`);
  return agents;
}

/**
 * @param {{ chosen: Chosen, shares: number[], agents: Agents, commits: Commit[], half: number }} told
 * @param {Memory} memory
 * @param {(line: string) => void} say
 */
async function checked({ chosen, shares, agents, commits, half }, memory, say) {
  const problems = differences(agents.reports, commits);
  /** @type {string[]} */
  const digests = [];
  /** @type {Set<string>} */
  const withEpisode = new Set();
  const effects = new Effects(memory, commits, await memory.graph.readGraph());
  for await (const { item, digest } of itemsOf(chosen)) {
    digests.push(digest);
    if (item.content.episode) withEpisode.add(digest);
    for await (const problem of effects.missing(item.content, digest)) problems.push(problem);
  }
  const done = [...agents.states.values()].map((state) => state.done);
  problems.push(...unacknowledged(shares, done));
  problems.push(...wronglyImported(digests, commits, digestsIn));
  problems.push(...wronglyRecorded(withEpisode, commits, digestsIn));
  problems.push(...wronglyRaised(commits, shares, RAISE_EVERY));
  const { engine } = memory;
  const { position, seal } = engine.head;
  problems.push(...(await misreadings(engine, commits, position, 'at the end')));
  problems.push(...(await misreadings(engine.at(half), commits, half, `as of position ${half}`)));
  const report = await engine.verify();
  if (report.damage) problems.push(`verify found damage: ${JSON.stringify(report.damage)}`);
  if (report.commits !== commits.length || position !== commits.length) {
    problems.push(
      `verify counted ${report.commits} commits, reading gave ${commits.length}, the head is ${position}`,
    );
  }
  const raised = (await engine.get(tally, 'tally'))?.raised ?? 0;
  const told = /** @type {{ raised?: number } | undefined} */ (
    (await memory.records.get('tally'))?.value
  );
  if ((told?.raised ?? 0) !== raised) {
    problems.push(`the record says that the tally is ${told?.raised}, and it is ${raised}`);
  }
  const visits = (await memory.sites.getProfile(visitedSite))?.visits;
  problems.push(...wronglyVisited(visits, raised));
  say(`in the log    ${commits.length} commits, ${digests.length} items, each with its effect`);
  say(`tally         ${raised}, each raised by a transaction over events, a record and a site`);
  say(`verified      ${report.ok ? 'whole' : 'damaged'}, seal ${seal.slice(0, 16)}...`);
  return problems;
}

/**
 * @param {Pick<Memory['engine'], 'get' | 'entries'>} view
 * @param {Commit[]} commits
 * @param {number} position
 * @param {string} when
 */
async function misreadings(view, commits, position, when) {
  const expected = folded(commits.slice(0, position));
  const entries = await view.entries(spoken).toArray();
  return [...misread(when, entries, await view.get(tally, 'tally'), expected)];
}
