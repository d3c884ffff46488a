/** What can be done with a memory once it is there: recall, history and blame, two moments compared, an earlier time restored. */
import { isDeepStrictEqual } from 'node:util';
import { openMemory, restoreStore, verifyStore } from '#src/index.js';
import { contentDiffers, contentOf, keysIn } from './content.mjs';
import { options } from './projections.mjs';

/**
 * @typedef {import('#src/index.js').Memory} Memory
 * @typedef {import('#src/index.js').MemoryView} MemoryView
 * @typedef {import('./compare.mjs').Commit} Commit
 * @typedef {(line: string) => void} Say
 */

const SHOWN = 70;

/**
 * One line, and nothing in it that a terminal would obey.
 * @param {unknown} value
 */
function short(value) {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const line = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return line.length > SHOWN ? `${line.slice(0, SHOWN - 3)}...` : line;
}

/**
 * Asks for what is there, in its own words.
 * @param {Memory} memory
 * @param {readonly Commit[]} commits
 * @param {Say} say
 */
export async function recalls(memory, commits, say) {
  const events = commits.flatMap(({ events }) => events);
  const said = events.filter(({ type }) => type === 'episode.recorded');
  // A graph alone has names.
  const named = events.filter(({ type }) => type === 'entity.created');
  const texts = (said.length > 0 ? said : named).map(({ data }) => {
    const { text, name = '' } = /** @type {{ text?: string, name?: string }} */ (data);
    return text ?? name;
  });
  /** @type {string[]} */
  const problems = [];
  for (const share of [0.2, 0.5, 0.9]) {
    const text = texts[Math.floor(share * (texts.length - 1))] ?? '';
    const question = (text.match(/[\p{L}\p{N}_-]+/gu) ?? []).slice(0, 6).join(' ');
    if (question === '') continue;
    const [hit] = await memory.recall(question, { limit: 3 });
    say(`recall        "${short(question)}"`);
    say(
      hit
        ? `              ${hit.model}, ${hit.actor}: ${short(hit.text)}`
        : '              nothing',
    );
    if (!hit && question.length > 20) problems.push(`nothing is recalled by ${question}`);
  }
  return problems;
}

const CHOICE = ['users/', 'records/', 'graph/', 'episodes/'];

/**
 * The key with the most events of the first model that has one with several.
 * @param {readonly Commit[]} commits
 */
function keyWithHistory(commits) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { events } of commits) {
    for (const { stream } of events) counts.set(stream, (counts.get(stream) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  for (const least of [2, 1]) {
    for (const model of CHOICE) {
      const found = sorted.find(([stream, count]) => stream.startsWith(model) && count >= least);
      if (found) return found[0];
    }
  }
  return undefined;
}

/**
 * @param {Memory} memory
 * @param {readonly Commit[]} commits
 * @param {Say} say
 * @returns {Promise<{ key: string | undefined, problems: string[] }>} the key that was shown
 */
export async function historyAndBlame(memory, commits, say) {
  const key = keyWithHistory(commits);
  if (key === undefined) return { key, problems: ['no key has a history to show'] };
  const history = await memory.history(key).toArray();
  say(`history       ${short(key)}: ${history.length} changes, the last of them`);
  for (const { event, patches } of history.slice(-3)) {
    say(`              ${event.position} ${event.actor}, ${event.reason}: ${short(patches)}`);
  }
  const blamed = await memory.blame(key);
  const problems = [];
  if (!history.some(({ patches }) => patches.length > 0)) {
    problems.push(`the history of ${key} is empty`);
  }
  if (blamed.length === 0) problems.push(`nobody is to blame for any value of ${key}`);
  say(`blame         ${blamed.length} values`);
  for (const { path, value, event } of blamed.slice(0, 3)) {
    say(
      `              ${short(path)} = ${short(value)}, position ${event.position}, ${event.actor}`,
    );
  }
  return { key, problems };
}

const MODELS = ['users/', 'records/', 'graph/', 'episodes/', 'sites/'];

/**
 * The moment to compare the end with. What begins behind it differs for certain: nothing is deleted here.
 * @param {readonly Commit[]} commits
 * @param {number} half
 * @returns {number} 0, the moment before everything, when nothing begins behind half of them
 */
export function momentBefore(commits, half) {
  const isNew = commits
    .slice(half)
    .flatMap(({ events }) => events)
    .some(
      ({ stream, version }) => version === 1 && MODELS.some((prefix) => stream.startsWith(prefix)),
    );
  return isNew ? half : 0;
}

/**
 * @param {Memory} memory
 * @param {number} from a position before the last one
 * @param {Say} say
 * @returns {Promise<string[]>} what went wrong
 */
export async function compared(memory, from, say) {
  const { position } = memory.engine.head;
  const found = [];
  for (const prefix of MODELS) {
    let count = 0;
    for await (const _ of memory.diff({ prefix }, from, position)) count += 1;
    if (count > 0) found.push(`${count} of ${prefix}`);
  }
  say(`compared      position ${from} with ${position}: ${found.join(', ') || 'nothing'} differ`);
  return found.length === 0 ? [`nothing differs between positions ${from} and ${position}`] : [];
}

/**
 * @param {Memory} memory
 * @param {string} directory
 * @param {{ target: string, half: number, commits: readonly Commit[] }} what
 * @param {Say} say
 * @returns {Promise<string[]>} what went wrong
 */
export async function restored(memory, directory, { target, half, commits }, say) {
  const [event] = await memory.engine.readAll({ from: half, to: half }).toArray();
  const time = new Date(event?.time ?? 0);
  await restoreStore(directory, target, { to: time });
  const again = await openMemory(target, { ...options, readOnly: true });
  /** @type {string[]} */
  const problems = [];
  try {
    const keys = keysIn(commits);
    const was = await contentOf(memory.at(time), keys);
    const is = await contentOf(again, keys);
    problems.push(...contentDiffers(was, is, time.toISOString()));
    const to = again.engine.head.position - 1;
    const events = await again.engine.readAll({ to }).toArray();
    const wanted = await memory.engine.readAll({ to }).toArray();
    if (!isDeepStrictEqual(events, wanted)) problems.push('the restored events are other ones');
    if (to < half) problems.push(`the restored memory ends at ${to}, before ${half}`);
    const { ok } = await verifyStore(target);
    if (!ok) problems.push('the restored memory is damaged');
    const counts = Object.entries(was).map(([name, { length }]) => `${length} ${name}`);
    say(`restored      as of ${time.toISOString()}, equal to at() of that time:`);
    say(`              ${to} commits, ${counts.join(', ')}`);
  } finally {
    await again.close();
  }
  return problems;
}
