/** Where the parts of a store lie. Names from outside never become paths. */
import { join } from 'node:path';
import { systemCode } from '../errors.js';
import {
  ANCHOR_FILE,
  INDEX_DIRECTORY,
  LOCK_FILE,
  LOG_DIRECTORY,
  SNAPSHOT_DIRECTORY,
  STORE_FILE,
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
  readonly snapshots: string;
  segment(first: number): string;
}

export function pathsOf(directory: string): Paths {
  const log = join(directory, LOG_DIRECTORY);
  return {
    directory,
    store: join(directory, STORE_FILE),
    lock: join(directory, LOCK_FILE),
    anchor: join(directory, ANCHOR_FILE),
    log,
    index: join(directory, INDEX_DIRECTORY),
    snapshots: join(directory, SNAPSHOT_DIRECTORY),
    segment: (first) => join(log, segmentName(first)),
  };
}

/** First positions of the segments in the directory, ascending; none when the directory is missing, which is damage like a missing segment. */
export function* listSegments(paths: Paths): Io<number[]> {
  let names: string[] = [];
  try {
    names = yield* ask('list', paths.log);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  return names
    .map(segmentOfName)
    .filter((first) => first !== undefined)
    .sort((a, b) => a - b);
}
