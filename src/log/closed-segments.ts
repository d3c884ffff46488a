/**
 * The closed segments of a log with their indexes: opened when first needed, built again by one scan of the segment when they
 * are missing or broken, and then written where that is allowed. Everything here is derived: no failure to write it is an error.
 */
import { RecollectError, StoreDamagedError, systemCode } from '../errors.js';
import { LF, lineBytesMax } from './format.js';
import {
  IndexGone,
  type IndexMemory,
  type IndexMemoryLimits,
  IndexProblem,
  indexMemory,
} from './index-directory.js';
import type { ClosingFacts } from './index-encode.js';
import {
  closingFactsOf,
  type IndexFile,
  indexPath,
  openIndexFile,
  openIndexImage,
} from './index-file.js';
import { writeIndexFile } from './index-write.js';
import { ask, type Io } from './io.js';
import { OpenFiles, readFully } from './open-files.js';
import { listSegments, type Paths } from './paths.js';
import type { SegmentIndex, TailIndex } from './segment-index.js';
import { SegmentScan } from './segment-scan.js';
import { SegmentProblem } from './walk.js';

export interface ClosedSegmentsOptions extends IndexMemoryLimits {
  readonly paths: Paths;
  readonly storeId: string;
  /** Whether index files may be written. */
  readonly writable: boolean;
  /** First positions (names) of the closed segments, ascending, when they are known. */
  readonly closed?: readonly number[];
  /** Files kept open for the next read. Default 16. */
  readonly openFilesMax?: number;
}

export interface ClosedSegment {
  readonly first: number;
  /** In memory, until its index file is written. */
  pending: TailIndex | undefined;
  /** The seal that it must be closed with, if it was closed while this process looked on. */
  readonly seal: string | undefined;
  index: IndexFile | undefined;
  /** True when a piece of its index file was broken: then it is built again without another look at that file. */
  broken: boolean;
  scan: SegmentScan | undefined;
  settling: boolean;
}

const SCAN_BYTES = 256 * 1024;

function closedSegment(first: number, pending?: TailIndex, seal?: string): ClosedSegment {
  return {
    first,
    pending,
    seal,
    index: undefined,
    broken: false,
    scan: undefined,
    settling: false,
  };
}

/** True for an error of the disk itself: not for one that already has a meaning here. */
function isDiskError(error: unknown): boolean {
  return !(error instanceof RecollectError) && systemCode(error) !== undefined;
}

/** What keeps an index from being written, or read back: it answers from memory then. */
function isHarmless(error: unknown): boolean {
  return isDiskError(error) || error instanceof IndexProblem;
}

export class ClosedSegments {
  readonly #paths: Paths;
  readonly #storeId: string;
  readonly #writable: boolean;
  readonly #files: OpenFiles;
  readonly #memory: IndexMemory;
  /** Where the segment that is being written begins. */
  #end: number;
  #listed: boolean;
  /** Ascending. Replaced, never changed, so that a walk over it survives a rotation. */
  #all: readonly ClosedSegment[] = [];

  constructor(options: ClosedSegmentsOptions, end: number) {
    this.#paths = options.paths;
    this.#storeId = options.storeId;
    this.#writable = options.writable;
    this.#files = new OpenFiles(options.openFilesMax);
    this.#memory = indexMemory(options);
    this.#end = end;
    this.#all = (options.closed ?? []).map((first) => closedSegment(first));
    this.#listed = options.closed !== undefined || end === 1;
  }

  /** All of them, oldest first, or `undefined` before the directory was looked at. */
  get known(): readonly ClosedSegment[] | undefined {
    return this.#listed ? this.#all : undefined;
  }

  /** Takes over the segment that was being written. It answers from memory until it is settled. */
  add(tail: TailIndex, seal: string): void {
    this.#all = [...this.#all, closedSegment(tail.first, tail, seal)];
    this.#end = tail.last + 1;
  }

