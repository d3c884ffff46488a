/** Compares what was acknowledged with what stands in the log. Pure: a test shows that it finds every kind of difference. */
import { isDeepStrictEqual } from 'node:util';
import { speakerOf, textOf } from './projections.mjs';

/**
 * @typedef {import('#src/log/types.js').RecordedEvent} RecordedEvent
 *
 * @typedef {object} Acknowledgement
 * @property {string} key
 * @property {number} position
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
 * @param {readonly Acknowledgement[]} acknowledgements all of them, also those that several answers gave for one commit
 * @param {readonly Commit[]} commits the log from its beginning
 * @returns {string[]} one line for each difference; none when the log is what was promised
 */
export function differences(acknowledgements, commits) {
  return [
    ...whatIsLost(acknowledgements, commits),
    ...whatIsRepeated(commits),
    ...whatIsOutOfOrder(commits),
  ];
}

/** @param {Commit} commit */
function keyOf({ events }) {
  return events[0]?.idempotencyKey;
}

/**
 * @param {readonly Acknowledgement[]} acknowledgements
 * @param {readonly Commit[]} commits
 */
function* whatIsLost(acknowledgements, commits) {
  const byKey = new Map(commits.map((commit) => [keyOf(commit), commit]));
  for (const { key, position } of acknowledgements) {
    const commit = byKey.get(key);
    if (!commit) yield `${key} was acknowledged at position ${position} and is lost`;
    else if (commit.position !== position) {
      yield `${key} was acknowledged at position ${position}, and stands at position ${commit.position}`;
    }
  }
}

/**
 * What was imported, item by item, against what should be.
 * @param {readonly string[]} digests of all items of the source
 * @param {readonly Commit[]} commits
 * @param {(keys: string) => Iterable<string>} digestsIn
 */
export function* wronglyImported(digests, commits, digestsIn) {
  /** @type {Map<string, number>} */
  const missing = new Map();
  for (const digest of digests) missing.set(digest, (missing.get(digest) ?? 0) + 1);
  for (const { position, events } of commits) {
    for (const { stream, data } of events) {
      if (!stream.startsWith('imports/')) continue;
      const { keys = '' } = /** @type {{ keys?: string }} */ (data);
      for (const digest of digestsIn(keys)) {
        const left = missing.get(digest) ?? 0;
        if (left === 0) yield `item ${digest} was imported once too often, at position ${position}`;
        missing.set(digest, left - 1);
      }
    }
  }
  for (const [digest, left] of missing) {
    if (left > 0) yield `item ${digest} of the source was not imported`;
  }
}

/**
 * Each part must have been acknowledged to its last item.
 * @param {readonly number[]} shares
 * @param {readonly number[]} done items of each part that were acknowledged
 */
export function* unacknowledged(shares, done) {
  for (const [index, share] of shares.entries()) {
    const heard = done[index] ?? 0;
    if (heard !== share) {
      yield `agent-${index + 1} acknowledged ${heard} items, and its part has ${share}`;
    }
  }
}

/**
 * Each commit must hold the episodes of its items, and no other: one that stands twice in a commit has one idempotency key and one position.
 * @param {ReadonlySet<string>} withEpisode digests of the items that are episodes
 * @param {readonly Commit[]} commits
 * @param {(keys: string) => Iterable<string>} digestsIn
 */
export function* wronglyRecorded(withEpisode, commits, digestsIn) {
  for (const { position, events } of commits) {
    let items = 0;
    let episodes = 0;
    for (const { stream, type, data } of events) {
      if (type === 'episode.recorded') episodes += 1;
      if (!stream.startsWith('imports/')) continue;
      const { keys = '' } = /** @type {{ keys?: string }} */ (data);
      for (const digest of digestsIn(keys)) if (withEpisode.has(digest)) items += 1;
    }
    if (episodes !== items) {
      yield `the commit at position ${position} records ${episodes} episodes for ${items} items that are one`;
    }
  }
}

/**
 * All agents visit one site at once, each time that they raise the tally.
 * @param {{ count: number, successes: number } | undefined} visits
 * @param {number} raised
 */
export function* wronglyVisited(visits, raised) {
  const { count = 0, successes = 0 } = visits ?? {};
  if (count !== raised || successes !== raised) {
    yield `the site was visited ${count} times, ${successes} of them with success, where ${raised} visits were made`;
  }
}

/**
 * Each agent raises the tally once for so many of its items.
 * @param {readonly Commit[]} commits
 * @param {readonly number[]} shares
 * @param {number} raiseEvery
 */
export function* wronglyRaised(commits, shares, raiseEvery) {
  const planned = shares.flatMap((items, index) =>
    Array.from({ length: Math.floor(items / raiseEvery) }, (_, number) => ({
      agent: `agent-${index + 1}`,
      number: number + 1,
    })),
  );
  const raised = commits
    .flatMap(({ events }) => events)
    .filter(({ type }) => type === 'tally.raised')
    .map(({ data }) => JSON.stringify(data));
  const wanted = planned.map((each) => JSON.stringify(each));
  if (isDeepStrictEqual(raised.toSorted(), wanted.toSorted())) return;
  const missing = wanted.filter((each) => !raised.includes(each));
  yield `the tally was raised ${raised.length} times where ${wanted.length} were planned; missing: ${missing.join(', ') || 'none'}`;
}

/**
 * What projections must say, folded by hand.
 * @param {readonly Commit[]} commits
 * @returns {{ spoken: Map<string, { episodes: number, characters: number }>, raised: number }}
 */
export function folded(commits) {
  /** @type {Map<string, { episodes: number, characters: number }>} */
  const spoken = new Map();
  let raised = 0;
  for (const { type, data } of commits.flatMap(({ events }) => events)) {
    if (type === 'tally.raised') raised += 1;
    if (type !== 'episode.recorded') continue;
    const speaker = speakerOf(data);
    const { episodes, characters } = spoken.get(speaker) ?? { episodes: 0, characters: 0 };
    const said = { episodes: episodes + 1, characters: characters + textOf(data).length };
    spoken.set(speaker, said);
  }
  return { spoken, raised };
}

/**
 * @param {string} when
 * @param {readonly (readonly [string, unknown])[]} entries
 * @param {{ raised: number } | undefined} tally
 * @param {ReturnType<typeof folded>} expected
 */
export function* misread(when, entries, tally, expected) {
  const sorted = [...expected.spoken].sort(([a], [b]) => (a < b ? -1 : 1));
  if (!isDeepStrictEqual([...entries], sorted)) {
    yield `${when} the projection says ${JSON.stringify(entries)}, the log ${JSON.stringify(sorted)}`;
  }
  if ((tally?.raised ?? 0) !== expected.raised) {
    yield `${when} the tally is ${tally?.raised}, the log raises it to ${expected.raised}`;
  }
}

/** @param {readonly Commit[]} commits */
function* whatIsRepeated(commits) {
  /** @type {Map<string, number>} */
  const positions = new Map();
  for (const commit of commits) {
    const key = keyOf(commit);
    // What the store writes itself, such as a record of what was compacted, has none.
    if (key === undefined) continue;
    const { position } = commit;
    const earlier = positions.get(key);
    if (earlier !== undefined) yield `${key} stands twice, at positions ${earlier} and ${position}`;
    positions.set(key, position);
  }
}

/** @param {readonly Commit[]} commits */
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
