/** Compares what was acknowledged with what stands in the log. Pure: a test shows that it finds every kind of difference. */
import { isDeepStrictEqual } from 'node:util';
import { plannedCommit } from './plan.mjs';

/**
 * @typedef {import('#src/log/types.js').RecordedEvent} RecordedEvent
 *
 * @typedef {object} Acknowledgement
 * @property {string} writer
 * @property {number} number
 * @property {number} [position] of a commit; a transaction tells only that it is done
 * @property {string} [time]
 * @property {number} [version]
 *
 * @typedef {object} Commit
 * @property {number} position
 * @property {RecordedEvent[]} events
 */

/**
 * Events in the order of the log, gathered into their commits.
 * @param {AsyncIterable<RecordedEvent> | Iterable<RecordedEvent>} events
 */
export async function commitsOf(events) {
  /** @type {Commit[]} */
  const commits = [];
  /** @type {RecordedEvent[]} */
  let open = [];
  for await (const event of events) {
    open.push(event);
    if (!event.last) continue;
    commits.push({ position: event.position, events: open });
    open = [];
  }
  if (open[0]) commits.push({ position: open[0].position, events: open });
  return commits;
}

/**
 * @param {Acknowledgement[]} acknowledgements all of them, also those that several answers gave for one commit
 * @param {Commit[]} commits the log from its beginning
 * @param {{ writers: string[], commitsPerWriter: number }} plan
 * @returns {string[]} one line for each difference; none when the log is what was promised
 */
export function differences(acknowledgements, commits, plan) {
  const byKey = new Map(
    commits.map((commit) => [commit.events[0]?.idempotencyKey ?? '(no key)', commit]),
  );
  return [
    ...whatIsLost(acknowledgements, byKey),
    ...whatIsWrong(byKey, plan),
    ...whatIsRepeated(commits),
    ...whatIsOutOfOrder(commits),
  ];
}

/**
 * @param {Acknowledgement[]} acknowledgements
 * @param {Map<string, Commit>} byKey
 */
function* whatIsLost(acknowledgements, byKey) {
  for (const { writer, number, position, time, version } of acknowledgements) {
    const key = `${writer}/${number}`;
    const commit = byKey.get(key);
    const last = commit?.events.at(-1);
    if (!commit || !last) {
      yield `${key} was acknowledged at position ${position ?? '(some)'} and is lost`;
    } else if (position === undefined) {
      // That it stands exactly once is looked at for all that was planned.
    } else if (commit.position !== position || last.time !== time || last.version !== version) {
      yield `${key} was acknowledged at position ${position}, version ${version}, ${time}, and stands at position ${commit.position}, version ${last.version}, ${last.time}`;
    }
  }
}

/**
 * @param {Map<string, Commit>} byKey
 * @param {{ writers: string[], commitsPerWriter: number }} plan
 */
function* whatIsWrong(byKey, { writers, commitsPerWriter }) {
  for (const writer of writers) {
    for (let number = 1; number <= commitsPerWriter; number++) {
      const { stream, events, options } = plannedCommit(writer, number);
      const stands = byKey.get(options.idempotencyKey)?.events.map((event) => ({
        stream: event.stream,
        type: event.type,
        data: event.data,
        actor: event.actor,
      }));
      const planned = events.map(({ type, data }) => ({ stream, type, data, actor: writer }));
      if (!stands) yield `${options.idempotencyKey} does not stand in the log`;
      else if (!isDeepStrictEqual(stands, planned)) {
        yield `${options.idempotencyKey} stands in the log with other content`;
      }
    }
  }
  const planned = writers.length * commitsPerWriter;
  if (byKey.size !== planned)
    yield `${byKey.size} different commits stand, ${planned} were planned`;
}

/**
 * What projections must say, folded by hand.
 * @param {Commit[]} commits
 * @returns {{ progress: Map<string, { notes: number, sum: number }>, raised: number }}
 */
export function folded(commits) {
  /** @type {Map<string, { notes: number, sum: number }>} */
  const progress = new Map();
  let raised = 0;
  for (const { type, data } of commits.flatMap(({ events }) => events)) {
    if (type === 'tally.raised') raised += 1;
    if (type !== 'note.taken') continue;
    const { writer, number } = /** @type {{ writer: string, number: number }} */ (data);
    const { notes, sum } = progress.get(writer) ?? { notes: 0, sum: 0 };
    progress.set(writer, { notes: notes + 1, sum: sum + number });
  }
  return { progress, raised };
}

/**
 * @param {string} when
 * @param {readonly (readonly [string, unknown])[]} entries
 * @param {{ raised: number } | undefined} tally
 * @param {ReturnType<typeof folded>} expected
 */
export function* misread(when, entries, tally, expected) {
  const sorted = [...expected.progress].sort(([a], [b]) => (a < b ? -1 : 1));
  if (!isDeepStrictEqual([...entries], sorted)) {
    yield `${when} the projection says ${JSON.stringify(entries)}, the log ${JSON.stringify(sorted)}`;
  }
  if ((tally?.raised ?? 0) !== expected.raised) {
    yield `${when} the tally is ${tally?.raised}, the log raises it to ${expected.raised}`;
  }
}

/** @param {Commit[]} commits */
function* whatIsRepeated(commits) {
  /** @type {Map<string | undefined, number>} */
  const positions = new Map();
  for (const { position, events } of commits) {
    const key = events[0]?.idempotencyKey;
    const earlier = positions.get(key);
    if (earlier !== undefined) yield `${key} stands twice, at positions ${earlier} and ${position}`;
    positions.set(key, position);
  }
}

/** @param {Commit[]} commits */
function* whatIsOutOfOrder(commits) {
  /** @type {Map<string, number>} */
  const versions = new Map();
  let previousPosition = 0;
  let previousTime = '';
  for (const { position, events } of commits) {
    if (position !== previousPosition + 1) {
      yield `position ${position} follows position ${previousPosition}`;
    }
    previousPosition = position;

    for (const [index, event] of events.entries()) {
      const isLast = index === events.length - 1;
      if (event.position !== position || event.index !== index || event.last !== isLast) {
        yield `event ${event.id} is out of place in its commit`;
      }
      if (event.time < previousTime) {
        yield `time goes back at position ${position}, from ${previousTime} to ${event.time}`;
      }
      previousTime = event.time;

      const expected = (versions.get(event.stream) ?? 0) + 1;
      if (event.version !== expected) {
        yield `${event.stream} has version ${event.version} at position ${position} where ${expected} must stand`;
      }
      versions.set(event.stream, event.version);
    }
  }
}
