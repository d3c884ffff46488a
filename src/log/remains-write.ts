/**
 * Drops segments (docs/FORMAT.md, "What is dropped"): first what stays of them is written and durable, then their lines go.
 * Whoever calls this holds the lock for compaction.
 */
import { basename, join } from 'node:path';
import { systemCode } from '../errors.js';
import { type GiveWay, makeArchiveDirectory, removeIfThere } from './archive-write.js';
import { LF, lineBytesMax } from './format.js';
import { encodeIndex } from './index-encode.js';
import { indexPath } from './index-file.js';
import { ask, type Io } from './io.js';
import type { Paths } from './paths.js';
import { damagedError } from './repair.js';
import { readAll, type SegmentBytes, withSegment } from './segment-bytes.js';
import { SegmentScan } from './segment-scan.js';
import { listIndexes } from './snapshot-files.js';
import { SegmentProblem } from './walk.js';
import { writeAll } from './whole-file.js';

export interface DropJob {
  readonly paths: Paths;
  readonly storeId: string;
  readonly first: number;
  readonly last: number;
}

const READ_BYTES = 256 * 1024;

/**
 * Writes what stays of a segment, of its lines as they are read now. Nothing is removed yet: until then the segment counts.
 * @throws StoreDamagedError when its lines are not what they must be, and the disk's errors
 */
export function* writeRemains(job: DropJob, giveWay: GiveWay): Io<void> {
  const { paths, first } = job;
  const scan = yield* withSegment(paths, first, (bytes) => scanned(job, bytes, giveWay));
  const content = Buffer.concat([...encodeIndex(scan.index, scan.closing)]);
  const target = paths.remains(first);
  const temporary = `${target}.tmp`;
  yield* makeArchiveDirectory(paths);
  yield* removeIfThere(temporary);
  try {
    const file = yield* ask('open', temporary, 'create');
    try {
      yield* writeAll(file, content, 0);
      yield* ask('sync', file);
      yield* readBack(file, content);
    } finally {
      yield* ask('close', file);
    }
    yield* ask('rename', temporary, target);
  } catch (error) {
    if (systemCode(error) !== undefined) yield* removeIfThere(temporary);
    throw error;
  }
  yield* ask('syncDirectory', paths.archive);
}

function* readBack(file: number, content: Buffer): Io<void> {
  const found = Buffer.alloc(content.length);
  let filled = 0;
  while (filled < found.length) {
    const count = yield* ask('read', file, found, filled, found.length - filled, filled);
    if (count === 0) break;
    filled += count;
  }
  if (filled === content.length && found.equals(content)) return;
  const message = 'the disk gave back other bytes than were written to it';
  throw Object.assign(new Error(message), { code: 'EIO' });
}

function* scanned(job: DropJob, source: SegmentBytes, giveWay: GiveWay): Io<SegmentScan> {
  const { paths, storeId, first, last } = job;
  const scan = new SegmentScan(first, storeId);
  const damaged = (offset: number, position: number, problem: string) =>
    damagedError(paths.directory, { file: source.path, offset, position, problem });
  let buffer = Buffer.allocUnsafe(READ_BYTES);
  for (;;) {
    const { offset } = scan;
    const count = yield* readAll(source, buffer, offset);
    if (count === 0) break;
    const end = buffer.subarray(0, count).lastIndexOf(LF) + 1;
    if (end === 0) {
      if (count < buffer.length || buffer.length >= lineBytesMax) {
        throw damaged(offset, scan.position, 'a line without its end');
      }
      buffer = Buffer.allocUnsafe(Math.min(2 * buffer.length, lineBytesMax));
      continue;
    }
    try {
      scan.feed(buffer, end);
    } catch (error) {
      if (!(error instanceof SegmentProblem)) throw error;
      throw damaged(error.offset, error.position, error.message);
    }
    yield* giveWay();
  }
  if (!scan.closed || scan.index.last !== last) {
    throw damaged(scan.offset, scan.position, 'the segment ends otherwise than the log goes on');
  }
  return scan;
}

/** Takes back what `writeRemains` wrote of a segment that is to stay. */
export function* removeRemains(paths: Paths, first: number): Io<void> {
  yield* ask('remove', paths.remains(first));
  yield* ask('syncDirectory', paths.archive);
}

/** Removes the lines of a segment whose remains are durable, and what was made of them: its index file, and the places of keys in it. */
export function* removeSegment(paths: Paths, first: number): Io<void> {
  yield* ask('remove', paths.archived(first));
  yield* ask('syncDirectory', paths.archive);
  const beginning = basename(indexPath(paths, first), '.ndjson');
  for (const name of yield* listIndexes(paths)) {
    if (name === `${beginning}.ndjson` || name.startsWith(`${beginning}-`)) {
      yield* removeIfThere(join(paths.index, name));
    }
  }
}

/** Removes what an interrupted attempt left in the archive. */
export function* removeArchiveLeftovers(paths: Paths): Io<void> {
  let names: string[] = [];
  try {
    names = yield* ask('list', paths.archive);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  for (const name of names) {
    if (name.endsWith('.tmp')) yield* removeIfThere(`${paths.archive}/${name}`);
  }
}
