/** Reads a log from its first byte to a place, to go on from there with what a writer must know. */
import { systemCode } from '../errors.js';
import { ask, type Io } from './io.js';
import { LineReader } from './line-reader.js';
import type { Paths } from './paths.js';
import { firstSeal, type Place, samePlace } from './place.js';
import { SegmentProblem, SegmentWalker } from './walk.js';

export interface Reread {
  /** The last version of each stream. */
  readonly versions: Map<string, number>;
  /** Time of the last commit, `''` when there is none. */
  readonly time: string;
  readonly events: number;
}

/** What stands up to `to`; nothing when that is no whole log that ends there. Segments must begin where the one before ended. */
export function* rereadLog(paths: Paths, storeId: string, to: Place): Io<Reread | undefined> {
  const versions = new Map<string, number>();
  let events = 0;
  let time = '';
  let place: Place = { segment: 1, offset: 0, position: 0, seal: firstSeal(storeId) };
  for (;;) {
    const start = { place, time, storeId };
    const walker = new SegmentWalker(start, {
      group: (commits) => {
        for (const { head } of commits) {
          events += head.e.length;
          for (const [stream, version] of head.e) versions.set(stream, version);
        }
      },
    });
    const isWhole = yield* walkSegment(paths, walker, place.segment, to);
    if (!isWhole) return undefined;
    place = walker.place;
    time = walker.time;
    if (place.segment === to.segment)
      return samePlace(place, to) ? { versions, time, events } : undefined;
    if (!walker.closed || place.position >= to.segment) return undefined;
    place = { ...place, segment: place.position + 1, offset: 0 };
  }
}

function* walkSegment(
  paths: Paths,
  walker: SegmentWalker,
  segment: number,
  to: Place,
): Io<boolean> {
  let file: number | undefined;
  try {
    file = yield* ask('open', paths.segment(segment), 'read');
    const size = yield* ask('size', file);
    const reader = new LineReader(file, 0, segment === to.segment ? to.offset : size);
    for (;;) {
      const lines = yield* reader.next();
      if (!lines) return reader.rest.bytes === 0 && !walker.insideGroup;
      walker.feed(lines.buffer, lines.start, lines.end, lines.offset);
    }
  } catch (error) {
    if (error instanceof SegmentProblem || systemCode(error) === 'ENOENT') return false;
    throw error;
  } finally {
    if (file !== undefined) yield* ask('close', file);
  }
}
