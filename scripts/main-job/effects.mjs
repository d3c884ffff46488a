/** Looks in the models for what each item of the source should have brought. */
import { isDeepStrictEqual } from 'node:util';
import { digestsIn } from '#src/importers/item.js';

/**
 * @typedef {import('#src/index.js').Memory} Memory
 * @typedef {import('#src/importers/item.js').ItemContent} ItemContent
 * @typedef {import('./compare.mjs').Commit} Commit
 */

export class Effects {
  #memory;
  /** Where each item was imported: the commits that are left, by digest. @type {Map<string, Commit[]>} */
  #commits = new Map();
  /** @type {Map<string, readonly string[]>} */
  #observations = new Map();
  /** @type {Set<string>} */
  #relations = new Set();
  /** Episodes that an item was found to be. @type {Set<string>} */
  #taken = new Set();

  /**
   * @param {Memory} memory
   * @param {readonly Commit[]} commits
   * @param {import('#src/index.js').KnowledgeGraph} graph
   */
  constructor(memory, commits, graph) {
    this.#memory = memory;
    for (const commit of commits) {
      const mark = commit.events.find(({ stream }) => stream.startsWith('imports/'));
      const { keys = '' } = /** @type {{ keys?: string }} */ (mark?.data ?? {});
      for (const digest of digestsIn(keys)) {
        this.#commits.set(digest, [...(this.#commits.get(digest) ?? []), commit]);
      }
    }
    for (const { name, observations } of graph.entities) {
      this.#observations.set(name, observations);
    }
    for (const relation of graph.relations) this.#relations.add(nameOf(relation));
  }

  /**
   * @param {ItemContent} content
   * @param {string} digest
   * @returns {AsyncGenerator<string, void>} what is not there
   */
  async *missing(content, digest) {
    const commit = this.#commits.get(digest)?.pop();
    if (!commit) {
      yield `item ${digest} stands in no commit`;
      return;
    }
    const lacks = (/** @type {string} */ what) =>
      `item ${digest} at position ${commit.position} has no effect: ${what}`;
    const { episode, record, entity, relations = [], sites = [], user, shared = [] } = content;
    if (episode && !(await this.#hasEpisode(episode, commit))) yield lacks('its episode');
    if (record) {
      const stands = await this.#memory.records.get(record.key);
      if (!isDeepStrictEqual(stands?.value, record.value)) yield lacks(`record ${record.key}`);
    }
    if (entity) {
      const stands = this.#observations.get(entity.name);
      const isWhole = entity.observations.every((each) => stands?.includes(each));
      if (!stands || !isWhole) yield lacks(`entity ${entity.name}`);
    }
    for (const { name } of shared) {
      if (!this.#observations.has(name)) yield lacks(`entity ${name}`);
    }
    for (const relation of relations) {
      if (!this.#relations.has(nameOf(relation))) yield lacks(`relation ${nameOf(relation)}`);
    }
    for (const host of sites) {
      if (!(await this.#memory.sites.getProfile(`https://${host}`))) yield lacks(`site ${host}`);
    }
    if (user) {
      const { preferences, topics } = await this.#memory.users.getContext(user.id);
      const knows = preferences['name'] !== undefined && (topics.length > 0 || !user.topics.length);
      if (!knows) yield lacks(`user ${user.id}`);
    }
  }

  /**
   * @param {import('#src/index.js').NewEpisode} episode
   * @param {Commit} commit
   */
  async #hasEpisode(episode, { events }) {
    for (const { stream, type, data } of events) {
      if (type !== 'episode.recorded' || this.#taken.has(stream)) continue;
      const { at: _, ...said } = /** @type {typeof episode} */ (data);
      const { at: __, ...wanted } = episode;
      if (!isDeepStrictEqual({ ...said }, wanted)) continue;
      this.#taken.add(stream);
      return (await this.#memory.episodes.get(stream))?.text === episode.text;
    }
    return false;
  }
}

/** @param {import('#src/index.js').Relation} relation */
function nameOf({ from, to, relationType }) {
  return JSON.stringify([from, relationType, to]);
}
