/** All that a memory says, by the calls of its models and of the projections beside them, so that two memories can be compared. */
import { isDeepStrictEqual } from 'node:util';
import { spoken, tally } from './projections.mjs';

/**
 * @typedef {import('#src/index.js').Memory} Memory
 * @typedef {import('#src/index.js').MemoryView} MemoryView
 * @typedef {import('./compare.mjs').Commit} Commit
 *
 * @typedef {object} Keys what can only be asked for by its key
 * @property {readonly string[]} users
 * @property {readonly string[]} sites
 *
 * @typedef {object} Content
 * @property {readonly unknown[]} entities
 * @property {readonly unknown[]} relations
 * @property {readonly unknown[]} episodes
 * @property {readonly unknown[]} records
 * @property {readonly unknown[]} users each with preferences, topics and what it was told
 * @property {readonly unknown[]} sites each with its visits
 * @property {readonly unknown[]} spoken who spoke how often
 * @property {readonly unknown[]} tally
 */

/**
 * @param {readonly Commit[]} commits
 * @returns {Keys}
 */
export function keysIn(commits) {
  const streams = new Set(commits.flatMap(({ events }) => events.map(({ stream }) => stream)));
  const of = (/** @type {string} */ model) =>
    [...streams]
      .filter((stream) => stream.startsWith(model))
      .map((each) => each.slice(model.length));
  return { users: of('users/'), sites: of('sites/') };
}

/**
 * @param {Memory | MemoryView} memory
 * @param {Keys} keys
 * @returns {Promise<Content>}
 */
export async function contentOf(memory, keys) {
  const { entities, relations } = await memory.graph.readGraph();
  const episodes = await allOf((after) => memory.episodes.list({ after, limit: 1000 }));
  const records = await allOf((after) => memory.records.list({ after, limit: 1000 }));
  const users = [];
  for (const id of keys.users) users.push([id, await memory.users.getContext(id)]);
  const sites = [];
  for (const host of keys.sites) {
    const profile = await memory.sites.getProfile(`https://${host}`);
    if (profile) sites.push(profile);
  }
  return {
    entities,
    relations,
    episodes,
    records,
    users,
    sites,
    spoken: await memory.engine.entries(spoken).toArray(),
    tally: [await memory.engine.get(tally, 'tally')],
  };
}

/**
 * @param {Content} was
 * @param {Content} is
 * @param {string} when
 * @returns {Generator<string, void>} one line for each part of it that is not the same
 */
export function* contentDiffers(was, is, when) {
  for (const [what, value] of Object.entries(was)) {
    const other = is[/** @type {keyof Content} */ (what)];
    if (!isDeepStrictEqual(value, other)) {
      yield `the restored memory has other ${what} than at ${when}: ${other.length}, and ${value.length} then`;
    }
  }
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
