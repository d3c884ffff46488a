/**
 * The closed segments of a log with their indexes: opened when first needed, built again by one scan of the segment when they
 * are missing or broken, and then written where that is allowed. Everything here is derived: no failure to write it is an error.
 */
import { HistoryPrunedError, RecollectError, StoreDamagedError, systemCode } from '../errors.js';
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
  type IndexFiles,
  indexPath,
  openIndexFile,
  openIndexImage,
  openRemains,
} from './index-file.js';
import { writeIndexFile } from './index-write.js';
import type { Io } from './io.js';
import { OpenFiles } from './open-files.js';
import { listLog, type Paths, readable } from './paths.js';
import { remainsError } from './remains.js';
import { SegmentFiles } from './segment-files.js';
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
  /** Those of them of which only their indexes are left. */
  readonly dropped?: readonly number[];
  /** Files kept open for the next read. Default 16. */
  readonly openFilesMax?: number;
  /** Bytes of archived segments kept inflated for the next read. Default 8 MiB. */
  readonly blockBytesMax?: number;
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
  /** True when retention took its lines: only its index is left. */
  dropped: boolean;
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
    dropped: false,
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
  readonly #segments: SegmentFiles;
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
    this.#segments = new SegmentFiles(this.#paths, this.#files, options.blockBytesMax);
    this.#memory = indexMemory(options);
    this.#end = end;
    this.#all = (options.closed ?? []).map((first) => closedSegment(first));
    for (const segment of this.#all)
      segment.dropped = options.dropped?.includes(segment.first) === true;
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

  /** Takes over the segment that was being written when this process looked last, and that another one closed and dropped since. */
  addDropped(first: number, last: number): void {
    this.#all = [...this.#all, { ...closedSegment(first), dropped: true }];
    this.#end = last + 1;
  }

  *list(): Io<readonly ClosedSegment[]> {
    if (!this.#listed) yield* this.#listAgain();
    return this.#all;
  }

  /** Lists the directories again. Gives the segments that are there, dropped ones included. */
  *#listAgain(): Io<ReadonlySet<number>> {
    const listing = yield* listLog(this.#paths);
    const readableNow = new Set(readable(listing));
    const present = new Set([...listing.dropped, ...readableNow]);
    const known = new Map(this.#all.map((segment) => [segment.first, segment]));
    for (const first of present) {
      if (first < this.#end && !known.has(first)) known.set(first, closedSegment(first));
    }
    const all = [...known.values()]
      .filter(({ first, pending }) => pending || present.has(first))
      .sort((a, b) => a.first - b.first);
    if (all[0]?.first !== 1 && this.#end > 1) throw this.missing(1);
    for (const segment of all) {
      if (!segment.dropped && present.has(segment.first) && !readableNow.has(segment.first)) {
        segment.dropped = true;
        segment.index = undefined;
        segment.scan = undefined;
        yield* this.#segments.forget(segment.first);
      }
    }
    this.#all = all;
    this.#listed = true;
    return present;
  }

  /** The last position of a closed segment. */
  lastOf(segment: ClosedSegment): number {
    const next = this.#all[this.#all.indexOf(segment) + 1];
    return (next?.first ?? this.#end) - 1;
  }

  /** Asks a segment's index; one that turns out to be broken is built again and asked once more. */
  *ask<T>(segment: ClosedSegment, question: (index: SegmentIndex) => Io<T>): Io<T> {
    const wasDropped = segment.dropped;
    try {
      return yield* this.#present(segment.first, () => this.#askIndex(segment, question));
    } catch (error) {
      const isDropped = error instanceof HistoryPrunedError && segment.dropped;
      if (wasDropped || !isDropped) throw error;
      // Another process did that since this one looked: the index went with the lines, and what is left of them says the same.
      return yield* this.#askIndex(segment, question);
    }
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
    if (segment.dropped) return yield* this.#openRemains(segment);
    if (segment.broken) return undefined;
    const index = yield* openIndexFile(this.#paths, segment.first, this.#indexFiles, this.#memory);
    if (index?.last !== this.lastOf(segment)) return undefined;
    segment.index ??= index;
    return segment.index;
  }

  /** @throws StoreDamagedError: nothing else knows what it says */
  *#openRemains(segment: ClosedSegment): Io<SegmentIndex> {
    const { first } = segment;
    try {
      const index = yield* openRemains(this.#paths, first, this.#files, this.#memory);
      if (index.last !== this.lastOf(segment)) throw new IndexProblem('another last position');
      segment.index ??= index;
      return segment.index;
    } catch (error) {
      throw remainsError(this.#paths, first, error);
    }
  }

  *#rebuild(segment: ClosedSegment): Io<TailIndex> {
    if (segment.pending) return segment.pending;
    if (segment.dropped) {
      throw remainsError(this.#paths, segment.first, new IndexProblem('a piece of it is broken'));
    }
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
      const closing = yield* closingFactsOf(this.#segments, first, pending.last);
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
    const open = () => openIndexFile(this.#paths, first, this.#indexFiles, this.#memory);
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

  get #indexFiles(): IndexFiles {
    return { files: this.#files, segments: this.#segments };
  }

  /**
   * Reads bytes of any segment; fewer than asked for only at its end.
   * @throws HistoryPrunedError when it was dropped
   */
  *read(first: number, buffer: Buffer, start: number, length: number, at: number): Io<number> {
    return yield* this.#present(first, () =>
      this.#segments.use(first, function* (source): Io<number> {
        let filled = 0;
        while (filled < length) {
          const count = yield* source.read(buffer, start + filled, length - filled, at + filled);
          if (count === 0) break;
          filled += count;
        }
        return filled;
      }),
    );
  }

  /** What the closing line of the segment that ends with position `last` says. @throws StoreDamagedError */
  *closing(first: number, last: number): Io<ClosingFacts> {
    const closing = yield* this.#present(first, () => closingFactsOf(this.#segments, first, last));
    if (closing) return closing;
    const problem = `the segment does not end in the closing line for position ${last}`;
    throw this.damaged(first, 0, last, problem);
  }

  /** 0 for a dropped segment. */
  *size(first: number): Io<number> {
    if (this.#isDropped(first)) return 0;
    return yield* this.#present(first, () => this.#segments.use(first, (source) => source.size()));
  }

  #isDropped(first: number): boolean {
    return this.#all.some((segment) => segment.dropped && segment.first === first);
  }

  /** The first position whose lines are still there. */
  get firstKept(): number {
    return this.#all.find((segment) => !segment.dropped)?.first ?? this.#end;
  }

  /** Closes the files that nobody reads right now. */
  *letGo(): Io<void> {
    yield* this.#files.letGo();
  }

  /** Lets go of what is open of a segment that was moved to the archive or dropped, and looks what became of it. */
  *forget(first: number): Io<void> {
    yield* this.#segments.forget(first);
    yield* this.#listAgain();
  }

  /** Does work on a segment's file; when it is not there, the directory is listed again before that is called damage. */
  *#present<T>(first: number, work: () => Io<T>): Io<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return yield* work();
      } catch (error) {
        if (!isDiskError(error) || systemCode(error) !== 'ENOENT') throw error;
        const present = yield* this.#listAgain();
        if (attempt > 1 && this.#isDropped(first)) throw new HistoryPrunedError(this.firstKept);
        if (attempt > 1 || !present.has(first)) throw this.missing(first);
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
