/**
 * Saves what can be read of a damaged store into a new one. Two passes over the source, neither of which changes it: the first
 * finds what is there and what is gone, the second copies commits in the order of their positions.
 *
 * Positions and versions are given out anew where something is gone; times, actors, reasons, ids, keys, data and metadata stay.
 */
import {
  RecollectError,
  StoreAccessError,
  StoreDamagedError,
  StoreNotFoundError,
  systemCode,
} from '../errors.js';
import { readAnchor } from './anchor.js';
import { Course } from './course.js';
import { checksumHolds, lineKind } from './decode.js';
import { Envelope } from './envelope.js';
import type { Environment } from './environment.js';
import { LF, LINE_TAIL_BYTES } from './format.js';
import { ask, type Io } from './io.js';
import { LineReader } from './line-reader.js';
import { LogBuilder } from './log-builder.js';
import { readMark } from './mark.js';
import { readFully } from './open-files.js';
import { listLog, type Paths, readable } from './paths.js';
import { firstSeal, type Place } from './place.js';
import { beginningOf } from './remains.js';
import { SalvageLines } from './salvage-lines.js';
import { type LostPart, type Run, SalvageScan } from './salvage-scan.js';
import { withSalvaged } from './salvage-source.js';
import { readAll, type SegmentBytes } from './segment-bytes.js';
import { decodeStoreFile, type StoreFacts } from './store-file.js';
import type { Head } from './types.js';

export interface SalvageReport {
  /** Where the new store stands. */
  readonly directory: string;
  /** Kept. */
  readonly commits: number;
  readonly events: number;
  /** Commits kept although no seal proves them: their own checksums hold, but their group's seal is missing or does not fit. */
  readonly unsealed: number;
  /** All that is in the source and not in the new store, in the order of the source. */
  readonly lost: readonly LostPart[];
  /** Whether a commit has another position, or an event another version, than it had. */
  readonly renumbered: boolean;
  /** Positions of the first and last commit kept, as they were in the source. */
  readonly firstPosition?: number;
  readonly lastPosition?: number;
  /** The end of the new store. */
  readonly head: Head;
}

export interface SalvageOptions {
  readonly segmentBytes?: number | undefined;
  /** Who watches, and may end it. */
  readonly course?: Course | undefined;
}

const SMALL_FILE_BYTES = 4096;
const HEADER_STORE = /^\{"segment":[0-9]+,"format":[0-9]+,"store":"([^"\\]{1,64})"/;

/**
 * Makes a store at `target`, an absolute path where nothing stands, of what can be read at `source`.
 * @throws StoreNotFoundError when there is no log, FormatTooNewError, TypeError with code TARGET_EXISTS
 */
export function* salvageLog(
  environment: Environment,
  source: Paths,
  target: string,
  options: SalvageOptions = {},
): Io<SalvageReport> {
  const segments = yield* segmentsOf(source);
  const store = yield* storeFacts(source);
  const { course = new Course({}) } = options;
  const total = yield* bytesOf(source, segments);
  const builder = yield* LogBuilder.begin(environment, target, {
    durability: store?.durability,
    idempotencyWindow: store?.idempotencyWindow,
    segmentBytes: options.segmentBytes,
  });
  try {
    course.begin('read', 'bytes', total);
    const { scan, lost } = yield* search(source, segments, store, course);
    course.end();
    const runs = scan.runs.sort((a, b) => a.first - b.first);
    course.begin('write', 'bytes', total);
    yield* copy(source, runs, builder, course);
    course.end();
    if (builder.position !== scan.commits) throw changed(source);
    course.check();
    yield* builder.publish();
    const [first, last] = [runs[0]?.first, runs.at(-1)?.last];
    return Object.freeze({
      directory: target,
      commits: scan.commits,
      events: builder.events,
      unsealed: scan.unsealed,
      lost: Object.freeze(lost.map((part) => Object.freeze(part))),
      renumbered: builder.renumbered,
      ...(first === undefined || last === undefined
        ? {}
        : { firstPosition: first, lastPosition: last }),
      head: builder.head,
    });
  } catch (error) {
    yield* builder.discard();
    throw error;
  }
}

