import { StoreDamagedError } from '../errors.js';
import { closingLine, headerLine } from './encode.js';
import { ask, type Io } from './io.js';
import { LineReader } from './line-reader.js';
import type { LogSnapshot } from './log-snapshot.js';
import { readFully } from './open-files.js';
import { listSegments, type Paths } from './paths.js';
import { firstSeal, type Place, samePlace } from './place.js';
import { damagedError } from './repair.js';
import { TailIndex } from './segment-index.js';
import type { StoreFacts } from './store-file.js';
import { SegmentProblem, SegmentWalker } from './walk.js';

/** The segments of a log, as opening found them. */
export interface Layout {
  /** The log snapshot that was used. */
  readonly snapshot: LogSnapshot | undefined;
  readonly tail: TailIndex;
  /** Closed segments: first position, and the place behind their last line. */
  readonly closed: readonly Place[];
  readonly time: string;
  /** The end that was asked for, or the last whole group before damage when damage is allowed. */
  readonly place: Place;
  readonly damage: StoreDamagedError | undefined;
}

const CLOSING_BYTES_MAX = 512;

/**
 * Reads the current segment up to the proven end and checks that the closed ones fit together.
 * With `tolerate`, damage ends the reading instead of failing it.
 * @param snapshot - tells of the closed segments before its position; it was there before the end was proven
 * @throws StoreDamagedError
 */
export function* readLayout(
  paths: Paths,
  store: StoreFacts,
  to: Place,
  tolerate: boolean,
  snapshot?: LogSnapshot,
): Io<Layout> {
  if (!snapshot) return yield* layoutFrom(paths, store, to, tolerate, undefined);
  const problem = yield* contradiction(paths, store, to, snapshot);
  if (!problem) return yield* layoutFrom(paths, store, to, tolerate, snapshot);
  if (!tolerate) throw problem;
  const layout = yield* layoutFrom(paths, store, to, tolerate, undefined);
  return { ...layout, damage: layout.damage ?? problem };
}

/** What in the log is not as the snapshot says, which was made of what was durable. */
function* contradiction(
  paths: Paths,
  store: StoreFacts,
  to: Place,
  snapshot: LogSnapshot,
): Io<StoreDamagedError | undefined> {
  const next = snapshot.position + 1;
  if (to.segment < next) {
    const problem = `the log ends at position ${to.position}, but ${snapshot.path} was made at position ${snapshot.position}`;
    const facts = { file: paths.segment(to.segment), offset: to.offset, position: to.position + 1 };
    return damagedError(paths.directory, { ...facts, problem });
  }
  const path = paths.segment(next);
  // A missing segment is found below, and told as that.
  if ((yield* ask('facts', path)) === undefined) return undefined;
  const expected = headerLine(next, store.id, snapshot.seal);
  const file = yield* ask('open', path, 'read');
  try {
    const header = Buffer.alloc(expected.length);
    const count = yield* readFully(file, header, 0, header.length, 0);
    if (count === header.length && header.equals(expected)) return undefined;
  } finally {
    yield* ask('close', file);
  }
  const problem = `the seal before position ${next} is not the one that ${snapshot.path} was made at`;
  return damagedError(paths.directory, { file: path, offset: 0, position: next, problem });
}

