/** The order in which a whole log gives its events: what every reader can check without knowing what was written. */

/**
 * @typedef {import('#src/log/types.js').RecordedEvent} RecordedEvent
 */

export class EventOrder {
  position = 0;
  #index = 0;
  #ended = true;
  #time = '';
  /** @type {Map<string, number>} */
  #versions = new Map();

  /** @param {string} stream */
  versionOf(stream) {
    return this.#versions.get(stream) ?? 0;
  }

  /**
   * What is wrong with this event where it comes.
   * @param {RecordedEvent} event
   * @returns {string[]}
   */
  problemsWith(event) {
    /** @type {string[]} */
    const problems = [];
    const position = this.#ended ? this.position + 1 : this.position;
    const index = this.#ended ? 0 : this.#index + 1;
    if (event.position !== position || event.index !== index) {
      problems.push(`event ${event.id} came where ${position}.${index} must come`);
    }
    const version = this.versionOf(event.stream) + 1;
    if (event.version !== version) {
      problems.push(
        `${event.stream} has version ${event.version} at ${event.id} instead of ${version}`,
      );
    }
    if (event.time < this.#time) problems.push(`time goes back at ${event.id}`);
    this.position = event.position;
    this.#index = event.index;
    this.#ended = event.last;
    this.#time = event.time;
    this.#versions.set(event.stream, event.version);
    return problems;
  }
}

/**
 * Text that two readers share exactly when they read the same event.
 * @param {RecordedEvent} event
 */
export function digestOf(event) {
  const { id, time, stream, version, type, last, data, idempotencyKey = null } = event;
  return JSON.stringify([id, time, stream, version, type, last, data, idempotencyKey]);
}