  *list(): Io<readonly ClosedSegment[]> {
    if (!this.#listed) yield* this.#listAgain();
    return this.#all;
  }

  *#listAgain(): Io<readonly number[]> {
    const firsts = yield* listSegments(this.#paths);
    const known = new Map(this.#all.map((segment) => [segment.first, segment]));
    for (const first of firsts) {
      if (first < this.#end && !known.has(first)) known.set(first, closedSegment(first));
    }
    const present = new Set(firsts);
    const all = [...known.values()]
      .filter(({ first, pending }) => pending || present.has(first))
      .sort((a, b) => a.first - b.first);
    if (all[0]?.first !== 1 && this.#end > 1) throw this.missing(1);
    this.#all = all;
    this.#listed = true;
    return firsts;
  }

  /** The last position of a closed segment. */
  lastOf(segment: ClosedSegment): number {
    const next = this.#all[this.#all.indexOf(segment) + 1];
    return (next?.first ?? this.#end) - 1;
  }

  /** Asks a segment's index; one that turns out to be broken is built again and asked once more. */
  *ask<T>(segment: ClosedSegment, question: (index: SegmentIndex) => Io<T>): Io<T> {
    return yield* this.#present(segment.first, () => this.#askIndex(segment, question));
  }

  *#askIndex<T>(segment: ClosedSegment, question: (index: SegmentIndex) => Io<T>): Io<T> {
    const index = segment.pending ?? segment.index ?? (yield* this.#openIndex(segment));
    if (index) {
      try {
        return yield* question(index);
      } catch (error) {
        if (!(error instanceof IndexProblem)) throw error;
        if (segment.index === index) {
          segment.index = undefined;
          if (!(error instanceof IndexGone)) segment.broken = true;
        }
      }
    }
    return yield* question(yield* this.#rebuild(segment));
  }

  *#openIndex(segment: ClosedSegment): Io<SegmentIndex | undefined> {
    if (segment.broken) return undefined;
    const index = yield* openIndexFile(this.#paths, segment.first, this.#files, this.#memory);
    if (index?.last !== this.lastOf(segment)) return undefined;
    segment.index ??= index;
    return segment.index;
  }

  *#rebuild(segment: ClosedSegment): Io<TailIndex> {
    if (segment.pending) return segment.pending;
    segment.scan ??= new SegmentScan(segment.first, this.#storeId);
    const { scan } = segment;
    yield* this.#scan(segment.first, scan);
    const tail = scan.index;
    if (segment.scan !== scan) return tail;
    segment.scan = undefined;
    if (tail.last !== this.lastOf(segment)) throw this.missing(tail.last + 1);
    segment.pending = tail;
    try {
      yield* this.#settleOne(segment);
    } catch (error) {
      // It answers from memory until the next attempt.
      if (!isHarmless(error)) throw error;
    }
    return tail;
  }

  /**
   * Reads the segment to its end. Others may drive the same scan, from synchronous and asynchronous calls, which cannot wait for
   * one another: each reads what is next, and who has it first feeds it.
   */
  *#scan(first: number, scan: SegmentScan): Io<void> {
    let buffer = Buffer.allocUnsafe(SCAN_BYTES);
    while (!scan.done) {
      if (scan.failure) throw scan.failure;
      const { offset } = scan;
      const count = yield* this.read(first, buffer, 0, buffer.length, offset);
      if (scan.offset !== offset || scan.done || scan.failure) continue;
      const end = buffer.subarray(0, count).lastIndexOf(LF) + 1;
      const last = count < buffer.length;
      if (end === 0 && !last && buffer.length < lineBytesMax) {
        buffer = Buffer.allocUnsafe(Math.min(2 * buffer.length, lineBytesMax));
        continue;
      }
      scan.failure = this.#feed(first, scan, buffer, end, count);
    }
  }

  #feed(first: number, scan: SegmentScan, buffer: Buffer, end: number, count: number) {
    const problem = (offset: number, text: string) =>
      this.damaged(first, offset, scan.position, text);
    if (scan.closed) {
      scan.done = count === 0;
      return scan.done ? undefined : problem(scan.offset, 'bytes behind the closing line');
    }
    if (count === 0) return problem(scan.offset, 'the segment ends without its closing line');
    if (end === 0) return problem(scan.offset, 'a line without an end');
    try {
      scan.feed(buffer, end);
      return undefined;
    } catch (error) {
      if (!(error instanceof SegmentProblem)) throw error;
      return this.damaged(first, error.offset, error.position, error.message);
    }
  }

  /** Writes the index files that are not written yet. What the disk refuses stays in bounded memory. */
  *settle(): Io<void> {
    for (const segment of this.#all) {
      try {
        yield* this.#settleOne(segment);
      } catch (error) {
        if (!isHarmless(error)) throw error;
      }
    }
  }

  *#settleOne(segment: ClosedSegment): Io<void> {
    const { pending } = segment;
    if (!pending || segment.settling) return;
    segment.settling = true;
    try {
      const { first } = segment;
      const closing = yield* closingFactsOf(this.#paths, first, pending.last, this.#files);
      if (!closing || closing.seal !== (segment.seal ?? closing.seal)) {
        const problem = `the segment does not end in the closing line for position ${pending.last}`;
        throw this.damaged(first, closing?.bytes ?? 0, pending.last, problem);
      }
      const index =
        (yield* this.#indexFile(segment, pending, closing)) ??
        (yield* openIndexImage(pending, closing, this.#memory));
      // The commits that come next look here at once, and should not have to read first.
      yield* index.load('streams');
      yield* index.load('keys');
      segment.index = index;
      segment.pending = undefined;
    } finally {
      segment.settling = false;
    }
  }

  /** The file that another process wrote, or one of our own; `undefined` when it may not or cannot be written. */
  *#indexFile(
    segment: ClosedSegment,
    pending: TailIndex,
    closing: ClosingFacts,
  ): Io<IndexFile | undefined> {
    const { first } = segment;
    const open = () => openIndexFile(this.#paths, first, this.#files, this.#memory);
    const found = segment.broken ? undefined : yield* open();
    if (found || !this.#writable) return found;
    try {
      // An open file could not be replaced everywhere, and would go on showing what stood there before.
      yield* this.#files.forget(indexPath(this.#paths, first));
      yield* writeIndexFile(this.#paths, pending, closing);
      yield* this.#files.forget(indexPath(this.#paths, first));
      const written = yield* open();
      segment.broken = written === undefined;
      return written;
    } catch (error) {
      if (!isDiskError(error)) throw error;
      return undefined;
    }
  }

  /** Reads bytes of any segment; fewer than asked for only at its end. */
  *read(first: number, buffer: Buffer, start: number, length: number, at: number): Io<number> {
    const path = this.#paths.segment(first);
    return yield* this.#present(first, () =>
      this.#files.use(path, (file) => readFully(file, buffer, start, length, at)),
    );
  }

  /** What the closing line of the segment that ends with position `last` says. @throws StoreDamagedError */
  *closing(first: number, last: number): Io<ClosingFacts> {
    const closing = yield* this.#present(first, () =>
      closingFactsOf(this.#paths, first, last, this.#files),
    );
    if (closing) return closing;
    const problem = `the segment does not end in the closing line for position ${last}`;
    throw this.damaged(first, 0, last, problem);
  }

  *size(first: number): Io<number> {
    const path = this.#paths.segment(first);
    return yield* this.#present(first, () => this.#files.use(path, (file) => ask('size', file)));
  }

  /** Does work on a segment's file; when it is not there, the directory is listed again before that is called damage. */
  *#present<T>(first: number, work: () => Io<T>): Io<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return yield* work();
      } catch (error) {
        if (!isDiskError(error) || systemCode(error) !== 'ENOENT') throw error;
        const firsts = yield* this.#listAgain();
        if (attempt > 1 || !firsts.includes(first)) throw this.missing(first);
      }
    }
  }

  missing(first: number): StoreDamagedError {
    return this.damaged(first, 0, first, 'the segment is missing');
  }

  damaged(
    first: number,
    offset: number,
    position: number | undefined,
    problem: string,
  ): StoreDamagedError {
    const { directory } = this.#paths;
    const file = this.#paths.segment(first);
    return new StoreDamagedError({ directory, file, offset, position, problem });
  }

  /** Closes the files kept open. Whoever is reading right now ends that read; the next one throws StoreClosedError. */
  *close(): Io<void> {
    yield* this.#files.close();
  }
}
