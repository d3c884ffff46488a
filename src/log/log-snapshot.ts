/**
 * What the log comes to as of the end of a closed segment (docs/FORMAT.md, "Snapshots"): opening takes it instead of looking into every
 * segment before it. It is derived, and never trusted over the log.
 */
import { join } from 'node:path';
import { hashName, type NameHash } from './bloom-filter.js';
import type { Io } from './io.js';
import type { Paths } from './paths.js';
import { logPositions, logSnapshotName } from './snapshot-files.js';
import { SortedProblem } from './sorted-format.js';
import type { SortedCursor, SortedFile, SortedFiles } from './sorted-read.js';

/** A closed segment. */
export interface SegmentSummary {
  /** First position: its name. */
  readonly first: number;
  readonly last: number;
  /** Size with its closing line. */
  readonly bytes: number;
  /** In its closing line. */
  readonly seal: string;
  /** Times of its first and last commit. */
  readonly firstTime: string;
  readonly lastTime: string;
  readonly events: number;
  /** Commits with an idempotency key. */
  readonly keyed: number;
}

/** Where an idempotency key stands last. */
export interface SnapshotKey {
  readonly position: number;
  readonly segment: number;
  readonly offset: number;
  /** Its number among all commits of the log with a key, from 1. */
  readonly ordinal: number;
}

export interface SegmentLine {
  readonly k: string;
  readonly last: number;
  readonly bytes: number;
  readonly seal: string;
  readonly from: string;
  readonly to: string;
  readonly events: number;
  readonly keyed: number;
}

export interface KeyLine {
  readonly k: string;
  readonly p: number;
  readonly g: number;
  readonly o: number;
  readonly n: number;
}

export class LogSnapshot {
  readonly position: number;
  /** Of the commit at that position. */
  readonly time: string;
  readonly seal: string;
  /** Up to there. */
  readonly events: number;
  readonly keyed: number;
  /** Oldest first, without a gap. */
  readonly segments: readonly SegmentSummary[];
  readonly #file: SortedFile;

  private constructor(file: SortedFile, segments: readonly SegmentSummary[]) {
    const { position, time, seal, events = 0, keyed = 0 } = file.header;
    this.#file = file;
    this.position = position;
    this.time = time;
    this.seal = seal;
    this.events = events;
    this.keyed = keyed;
    this.segments = segments;
  }

  /** The snapshot in that file. @throws SortedProblem when it is none of this store that can be used */
  static *open(
    path: string,
    storeId: string,
    position: number,
    sorted: SortedFiles,
  ): Io<LogSnapshot> {
    const file = yield* sorted.open(path);
    const { header } = file;
    if (header.snapshot !== 'log' || header.store !== storeId || header.position !== position) {
      throw new SortedProblem('of another store or position');
    }
    const segments: SegmentSummary[] = [];
    const cursor = file.cursor('segments');
    for (let lines = yield* cursor.next(); lines; lines = yield* cursor.next()) {
      for (const { block, index } of lines) segments.push(summaryOf(block.line(index)));
    }
    let next = 1;
    for (const { first, last } of segments) {
      if (first !== next) throw new SortedProblem('its segments do not follow each other');
      next = last + 1;
    }
    if (next !== position + 1) throw new SortedProblem('its segments end elsewhere');
    return new LogSnapshot(file, segments);
  }

  /** Streams up to there. */
  get streamCount(): number {
    return this.#file.count('streams');
  }

  get keyCount(): number {
    return this.#file.count('keys');
  }

  get path(): string {
    return this.#file.path;
  }

  /** False when the name certainly is not there; `undefined` when that takes a look at the file. */
  mayHaveNow(section: 'streams' | 'keys', hash: NameHash): boolean | undefined {
    return this.#file.mayHaveNow(section, hash);
  }

  /** The stream's version, 0 when it had no event. @throws SortedProblem */
  *version(stream: string): Io<number> {
    if (this.mayHaveNow('streams', hashName(stream)) === false) return 0;
    const line = yield* this.#file.find<{ readonly v: number }>('streams', stream);
    return line?.v ?? 0;
  }

  /** Where the key stands last, if that is within the window as of the snapshot. @throws SortedProblem */
  *key(key: string): Io<SnapshotKey | undefined> {
    const line = yield* this.#file.find<KeyLine>('keys', key);
    return line && { position: line.p, segment: line.g, offset: line.o, ordinal: line.n };
  }

  /** For whoever is done with the lines when it asks for more. @throws SortedProblem */
  passingCursor(section: 'streams' | 'keys'): SortedCursor {
    return this.#file.passingCursor(section);
  }
}

function summaryOf(line: SegmentLine): SegmentSummary {
  const { k, last, bytes, seal, from, to, events, keyed } = line;
  return { first: Number(k), last, bytes, seal, firstTime: from, lastTime: to, events, keyed };
}

/**
 * The newest log snapshot among these names of files that is right in itself; `undefined` when there is none. Whether the log bears it out is for the caller to find.
 */
export function* newestLogSnapshot(
  paths: Paths,
  storeId: string,
  names: readonly string[],
  sorted: SortedFiles,
): Io<LogSnapshot | undefined> {
  for (const position of logPositions(names)) {
    const path = join(paths.snapshots, logSnapshotName(position));
    try {
      return yield* LogSnapshot.open(path, storeId, position, sorted);
    } catch (error) {
      if (!(error instanceof SortedProblem)) throw error;
      yield* sorted.forget(path);
    }
  }
  return undefined;
}
