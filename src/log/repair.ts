/**
 * Makes the end of the log proven: what is whole is written again in place and synced, what is torn is copied aside and
 * cut off. Called under the write lock, on one thread.
 *
 * Whole groups are written again because their first sync may have failed: the kernel then counts the pages as clean, and a second
 * sync alone would report success without writing them.
 */
import { StoreDamagedError } from '../errors.js';
import type { Disk } from './disk.js';
import { headerLine } from './encode.js';
import type { Environment } from './environment.js';
import { type DamageFacts, type ExamineOptions, examineTail, type TailReport } from './examine.js';
import { closeQuietly, runSync, syncDirectory, syncFile, writeFully } from './io.js';
import { readFully } from './open-files.js';
import { listSegments, type Paths } from './paths.js';
import type { Place } from './place.js';
import type { Recovery } from './types.js';

const COPY_BYTES = 1024 * 1024;
/** Copies of cut bytes are kept up to this size; beyond it only the beginning is. */
const BROKEN_BYTES_MAX = 16 * 1024 * 1024;

export interface Repaired {
  readonly place: Place;
  readonly time: string;
  readonly recovery: Recovery;
}

export function damagedError(directory: string, facts: DamageFacts): StoreDamagedError {
  return new StoreDamagedError({ directory, ...facts });
}

/** Called along the way; each keeps what comes after it from happening by throwing. */
export interface RepairHooks {
  /** Something will be cut off. */
  readonly beforeCut: () => void;
  /** Something may be written or synced. */
  readonly beforeChange: () => void;
}

/**
 * Proves the end of the log from a place that stands.
 * @throws StoreDamagedError when what stands behind it is neither whole nor torn; then nothing was changed.
 */
export function proveEnd(
  environment: Environment,
  paths: Paths,
  storeId: string,
  from: Place,
  options: ExamineOptions,
  hooks: RepairHooks,
): Repaired {
  const { disk } = environment;
  const report = runSync(disk, examineTail(paths, storeId, from, options));
  const { end } = report;
  if (end.kind === 'damaged') throw damagedError(paths.directory, end);
  if (end.kind !== 'clean' && end.bytes > 0) hooks.beforeCut();
  hooks.beforeChange();
  writeAgain(disk, paths, from, report.place);
  if (end.kind === 'clean') return { ...report, recovery: clean(report) };
  if (end.kind === 'unfinished-segment') {
    const broken = end.bytes > 0 ? copyAside(environment, paths, report, 0, end.bytes) : undefined;
    const place = createSegment(disk, paths, storeId, report.place);
    const cut = { offset: 0, bytes: end.bytes, broken };
    return { place, time: report.time, recovery: repaired(paths, place, cut, options) };
  }
  const { segment, offset } = report.place;
  const broken = copyAside(environment, paths, report, end.offset, end.bytes);
  const file = disk.open(paths.segment(segment), 'write');
  try {
    disk.truncate(file, offset);
    syncFile(disk, file);
  } finally {
    closeQuietly(disk, file);
  }
  const cut = { offset, bytes: end.bytes, broken };
  const recovery = repaired(paths, report.place, cut, options);
  return { place: report.place, time: report.time, recovery };
}

function clean(report: TailReport): Recovery {
  return { state: 'clean', position: report.place.position };
}

interface Cut {
  readonly offset: number;
  readonly bytes: number;
  readonly broken: string | undefined;
}

const UNACKNOWLEDGED = 'the last group was torn; it had not been acknowledged and was cut off';
/** Durability `os` acknowledges what is not synced yet. */
const UNSYNCED =
  "what stands behind the last whole group was torn and was cut off; with durability 'os' it may have been acknowledged";

function repaired(
  paths: Paths,
  place: Place,
  { offset, bytes, broken }: Cut,
  { laterGroupsProve: isSynced }: ExamineOptions,
): Recovery {
  if (bytes === 0) return { state: 'clean', position: place.position };
  return {
    state: 'repaired',
    file: paths.segment(place.segment),
    offset,
    bytes,
    position: place.position,
    problem: isSynced ? UNACKNOWLEDGED : UNSYNCED,
    ...(broken === undefined ? {} : { broken }),
  };
}

/** Writes the bytes between two places again, where they stand, and syncs the files they stand in. */
function writeAgain(disk: Disk, paths: Paths, from: Place, to: Place): void {
  const segments = runSync(disk, listSegments(paths));
  for (const segment of segments) {
    if (segment < from.segment || segment > to.segment) continue;
    const start = segment === from.segment ? from.offset : 0;
    const file = disk.open(paths.segment(segment), 'write');
    try {
      const end = segment === to.segment ? to.offset : disk.size(file);
      const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, Math.max(1, end - start)));
      for (let at = start; at < end; ) {
        const count = disk.read(file, buffer, 0, Math.min(buffer.length, end - at), at);
        if (count === 0) break;
        writeFully(disk, file, buffer.subarray(0, count), at);
        at += count;
      }
      if (end > start) syncFile(disk, file);
    } finally {
      closeQuietly(disk, file);
    }
  }
  if (to.segment !== from.segment) syncDirectory(disk, paths.log);
}

/** Makes the segment that follows a closed one, header and directory entry durable. Gives the place behind the header. */
export function createSegment(disk: Disk, paths: Paths, storeId: string, closed: Place): Place {
  const first = closed.position + 1;
  const path = paths.segment(first);
  const header = headerLine(first, storeId, closed.seal);
  const exists = disk.facts(path) !== undefined;
  const file = disk.open(path, exists ? 'write' : 'create');
  try {
    if (exists) {
      disk.truncate(file, 0);
      syncFile(disk, file);
    }
    writeFully(disk, file, header, 0);
    syncFile(disk, file);
  } finally {
    closeQuietly(disk, file);
  }
  syncDirectory(disk, paths.log);
  return { segment: first, offset: header.length, position: closed.position, seal: closed.seal };
}

/** Keeps a copy of what will be cut, next to the segment; gives its path. Best effort: a full disk does not stop a repair. */
function copyAside(
  environment: Environment,
  paths: Paths,
  report: TailReport,
  offset: number,
  bytes: number,
): string | undefined {
  const { disk } = environment;
  const unfinished = report.end.kind === 'unfinished-segment';
  const segment = unfinished ? report.place.position + 1 : report.place.segment;
  const source = paths.segment(segment);
  const target = `${source}.${offset}-${environment.randomBytes(4).toString('hex')}.broken`;
  let from: number | undefined;
  let to: number | undefined;
  try {
    from = disk.open(source, 'read');
    to = disk.open(target, 'create');
    const copy = Buffer.alloc(Math.min(bytes, BROKEN_BYTES_MAX));
    const count = runSync(disk, readFully(from, copy, 0, copy.length, offset));
    writeFully(disk, to, copy.subarray(0, count), 0);
    disk.sync(to);
    return target;
  } catch {
    return undefined;
  } finally {
    if (from !== undefined) closeQuietly(disk, from);
    if (to !== undefined) closeQuietly(disk, to);
  }
}