function changed(source: Paths): StoreAccessError {
  const cause = new Error('it changed while it was read');
  return new StoreAccessError(source.directory, cause, 'Stop what writes there and try again.');
}

function* segmentsOf(source: Paths): Io<number[]> {
  try {
    const segments = readable(yield* listLog(source));
    if (segments.length > 0) return segments;
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
  }
  throw new StoreNotFoundError(source.directory, 'there is no log in it to salvage');
}

/** What store.json says, if it can still be read. */
function* storeFacts(source: Paths): Io<StoreFacts | undefined> {
  const bytes = yield* readBeginning(source.store);
  if (bytes === undefined) return undefined;
  try {
    return decodeStoreFile(bytes, source.store);
  } catch (error) {
    if (error instanceof RecollectError && error.code !== 'STORE_FILE_BROKEN') throw error;
    return undefined;
  }
}

/** The first bytes of a file; `undefined` when it cannot be read. */
function* readBeginning(path: string): Io<Buffer | undefined> {
  return yield* reading(path, function* (file) {
    const bytes = Buffer.alloc(SMALL_FILE_BYTES);
    const count = yield* readFully(file, bytes, 0, bytes.length, 0);
    return bytes.subarray(0, count);
  });
}

function* beginningOfSegment(source: Paths, first: number): Io<Buffer | undefined> {
  try {
    return yield* withSalvaged(source, first, function* (segment): Io<Buffer> {
      const bytes = Buffer.alloc(SMALL_FILE_BYTES);
      return bytes.subarray(0, yield* readAll(segment, bytes, 0));
    });
  } catch (error) {
    if (!isBroken(error)) throw error;
    return undefined;
  }
}

/** Does work with a file that may be missing or broken. */
function* reading<T>(path: string, work: (file: number) => Io<T>): Io<T | undefined> {
  let file: number | undefined;
  try {
    file = yield* ask('open', path, 'read');
    return yield* work(file);
  } catch (error) {
    if (!isBroken(error)) throw error;
    return undefined;
  } finally {
    if (file !== undefined) yield* ask('close', file);
  }
}

