/** Where the parts of a store lie. Names from outside never become paths. */
import { join } from 'node:path';
import { systemCode } from '../errors.js';
import {
  ANCHOR_FILE,
  ARCHIVE_DIRECTORY,
  archiveName,
  archiveOfName,
  INDEX_DIRECTORY,
  LOCK_FILE,
  LOG_DIRECTORY,
  REGISTRY_DIRECTORY,
  remainsName,
  remainsOfName,
  SNAPSHOT_DIRECTORY,
  STORE_FILE,
  SUBSCRIPTION_DIRECTORY,
  segmentName,
  segmentOfName,
} from './format.js';
import { ask, type Io } from './io.js';

export interface Paths {
  readonly directory: string;
  readonly store: string;
  readonly lock: string;
  readonly anchor: string;
  readonly log: string;
  readonly index: string;
  readonly archive: string;
  readonly registry: string;
  readonly snapshots: string;
  readonly subscriptions: string;
  segment(first: number): string;
  /** The same segment, once it was moved to the archive. */
  archived(first: number): string;
  /** What is left of it once it was dropped. */
  remains(first: number): string;
}

export function pathsOf(directory: string): Paths {
  const log = join(directory, LOG_DIRECTORY);
  const archive = join(directory, ARCHIVE_DIRECTORY);
  return {
    directory,
    store: join(directory, STORE_FILE),
    lock: join(directory, LOCK_FILE),
    anchor: join(directory, ANCHOR_FILE),
    log,
    index: join(directory, INDEX_DIRECTORY),
    archive,
    registry: join(directory, REGISTRY_DIRECTORY),
    snapshots: join(directory, SNAPSHOT_DIRECTORY),
    subscriptions: join(directory, SUBSCRIPTION_DIRECTORY),
    segment: (first) => join(log, segmentName(first)),
    archived: (first) => join(archive, archiveName(first)),
    remains: (first) => join(archive, remainsName(first)),
  };
}

/**
 * First positions of the segments in `log/`, ascending; none when the directory is missing, which is damage like a missing segment.
 * Those in the archive are not among them.
 */
export function* listSegments(paths: Paths): Io<number[]> {
  return firstsOf(yield* namesIn(paths.log), segmentOfName);
}

/** Where the segments of a log are, first positions ascending. One that is being moved or dropped can stand in two lists. */
export interface LogListing {
  readonly plain: readonly number[];
  readonly archived: readonly number[];
  /** Of these only what was noted of them when they were dropped is left. */
  readonly dropped: readonly number[];
}

/** Lists a log with its archive. Segments move from log/ to archive/ and never back, so that in this order none is missed. */
export function* listLog(paths: Paths): Io<LogListing> {
  const plain = yield* listSegments(paths);
  const names = yield* namesIn(paths.archive);
  return {
    plain,
    archived: firstsOf(names, archiveOfName),
    dropped: firstsOf(names, remainsOfName),
  };
}

/** First positions of the segments whose lines can be read, ascending. */
export function readable({ plain, archived }: LogListing): number[] {
  return [...new Set([...archived, ...plain])].sort((a, b) => a - b);
}

function firstsOf(
  names: readonly string[],
  firstOf: (name: string) => number | undefined,
): number[] {
  return names
    .map(firstOf)
    .filter((first) => first !== undefined)
    .sort((a, b) => a - b);
}

function* namesIn(directory: string): Io<string[]> {
  try {
    return yield* ask('list', directory);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    return [];
  }
}
