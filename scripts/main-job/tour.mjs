/** What can be done with a memory once it is there: recall, history and blame, two moments compared, an earlier time restored. */
import { isDeepStrictEqual } from 'node:util';
import { openMemory, restoreStore, verifyStore } from '#src/index.js';
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
 * @returns {Promise<string | undefined>} the key that was shown
 */
export async function historyAndBlame(memory, commits, say) {
  const key = keyWithHistory(commits);
  if (key === undefined) return undefined;
  const history = await memory.history(key).toArray();
  say(`history       ${short(key)}: ${history.length} changes, the last of them`);
  for (const { event, patches } of history.slice(-3)) {
    say(`              ${event.position} ${event.actor}, ${event.reason}: ${short(patches)}`);
  }
  const blamed = await memory.blame(key);
  say(`blame         ${blamed.length} values`);
  for (const { path, value, event } of blamed.slice(0, 3)) {
    say(
      `              ${short(path)} = ${short(value)}, position ${event.position}, ${event.actor}`,
    );
  }
  return key;
}

/**
 * @param {Memory} memory
 * @param {number} half
 * @param {Say} say
 */
export async function compared(memory, half, say) {
  const { position } = memory.engine.head;
  const found = [];
  for (const prefix of ['users/', 'records/', 'graph/', 'episodes/', 'sites/']) {
    let count = 0;
    for await (const _ of memory.diff({ prefix }, half, position)) count += 1;
    if (count > 0) found.push(`${count} of ${prefix}`);
  }
  say(`compared      position ${half} with ${position}: ${found.join(', ') || 'nothing'} differ`);
}

/**
 * @param {Memory} memory
 * @param {string} directory
 * @param {string} target
 * @param {number} half
 * @param {Say} say
 * @returns {Promise<string[]>} what went wrong
 */
export async function restored(memory, directory, target, half, say) {
  const [event] = await memory.engine.readAll({ from: half, to: half }).toArray();
  const time = new Date(event?.time ?? 0);
  await restoreStore(directory, target, { to: time });
  const again = await openMemory(target, { ...options, readOnly: true });
  /** @type {string[]} */
  const problems = [];
  try {
    const before = memory.at(time);
    const [was, is] = [await contentOf(before), await contentOf(again)];
    for (const [what, value] of Object.entries(was)) {
      const same = isDeepStrictEqual(value, is[/** @type {keyof typeof is} */ (what)]);
      if (!same)
        problems.push(`the restored memory has other ${what} than at ${time.toISOString()}`);
    }
    const to = again.engine.head.position - 1;
    const events = await again.engine.readAll({ to }).toArray();
    const wanted = await memory.engine.readAll({ to }).toArray();
    if (!isDeepStrictEqual(events, wanted)) problems.push('the restored events are other ones');
    if (to < half) problems.push(`the restored memory ends at ${to}, before ${half}`);
    const { ok } = await verifyStore(target);
    if (!ok) problems.push('the restored memory is damaged');
    const found = `${to} commits, ${was.episodes.length} episodes, ${was.graph.entities.length} entities`;
    say(`restored      as of ${time.toISOString()}: ${found}, equal to at() of that time`);
  } finally {
    await again.close();
  }
  return problems;
}

/**
 * All that the models say, by their own calls.
 * @param {Memory | MemoryView} memory
 */
async function contentOf(memory) {
  const graph = await memory.graph.readGraph();
  const episodes = await allOf((after) => memory.episodes.list({ after, limit: 1000 }));
  const records = await allOf((after) => memory.records.list({ after, limit: 1000 }));
  const people = new Set(episodes.flatMap(({ participants }) => participants));
  const users = [];
  for (const id of people) users.push([id, await memory.users.getContext(id)]);
  return { graph, episodes, records, users };
}

/**
 * @template Item
 * @param {(after: string | undefined) => Promise<{ items: readonly Item[], next?: string }>} page
 */
async function allOf(page) {
  /** @type {Item[]} */
  const all = [];
  for (let after; ; ) {
    const { items, next } = await page(after);
    all.push(...items);
    if (next === undefined) return all;
    after = next;
  }
}