/** Errors that will be the same the next time: what they speak of is as good as gone. */
function isBroken(error: unknown): boolean {
  const code = systemCode(error);
  return ['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'EINVAL', 'EIO'].includes(code ?? '');
}

/** Of all segments, as they stand on the disk. */
function* bytesOf(source: Paths, segments: readonly number[]): Io<number> {
  let bytes = 0;
  for (const first of segments) {
    const facts =
      (yield* ask('facts', source.segment(first))) ?? (yield* ask('facts', source.archived(first)));
    bytes += facts?.size ?? 0;
  }
  return bytes;
}

/** The same bytes, read under the eyes of who watches. */
function watched(bytes: SegmentBytes, course: Course): SegmentBytes {
  return {
    ...bytes,
    *read(buffer, start, length, at) {
      const count = yield* bytes.read(buffer, start, length, at);
      course.advance(count);
      return count;
    },
  };
}

/** The first pass. */
function* search(
  source: Paths,
  segments: readonly number[],
  store: StoreFacts | undefined,
  course: Course,
): Io<{ scan: SalvageScan; lost: LostPart[] }> {
  const storeId = yield* storeIdOf(source, segments, store);
  const { position, seal } = yield* beginning(source, storeId ?? '');
  const scan = new SalvageScan(storeId, storeId === undefined ? undefined : seal, position + 1);
  for (const first of segments) {
    const missing = source.segment(scan.next);
    try {
      yield* withSalvaged(source, first, function* (bytes): Io<void> {
        const lines = new SalvageLines(watched(bytes, course), yield* bytes.size());
        yield* scan.segment(first, bytes.path, missing, lines);
      });
    } catch (error) {
      if (!isBroken(error)) throw error;
      const path = source.segment(first);
      const bytes = (yield* ask('facts', path))?.size ?? 0;
      scan.unreadable(first, path, missing, bytes, `it cannot be opened (${systemCode(error)})`);
    }
  }
  return { scan, lost: scan.finish(yield* durablePosition(source)) };
}

/** Where the log begins, behind what retention dropped; at its very beginning if what is left of that cannot be read. */
function* beginning(source: Paths, storeId: string): Io<Place> {
  try {
    return yield* beginningOf(source, storeId);
  } catch (error) {
    if (!(error instanceof StoreDamagedError) && !isBroken(error)) throw error;
    return { segment: 1, offset: 0, position: 0, seal: firstSeal(storeId) };
  }
}

/** The id that most segments name, for store.json may be the one that is wrong, or a segment may have come from elsewhere. */
function* storeIdOf(
  source: Paths,
  segments: readonly number[],
  store: StoreFacts | undefined,
): Io<string | undefined> {
  const votes = new Map<string, number>();
  if (store) votes.set(store.id, 0.5);
  for (const first of segments) {
    const bytes = yield* beginningOfSegment(source, first);
    const line = bytes?.subarray(0, bytes.indexOf(LF) + 1) ?? Buffer.alloc(0);
    const id = HEADER_STORE.exec(line.toString('latin1'))?.[1];
    if (id === undefined || !checksumHolds(line, 0, line.length)) continue;
    votes.set(id, (votes.get(id) ?? 0) + 1);
  }
  const [most] = [...votes].sort((a, b) => b[1] - a[1]);
  return most?.[0];
}

/** The last position that the anchor or the mark says the log had, 0 when neither can be read. */
function* durablePosition(source: Paths): Io<number> {
  const anchor = yield* reading(source.anchor, readAnchor);
  const mark = yield* reading(source.lock, readMark);
  const inode = (yield* ask('facts', source.lock))?.inode;
  const marked = mark && mark.inode === inode ? mark.position : 0;
  return Math.max(anchor?.position ?? 0, marked);
}

/** The second pass. */
function* copy(source: Paths, runs: readonly Run[], builder: LogBuilder, course: Course): Io<void> {
  const envelope = new Envelope();
  for (let from = 0; from < runs.length; ) {
    const { segment } = runs[from] as Run;
    let to = from + 1;
    while (runs[to]?.segment === segment) to += 1;
    const together = runs.slice(from, to);
    yield* withSalvaged(source, segment, function* (bytes): Io<void> {
      const seen = watched(bytes, course);
      for (const run of together) yield* copyRun(source, seen, run, envelope, builder);
    });
    from = to;
  }
}

function* copyRun(
  source: Paths,
  bytes: SegmentBytes,
  run: Run,
  envelope: Envelope,
  builder: LogBuilder,
): Io<void> {
  const reader = new LineReader(bytes, run.start, run.end - (run.badLineEnd ? 1 : 0));
  for (;;) {
    const lines = yield* reader.next();
    if (!lines) break;
    for (let at = lines.start; at < lines.end; ) {
      const next = lines.buffer.indexOf(LF, at) + 1;
      yield* copyLine(source, lines.buffer, at, next, envelope, builder);
      at = next;
    }
  }
  const { rest } = reader;
  if (rest.bytes === 0) return;
  const line = Buffer.alloc(rest.bytes + 1, LF);
  yield* readAll(bytes, line.subarray(0, rest.bytes), rest.offset);
  yield* copyLine(source, line, 0, line.length, envelope, builder);
}

function* copyLine(
  source: Paths,
  buffer: Buffer,
  start: number,
  end: number,
  envelope: Envelope,
  builder: LogBuilder,
): Io<void> {
  if (!checksumHolds(buffer, start, end)) throw changed(source);
  if (lineKind(buffer, start) !== 'commit') return;
  envelope.scan(buffer, start, end);
  const payload = buffer.toString('utf8', envelope.payloadStart, end - LINE_TAIL_BYTES);
  yield* builder.add(envelope.head(buffer), payload);
}
