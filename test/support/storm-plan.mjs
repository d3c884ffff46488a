/**
 * What the writers of a storm append. All of it follows from the writer's name and a number, so that a replacement can send
 * the same again under the same key, and so that the test knows what may stand in the log without having been told.
 */

/**
 * @typedef {import('#src/log/types.js').CommitPart} CommitPart
 *
 * @typedef {object} StormCommit
 * @property {CommitPart[]} parts
 * @property {import('#src/log/types.js').StreamCheck[]} checks
 * @property {string | undefined} idempotencyKey
 * @property {boolean} sync by a synchronous call
 * @property {boolean} counts on the version of the shared counter that was read right before
 */

const SENTENCE = 'What was seen, by whom, and what followed from it. ';

/**
 * Mostly the size of a note; some reach over several pages, so that a kill can come in the middle of a write.
 * @param {number} number
 */
function textOf(number) {
  if (number % 89 === 0) return SENTENCE.repeat(900);
  return SENTENCE.repeat(1 + (number % 7));
}

/**
 * @param {string} writer
 * @param {number} number
 * @returns {StormCommit}
 */
export function stormCommit(writer, number) {
  const event = (/** @type {string} */ type) => ({
    type,
    data: { writer, number, text: textOf(number) },
  });
  const own = { stream: `notes/${writer}`, events: [event('note.taken')] };
  const shared = { stream: 'notes/shared', events: [event('note.shared'), event('note.signed')] };
  const keyed = number % 3 === 0;
  const kind = number % 8;
  /** @type {StormCommit} */
  const plain = {
    parts: [own],
    checks: [],
    idempotencyKey: keyed ? `${writer}/${number}` : undefined,
    sync: number % 5 === 0,
    counts: false,
  };
  if (kind === 1) {
    const counter = { stream: 'counters/all', events: [event('counter.added')] };
    // What was read before the first attempt is not known to the second: such a commit is never sent again.
    return { ...plain, parts: [counter], idempotencyKey: undefined, counts: true };
  }
  if (kind === 2) {
    const stream = `notes/${writer}-${number}`;
    const once = {
      stream,
      events: [event('note.begun')],
      expectedVersion: /** @type {const} */ ('absent'),
    };
    return { ...plain, parts: [once] };
  }
  if (kind === 3) return { ...plain, parts: [own, shared] };
  if (kind === 4) {
    // The writer's first commits make this stream, so the check holds for all that follow.
    const checks = [{ stream: 'notes/never', expectedVersion: /** @type {const} */ ('absent') }];
    return { ...plain, checks };
  }
  return plain;
}
