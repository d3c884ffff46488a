/**
 * What is left of a segment that retention dropped: its index, which says which versions its streams reached and how its seals go on
 * (docs/FORMAT.md, "What is dropped"). It stands before anything is removed, so that what is missing without it is damage.
 */
import { StoreDamagedError } from '../errors.js';
import { IndexProblem, indexMemory } from './index-directory.js';
import type { ClosingFacts } from './index-encode.js';
import { indexHeader, openRemains } from './index-file.js';
import { ask, type Io } from './io.js';
import { OpenFiles, readFully } from './open-files.js';
import { listLog, type Paths, readable } from './paths.js';
import { firstSeal, type Place } from './place.js';

const HEADER_BYTES_MAX = 512;

/** What the segment was, told by its remains. */
export interface RemainsFacts extends ClosingFacts {
  readonly first: number;
  readonly last: number;
  readonly events: number;
  /** Commits with an idempotency key. */
  readonly keyed: number;
  readonly firstTime: string;
  readonly lastTime: string;
}

/** @throws StoreDamagedError, and the disk's ENOENT */
export function* readRemains(paths: Paths, first: number): Io<RemainsFacts> {
  const file = yield* ask('open', paths.remains(first), 'read');
  let bytes: Buffer;
  try {
    const beginning = Buffer.alloc(HEADER_BYTES_MAX);
    bytes = beginning.subarray(0, yield* readFully(file, beginning, 0, beginning.length, 0));
  } finally {
    yield* ask('close', file);
  }
  try {
    const header = indexHeader(bytes, first);
    const { last, events, keyed, firstTime, lastTime, seal, bytes: size } = header;
    return { first, last, events, keyed, firstTime, lastTime, seal, bytes: size };
  } catch (error) {
    throw remainsError(paths, first, error);
  }
}

/** An index that cannot be built again, and is broken, as damage; any other error as it is. */
export function remainsError(paths: Paths, first: number, cause: unknown): unknown {
  if (!(cause instanceof IndexProblem)) return cause;
  const { directory } = paths;
  const problem = `what is left of a dropped segment is not what was written (${cause.message})`;
  const file = paths.remains(first);
  return new StoreDamagedError({ directory, file, offset: 0, position: first, problem, cause });
}

/** The last version in the dropped segment of every stream in it. @throws StoreDamagedError, and the disk's ENOENT */
export function* remainsVersions(paths: Paths, first: number): Io<Map<string, number>> {
  const files = new OpenFiles();
  try {
    const index = yield* openRemains(paths, first, files, indexMemory({}));
    return yield* index.lastVersions();
  } catch (error) {
    throw remainsError(paths, first, error);
  } finally {
    yield* files.close();
  }
}

/**
 * Where the lines of a log begin: at its very beginning, or behind what was dropped. Only an unbroken chain of remains counts.
 * @throws StoreDamagedError
 */
export function* beginningOf(paths: Paths, storeId: string): Io<Place> {
  const listing = yield* listLog(paths);
  const present = new Set(readable(listing));
  const dropped = new Set(listing.dropped);
  let place: Place = { segment: 1, offset: 0, position: 0, seal: firstSeal(storeId) };
  while (!present.has(place.segment) && dropped.has(place.segment)) {
    const { last: position, seal } = yield* readRemains(paths, place.segment);
    place = { segment: position + 1, offset: 0, position, seal };
  }
  return place;
}
