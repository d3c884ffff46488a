/**
 * Group commit by hand: all that arrives while one group is being committed makes up the next one.
 *
 * The next group starts in `setImmediate`, because only then have all callers that the last group answered come back with
 * their next event. Started at once it would hold one event, and every second group would be nearly empty.
 */
export class Group {
  #items = [];
  #answers = [];
  #busy = false;
  #commit;

  /** `commit(items, done)` calls `done()` when the items are durable, and throws when they are not: a benchmark has no use for a retry. */
  constructor(commit) {
    this.#commit = commit;
  }

  add(item) {
    return new Promise((resolve) => {
      this.#items.push(item);
      this.#answers.push(resolve);
      if (this.#busy) return;
      this.#busy = true;
      setImmediate(this.#next);
    });
  }

  #next = () => {
    if (this.#items.length === 0) {
      this.#busy = false;
      return;
    }
    const items = this.#items;
    const answers = this.#answers;
    this.#items = [];
    this.#answers = [];
    this.#commit(items, () => {
      for (const answer of answers) answer();
      setImmediate(this.#next);
    });
  };
}
