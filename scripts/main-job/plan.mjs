/**
 * What every writer of the main job has to append. It follows from the writer's name and a number alone, so that a
 * replacement sends the very same content under the same idempotency key, and so that the parent knows what must stand
 * in the log without having been told.
 */

/**
 * @typedef {import('#src/index.js').NewEventOf<typeof import('./projections.mjs').events>} PlannedEvent
 *
 * @typedef {object} PlannedCommit
 * @property {string} stream
 * @property {PlannedEvent[]} events
 * @property {boolean} byTransaction
 * @property {{ idempotencyKey: string, actor: string, expectedVersion?: 'absent' }} options
 */

/** Every so manieth commit raises the tally that all writers share, by a transaction. */
const TALLY_EVERY = 25;

/** Pads an event to about 300 bytes, the size of a typical note. */
const FILLER = 'What was seen, by whom, and what followed from it. '.repeat(4);

/**
 * @param {string} writer
 * @param {number} number
 * @returns {PlannedCommit}
 */
export function plannedCommit(writer, number) {
  const options = { idempotencyKey: `${writer}/${number}`, actor: writer };
  /** @type {PlannedEvent} */
  const event = { type: 'note.taken', data: { writer, number, text: FILLER } };

  if (number % TALLY_EVERY === 0) {
    /** @type {PlannedEvent} */
    const raised = { type: 'tally.raised', data: { writer, number } };
    return { stream: 'tally', events: [raised], options, byTransaction: true };
  }
  // Every tenth commit makes a stream of its own, on the condition that nobody else made it.
  if (number % 10 === 0) {
    return {
      stream: `notes/${writer}-${number}`,
      events: [event],
      options: { ...options, expectedVersion: 'absent' },
      byTransaction: false,
    };
  }
  // Every fifth goes, as two events, to a stream that all writers share; the others to the writer's own.
  if (number % 5 === 0) {
    /** @type {PlannedEvent} */
    const second = { type: 'note.signed', data: { writer, number } };
    return { stream: 'notes/shared', events: [event, second], options, byTransaction: false };
  }
  return { stream: `notes/${writer}`, events: [event], options, byTransaction: false };
}