function* layoutFrom(
  paths: Paths,
  store: StoreFacts,
  to: Place,
  tolerate: boolean,
  snapshot: LogSnapshot | undefined,
): Io<Layout> {
  const segments = (yield* listSegments(paths)).filter((first) => first <= to.segment);
  const closed: Place[] = [];
  let before: Place = { segment: 1, offset: 0, position: 0, seal: firstSeal(store.id) };
  let damage: StoreDamagedError | undefined;
  const damaged = (file: string, offset: number, position: number, problem: string) =>
    damagedError(paths.directory, { file, offset, position, problem });
  try {
    const present = new Set(segments);
    for (const { first, last, bytes, seal } of snapshot?.segments ?? []) {
      if (!present.has(first)) {
        throw damaged(paths.segment(first), 0, first, 'the segment is missing');
      }
      before = { segment: first, offset: bytes, position: last, seal };
      closed.push(before);
    }
    for (let next = before.position + 1; next < to.segment; next = before.position + 1) {
      const path = paths.segment(next);
      if (!present.has(next)) throw damaged(path, 0, next, 'the segment is missing');
      const following = segments.find((other) => other > next) ?? to.segment;
      before = yield* closingOf(paths, next, following);
      closed.push(before);
    }
    if (before.position + 1 !== to.segment) {
      const path = paths.segment(before.position + 1);
      throw damaged(path, 0, before.position + 1, 'the segment is missing');
    }
  } catch (error) {
    if (!tolerate || !(error instanceof StoreDamagedError)) throw error;
    damage = error;
  }
  const first = damage ? before.position + 1 : to.segment;
  const start: Place = { segment: first, offset: 0, position: first - 1, seal: before.seal };
  const tail = new TailIndex(first);
  const walker = new SegmentWalker(
    { place: start, time: '', storeId: store.id },
    {
      group: (commits) => {
        for (const { head, offset } of commits) tail.addHead(head, offset);
      },
    },
  );
  const path = paths.segment(first);
  if (!segments.includes(first)) {
    damage ??= damaged(path, 0, first, 'the segment is missing');
    if (!tolerate) throw damage;
    return { snapshot, tail, closed, time: '', place: start, damage };
  }
  const limit = damage ? Number.MAX_SAFE_INTEGER : to.offset;
  const problem = yield* walkFile(path, walker, limit);
  if (problem) damage ??= damaged(path, problem.offset, problem.position, problem.message);
  if (!damage && !samePlace(walker.place, to)) {
    const { offset, position } = walker.place;
    damage = damaged(
      path,
      offset,
      position + 1,
      `the log ends here, but position ${to.position} was durable`,
    );
  }
  if (damage && !tolerate) throw damage;
  const known = closed.at(-1)?.position === snapshot?.position ? snapshot?.time : undefined;
  const time = walker.time || (known ?? (yield* lastTimeOf(paths, store, closed, tolerate)));
  return { snapshot, tail, closed, time, place: walker.place, damage };
}

/** Time of the last commit in closed segments: times never go back, also when the current segment holds no commit yet. */
function* lastTimeOf(
  paths: Paths,
  store: StoreFacts,
  closed: readonly Place[],
  tolerate: boolean,
): Io<string> {
  const last = closed.at(-1);
  if (!last) return '';
  const { segment } = last;
  const seal = closed.at(-2)?.seal ?? firstSeal(store.id);
  const place: Place = { segment, offset: 0, position: segment - 1, seal };
  const walker = new SegmentWalker({ place, time: '', storeId: store.id }, {});
  const path = paths.segment(segment);
  const problem = yield* walkFile(path, walker, Number.MAX_SAFE_INTEGER);
  if (problem && !tolerate) {
    const { offset, position, message } = problem;
    throw damagedError(paths.directory, { file: path, offset, position, problem: message });
  }
  return walker.time;
}

function* walkFile(
  path: string,
  walker: SegmentWalker,
  limit: number,
): Io<SegmentProblem | undefined> {
  const file = yield* ask('open', path, 'read');
  try {
    const size = yield* ask('size', file);
    const reader = new LineReader(file, 0, Math.min(size, limit));
    for (;;) {
      const lines = yield* reader.next();
      if (!lines) return undefined;
      try {
        walker.feed(lines.buffer, lines.start, lines.end, lines.offset);
      } catch (error) {
        if (error instanceof SegmentProblem) return error;
        throw error;
      }
    }
  } finally {
    yield* ask('close', file);
  }
}

/** Where a closed segment ends, told by its closing line. The next segment there is begins with position `following`. */
function* closingOf(paths: Paths, first: number, following: number): Io<Place> {
  const path = paths.segment(first);
  const file = yield* ask('open', path, 'read');
  try {
    const size = yield* ask('size', file);
    const from = Math.max(0, size - CLOSING_BYTES_MAX);
    const bytes = Buffer.alloc(size - from);
    const count = yield* readFully(file, bytes, 0, bytes.length, from);
    const text = bytes.toString('latin1', 0, count);
    const match = /\{"close":([0-9]{1,16}),"seal":"([0-9a-f]{64})","c":"[0-9a-f]{8}"\}\n$/.exec(
      text,
    );
    const [line, position, seal] = match ?? [];
    if (!line || !seal || closingLine(Number(position), seal).toString('latin1') !== line) {
      throw damagedError(paths.directory, {
        file: path,
        offset: from + text.lastIndexOf('\n', text.length - 2) + 1,
        position: following,
        problem: 'a segment that is not closed although another follows',
      });
    }
    return { segment: first, offset: size, position: Number(position), seal };
  } finally {
    yield* ask('close', file);
  }
}
