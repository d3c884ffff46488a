/**
 * What every writer of the main job has to append. It follows from the writer's name and a number alone, so that a
 * replacement sends the very same content under the same idempotency key, and so that the parent knows what must stand
 * in the log without having been told.
 */

/**
 * @typedef {object} PlannedCommit
 * @property {string} stream
 * @property {import('#src/log/types.js').NewEvent[]} events
 * @property {{ idempotencyKey: string, actor: string, expectedVersion?: 'absent' }} options
 */

/** Pads an event to about 300 bytes, the size of a typical note. */
const FILLER = 'What was seen, by whom, and what followed from it. '.repeat(4);

/**
 * @param {string} writer
 * @param {number} number
 * @returns {PlannedCommit}
 */
export function plannedCommit(writer, number) {
  const options = { idempotencyKey: `${writer}/${number}`, actor: writer };
  const event = { type: 'note.taken', data: { writer, number, text: FILLER } };

  // Every tenth commit makes a stream of its own, on the condition that nobody else made it.
  if (number % 10 === 0) {
    return {
      stream: `notes/${writer}-${number}`,
      events: [event],
      options: { ...options, expectedVersion: 'absent' },
    };
  }
  // Every fifth goes, as two events, to a stream that all writers share; the others to the writer's own.
  if (number % 5 === 0) {
    const second = { type: 'note.signed', data: { writer, number } };
    return { stream: 'notes/shared', events: [event, second], options };
  }
  return { stream: `notes/${writer}`, events: [event], options };
}
