import { HistoryPrunedError, StoreDamagedError, systemCode } from '../errors.js';
import { closingLine, headerLine } from './encode.js';
import type { Io } from './io.js';
import { LineReader } from './line-reader.js';
import type { LogSnapshot } from './log-snapshot.js';
import { listLog, type Paths, readable } from './paths.js';
import { firstSeal, type Place, samePlace } from './place.js';
import { readRemains } from './remains.js';
import { damagedError } from './repair.js';
import { readAll, withSegment } from './segment-bytes.js';
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
  /** First positions of those of which only their indexes are left. */
  readonly dropped: readonly number[];
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
  const expected = headerLine(next, store.id, snapshot.seal);
  try {
    const stands = yield* withSegment(paths, next, function* (source): Io<boolean> {
      const header = Buffer.alloc(expected.length);
      const count = yield* readAll(source, header, 0);
      return count === header.length && header.equals(expected);
    });
    if (stands) return undefined;
  } catch (error) {
    // A missing segment is found below, and told as that; of a dropped one nothing but its remains is left to look at.
    if (error instanceof HistoryPrunedError || systemCode(error) === 'ENOENT') return undefined;
    throw error;
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
  const listing = yield* listLog(paths);
  const segments = readable(listing).filter((first) => first <= to.segment);
  const dropped = listing.dropped.filter((first) => !segments.includes(first));
  const closed: Place[] = [];
  let before: Place = { segment: 1, offset: 0, position: 0, seal: firstSeal(store.id) };
  let damage: StoreDamagedError | undefined;
  const damaged = (file: string, offset: number, position: number, problem: string) =>
    damagedError(paths.directory, { file, offset, position, problem });
  try {
    const present = new Set([...segments, ...dropped]);
    for (const { first, last, bytes, seal } of snapshot?.segments ?? []) {
      if (!present.has(first)) {
        throw damaged(paths.segment(first), 0, first, 'the segment is missing');
      }
      before = { segment: first, offset: bytes, position: last, seal };
      closed.push(before);
    }
    for (let next = before.position + 1; next < to.segment; next = before.position + 1) {
      if (!present.has(next)) {
        throw damaged(paths.segment(next), 0, next, 'the segment is missing');
      }
      if (dropped.includes(next)) before = yield* remainsEnd(paths, next);
      else {
        const following = segments.find((other) => other > next) ?? to.segment;
        before = yield* closedEnd(paths, next, following);
      }
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
    return { snapshot, tail, closed, dropped, time: '', place: start, damage };
  }
  const limit = damage ? Number.MAX_SAFE_INTEGER : to.offset;
  const problem = yield* walkSegment(paths, first, walker, limit);
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
  const time =
    walker.time || (known ?? (yield* lastTimeOf(paths, store, { closed, dropped }, tolerate)));
  return { snapshot, tail, closed, dropped, time, place: walker.place, damage };
}

/** Time of the last commit in closed segments: times never go back, also when the current segment holds no commit yet. */
function* lastTimeOf(
  paths: Paths,
  store: StoreFacts,
  { closed, dropped }: Pick<Layout, 'closed' | 'dropped'>,
  tolerate: boolean,
): Io<string> {
  const last = closed.at(-1);
  if (!last) return '';
  const { segment } = last;
  if (dropped.includes(segment)) return (yield* readRemains(paths, segment)).lastTime;
  const seal = closed.at(-2)?.seal ?? firstSeal(store.id);
  const place: Place = { segment, offset: 0, position: segment - 1, seal };
  const walker = new SegmentWalker({ place, time: '', storeId: store.id }, {});
  const problem = yield* walkSegment(paths, segment, walker, Number.MAX_SAFE_INTEGER);
  if (problem && !tolerate) {
    const { offset, position, message } = problem;
    const file = paths.segment(segment);
    throw damagedError(paths.directory, { file, offset, position, problem: message });
  }
  return walker.time;
}

function* walkSegment(
  paths: Paths,
  first: number,
  walker: SegmentWalker,
  limit: number,
): Io<SegmentProblem | undefined> {
  return yield* withSegment(paths, first, function* (source): Io<SegmentProblem | undefined> {
    const size = yield* source.size();
    const reader = new LineReader(source, 0, Math.min(size, limit));
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
  });
}

/** Where a dropped segment ended. @throws StoreDamagedError */
export function* remainsEnd(paths: Paths, first: number): Io<Place> {
  const { last: position, bytes: offset, seal } = yield* readRemains(paths, first);
  return { segment: first, offset, position, seal };
}

/**
 * Where a closed segment ends, told by its closing line. The next segment there is begins with position `following`.
 * @throws StoreDamagedError
 */
export function* closedEnd(paths: Paths, first: number, following: number): Io<Place> {
  return yield* withSegment(paths, first, function* (source): Io<Place> {
    const { archive } = source;
    if (archive) {
      const { last: position, bytes: offset, seal } = archive;
      return { segment: first, offset, position, seal };
    }
    const size = yield* source.size();
    const from = Math.max(0, size - CLOSING_BYTES_MAX);
    const bytes = Buffer.alloc(size - from);
    const count = yield* readAll(source, bytes, from);
    const text = bytes.toString('latin1', 0, count);
    const match = /\{"close":([0-9]{1,16}),"seal":"([0-9a-f]{64})","c":"[0-9a-f]{8}"\}\n$/.exec(
      text,
    );
    const [line, position, seal] = match ?? [];
    if (!line || !seal || closingLine(Number(position), seal).toString('latin1') !== line) {
      throw damagedError(paths.directory, {
        file: source.path,
        offset: from + text.lastIndexOf('\n', text.length - 2) + 1,
        position: following,
        problem: 'a segment that is not closed although another follows',
      });
    }
    return { segment: first, offset: size, position: Number(position), seal };
  });
}
