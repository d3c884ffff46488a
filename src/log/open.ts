/** Opening: find or make the store, prove the end of its log, and learn what is needed to read and write. */
import { basename, dirname, join } from 'node:path';
import {
  StoreAccessError,
  StoreDamagedError,
  StoreNotFoundError,
  systemCode,
  UnsupportedFileSystemError,
} from '../errors.js';
import { nextPause } from '../locks/wait.js';
import { readAnchor } from './anchor.js';
import { type CreateOptions, tryCreateStore } from './create.js';
import type { Disk } from './disk.js';
import { closingLine } from './encode.js';
import type { Environment } from './environment.js';
import { examineTail, placeStands } from './examine.js';
import { STORE_FILE, WRITE_LOCK } from './format.js';
import { removeLeftovers } from './index-write.js';
import { ask, closeQuietly, type Io, runSync } from './io.js';
import { LineReader } from './line-reader.js';
import { markHolds, readMark } from './mark.js';
import { readFully } from './open-files.js';
import { listSegments, type Paths } from './paths.js';
import { firstSeal, type Place, samePlace } from './place.js';
import { damagedError } from './repair.js';
import { asStoreError, Section, type SectionOptions } from './section.js';
import { TailIndex } from './segment-index.js';
import { decodeStoreFile, type StoreFacts } from './store-file.js';
import type { Recovery } from './types.js';
import { SegmentProblem, SegmentWalker } from './walk.js';
import { lockTimeout } from './write-lock.js';

export interface OpenSettings {
  readonly paths: Paths;
  readonly create: CreateOptions | undefined;
  readonly readOnly: boolean;
  readonly lockTimeoutMs: number;
  readonly segmentBytes: number;
  readonly label: string;
  readonly allowSharedDirectory: boolean;
  readonly allowFileSystem: boolean;
}

/** What opening gives: the store's facts, its open lock file, and the end of its log. */
export interface Found {
  readonly store: StoreFacts;
  readonly lockFile: number;
  readonly lockInode: number;
  /** Absent when opened for reading. */
  readonly section: Section | undefined;
  readonly place: Place;
  readonly recovery: Recovery;
}

/** Waits between two attempts: blocks the thread, or does not. */
type Pauses = Iterator<number, never>;

function* pauses(environment: Environment): Generator<number, never> {
  let pause = 0;
  for (;;) {
    pause = nextPause(pause, environment.randomBytes(1).readUInt8() / 255);
    yield pause;
  }
}

/** Steps of opening that may have to be tried again; gives `undefined` for "not yet". */
interface Attempt<T> {
  try(): T | undefined;
  /** Nobody may wait longer than this. */
  late(): Error;
}

function attemptSync<T>(environment: Environment, attempt: Attempt<T>, timeoutMs: number): T {
  const deadline = environment.monotonic() + timeoutMs;
  const waits: Pauses = pauses(environment);
  for (;;) {
    const result = attempt.try();
    if (result !== undefined) return result;
    if (environment.monotonic() >= deadline) throw attempt.late();
    environment.disk.pause(waits.next().value);
  }
}

async function attemptAsync<T>(
  environment: Environment,
  attempt: Attempt<T>,
  timeoutMs: number,
): Promise<T> {
  const deadline = environment.monotonic() + timeoutMs;
  for (;;) {
    const result = attempt.try();
    if (result !== undefined) return result;
    if (environment.monotonic() >= deadline) throw attempt.late();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Opens the files of a store and proves the end of its log. */
export function findStoreSync(environment: Environment, settings: OpenSettings): Found {
  const { lockTimeoutMs } = settings;
  return told(settings, () => {
    prepare(environment, settings);
    if (settings.create) {
      attemptSync(environment, creation(environment, settings, settings.create), lockTimeoutMs);
    }
    const files = openFiles(environment, settings);
    return closingOnError(environment.disk, files.lockFile, () =>
      attemptSync(environment, end(environment, settings, files), lockTimeoutMs),
    );
  });
}

/** The same without blocking while another process holds the lock. */
export async function findStore(environment: Environment, settings: OpenSettings): Promise<Found> {
  const { lockTimeoutMs } = settings;
  try {
    prepare(environment, settings);
    if (settings.create) {
      await attemptAsync(
        environment,
        creation(environment, settings, settings.create),
        lockTimeoutMs,
      );
    }
    const files = openFiles(environment, settings);
    try {
      return await attemptAsync(environment, end(environment, settings, files), lockTimeoutMs);
    } catch (error) {
      closeQuietly(environment.disk, files.lockFile);
      throw error;
    }
  } catch (error) {
    throw asStoreError(error, settings.paths.directory);
  }
}

function told<T>(settings: OpenSettings, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asStoreError(error, settings.paths.directory);
  }
}

function closingOnError<T>(disk: Disk, file: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    closeQuietly(disk, file);
    throw error;
  }
}

/** Refuses what cannot or must not hold a store before anything is touched. */
function prepare(environment: Environment, settings: OpenSettings): void {
  const { disk } = environment;
  const { paths, create } = settings;
  const facts = disk.facts(paths.directory);
  if (facts === undefined) {
    if (!create) throw notFound(disk, paths, 'there is no such directory');
    checkFileSystem(disk, existingParent(disk, paths.directory), settings);
    return;
  }
  if (facts.kind !== 'directory') {
    throw new StoreNotFoundError(paths.directory, 'it is not a directory');
  }
  checkFileSystem(disk, paths.directory, settings);
  const othersMayWrite = (facts.mode & 0o022) !== 0 && process.platform !== 'win32';
  if (othersMayWrite && !settings.allowSharedDirectory) {
    throw new StoreAccessError(
      paths.directory,
      new Error(`other users may write there (mode ${facts.mode.toString(8)})`),
      'Take that right away (chmod go-w), or accept it with allowSharedDirectory: true.',
    );
  }
  if (!create && disk.facts(paths.store) === undefined) {
    throw missingStoreFile(disk, paths);
  }
}

/** A directory without store.json: something else, or a store that lost it. */
function missingStoreFile(disk: Disk, paths: Paths): Error {
  if (disk.facts(paths.log)?.kind === 'directory') {
    const [first] = runSync(disk, listSegments(paths));
    const facts = first === undefined ? undefined : disk.facts(paths.segment(first));
    if (first !== undefined && (first > 1 || (facts?.size ?? 0) > 1024)) {
      const { directory, store: file } = paths;
      const problem = 'there is a log but no store.json';
      return new StoreDamagedError({ directory, file, offset: 0, problem });
    }
  }
  return notFound(disk, paths, `there is no ${STORE_FILE}`);
}

function existingParent(disk: Disk, path: string): string {
  const parent = dirname(path);
  return parent === path || disk.facts(parent) !== undefined
    ? parent
    : existingParent(disk, parent);
}

function checkFileSystem(disk: Disk, path: string, settings: OpenSettings): void {
  if (settings.allowFileSystem) return;
  const { name, trusted } = disk.fileSystem(path);
  if (!trusted) throw new UnsupportedFileSystemError(settings.paths.directory, name);
}

const NEARBY_LOOKED_AT = 200;
const NEARBY_TOLD = 3;

function notFound(disk: Disk, paths: Paths, reason: string): StoreNotFoundError {
  const nearby: string[] = [];
  for (const directory of [dirname(paths.directory), paths.directory]) {
    try {
      for (const name of disk.list(directory).slice(0, NEARBY_LOOKED_AT)) {
        const candidate = join(directory, name);
        if (candidate === paths.directory || nearby.length >= NEARBY_TOLD) continue;
        if (disk.facts(join(candidate, STORE_FILE))?.kind === 'file') nearby.push(candidate);
      }
    } catch {
      // A directory that cannot be listed has nothing to suggest.
    }
  }
  const wanted = basename(paths.directory).toLowerCase();
  nearby.sort((a, b) => likeness(b, wanted) - likeness(a, wanted));
  return new StoreNotFoundError(paths.directory, reason, nearby);
}

function likeness(path: string, wanted: string): number {
  const name = basename(path).toLowerCase();
  let same = 0;
  while (same < name.length && name[same] === wanted[same]) same += 1;
  return same;
}

function creation(
  environment: Environment,
  settings: OpenSettings,
  options: CreateOptions,
): Attempt<true> {
  const { disk } = environment;
  const { paths } = settings;
  return {
    try: () => {
      if (disk.facts(paths.store) !== undefined) return true;
      return tryCreateStore(environment, paths, options) ? true : undefined;
    },
    late: () => creationTimeout(environment, settings),
  };
}

/** Whoever makes the store signs its lock file, as whoever writes does. */
function creationTimeout(environment: Environment, { paths, lockTimeoutMs }: OpenSettings): Error {
  const { disk } = environment;
  const file = disk.open(paths.lock, 'read');
  try {
    return lockTimeout(environment, file, paths.lock, lockTimeoutMs);
  } finally {
    closeQuietly(disk, file);
  }
}

interface OpenFiles {
  readonly store: StoreFacts;
  readonly lockFile: number;
  readonly lockInode: number;
}

const STORE_FILE_BYTES_MAX = 4096;

function openFiles(environment: Environment, settings: OpenSettings): OpenFiles {
  const { disk } = environment;
  const { paths, readOnly } = settings;
  const bytes = readSmall(disk, paths.store);
  let store: StoreFacts;
  try {
    store = decodeStoreFile(bytes, paths.store);
  } catch (error) {
    if (systemCode(error) !== 'STORE_FILE_BROKEN') throw error;
    const problem = 'it is not what was written';
    throw new StoreDamagedError({
      directory: paths.directory,
      file: paths.store,
      offset: 0,
      problem,
      cause: error,
    });
  }
  const facts = disk.facts(paths.lock);
  if (facts === undefined) {
    const problem = 'the lock file is missing; it is never deleted while a store exists';
    throw new StoreDamagedError({
      directory: paths.directory,
      file: paths.lock,
      offset: 0,
      problem,
    });
  }
  const lockFile = disk.open(paths.lock, readOnly ? 'read' : 'write');
  return { store, lockFile, lockInode: facts.inode };
}

function readSmall(disk: Disk, path: string): Buffer {
  const file = disk.open(path, 'read');
  try {
    const bytes = Buffer.alloc(STORE_FILE_BYTES_MAX);
    return bytes.subarray(0, runSync(disk, readFully(file, bytes, 0, bytes.length, 0)));
  } finally {
    disk.close(file);
  }
}

function end(environment: Environment, settings: OpenSettings, files: OpenFiles): Attempt<Found> {
  const { paths, lockTimeoutMs } = settings;
  return {
    try: () =>
      settings.readOnly
        ? endForReading(environment, settings, files)
        : endForWriting(environment, settings, files),
    late: () => lockTimeout(environment, files.lockFile, paths.lock, lockTimeoutMs),
  };
}

function endForWriting(
  environment: Environment,
  settings: OpenSettings,
  files: OpenFiles,
): Found | undefined {
  const { paths, segmentBytes, label } = settings;
  const { store, lockFile, lockInode } = files;
  const options: SectionOptions = { paths, store, segmentBytes, label };
  const section = new Section(environment, options, lockFile, lockInode);
  try {
    const proven = section.prove({ deadline: environment.monotonic() });
    // A lock that could not be given back is given back by closing its file.
    if (section.poison !== undefined) throw section.poison;
    if (typeof proven === 'string') {
      section.close();
      return undefined;
    }
    runSync(environment.disk, removeLeftovers(paths));
    return { ...files, section, place: proven.place, recovery: proven.recovery };
  } catch (error) {
    section.close();
    throw error;
  }
}

/** Changes nothing. Without a mark it says what it found only if it got the shared lock: otherwise a group is being written. */
function endForReading(
  environment: Environment,
  settings: OpenSettings,
  files: OpenFiles,
): Found | undefined {
  const { disk } = environment;
  const { paths } = settings;
  const { store, lockFile, lockInode } = files;
  const found = (place: Place, recovery: Recovery): Found => {
    return { ...files, section: undefined, place, recovery };
  };
  const mark = runSync(disk, readMark(lockFile));
  const from = mark && markHolds(mark, disk, lockInode) ? mark : undefined;
  if (from && runSync(disk, placeStands(paths, from, store.id)) === undefined) {
    const place = placeOf(from);
    return found(place, { state: 'clean', position: place.position });
  }
  if (!disk.tryLock(lockFile, WRITE_LOCK, 'shared')) return undefined;
  try {
    const base = from ?? anchorOf(disk, paths);
    const problem = base
      ? runSync(disk, placeStands(paths, base, store.id))
      : 'neither slot of the anchor is whole';
    if (!base || problem) return fromTheStart(environment, settings, files, base, problem ?? '');
    const report = runSync(
      disk,
      examineTail(paths, store.id, placeOf(base), {
        laterGroupsProve: store.durability === 'sync',
      }),
    );
    // Nobody may use bytes that a power loss could still take away.
    if (!from) syncForReading(disk, paths, base.segment, report.place.segment);
    const { position } = report.place;
    const file = paths.segment(report.place.segment);
    const { end: tail } = report;
    if (tail.kind === 'clean') return found(report.place, { state: 'clean', position });
    if (tail.kind === 'unfinished-segment') {
      const state = tail.bytes > 0 ? 'torn' : 'clean';
      return found(report.place, { state, position, file, bytes: tail.bytes, offset: 0 });
    }
    const { offset, bytes } = tail;
    if (tail.kind === 'torn') {
      return found(report.place, { state: 'torn', file, offset, bytes, position });
    }
    return found(report.place, {
      state: 'damaged',
      file: tail.file,
      offset,
      bytes,
      position,
      problem: tail.problem,
    });
  } finally {
    disk.unlock(lockFile, WRITE_LOCK);
  }
}

function placeOf(place: Place): Place {
  const { segment, offset, position, seal } = place;
  return { segment, offset, position, seal };
}

function anchorOf(disk: Disk, paths: Paths): Place | undefined {
  if (disk.facts(paths.anchor) === undefined) return undefined;
  const file = disk.open(paths.anchor, 'read');
  try {
    return runSync(disk, readAnchor(file));
  } finally {
    disk.close(file);
  }
}

function syncForReading(disk: Disk, paths: Paths, first: number, last: number): void {
  for (const segment of runSync(disk, listSegments(paths))) {
    if (segment < first || segment > last) continue;
    const file = disk.open(paths.segment(segment), 'read');
    try {
      disk.sync(file);
    } finally {
      disk.close(file);
    }
  }
}

/** The log does not contain what it must: what stands before the damage can still be read, from its very beginning. */
function fromTheStart(
  environment: Environment,
  settings: OpenSettings,
  files: OpenFiles,
  base: Place | undefined,
  problem: string,
): Found {
  const { disk } = environment;
  const { paths } = settings;
  const { store } = files;
  const start = { segment: 1, offset: 0, position: 0, seal: firstSeal(store.id) };
  const exists = disk.facts(paths.segment(1)) !== undefined;
  const place = exists
    ? runSync(disk, examineTail(paths, store.id, start, { laterGroupsProve: true })).place
    : start;
  const recovery: Recovery = {
    state: 'damaged',
    file: base ? paths.segment(base.segment) : paths.anchor,
    offset: base?.offset ?? 0,
    position: place.position,
    problem,
  };
  return { ...files, section: undefined, place, recovery };
}

/** The segments of a log, as opening found them. */
export interface Layout {
  readonly tail: TailIndex;
  /** Closed segments: first position, and the place behind their last line. */
  readonly closed: readonly Place[];
  readonly time: string;
  /** The end that was asked for, or the last whole group before damage when damage is allowed. */
  readonly place: Place;
  readonly damage: StoreDamagedError | undefined;
}

const CLOSING_BYTES_MAX = 512;

/**
 * Reads the current segment up to the proven end and checks that the closed ones fit together.
 * With `tolerate`, damage ends the reading instead of failing it.
 * @throws StoreDamagedError
 */
export function* readLayout(
  paths: Paths,
  store: StoreFacts,
  to: Place,
  tolerate: boolean,
): Io<Layout> {
  const segments = (yield* listSegments(paths)).filter((first) => first <= to.segment);
  const closed: Place[] = [];
  let before: Place = { segment: 1, offset: 0, position: 0, seal: firstSeal(store.id) };
  let damage: StoreDamagedError | undefined;
  const damaged = (file: string, offset: number, position: number, problem: string) =>
    damagedError(paths.directory, { file, offset, position, problem });
  try {
    for (let next = 1; next < to.segment; next = before.position + 1) {
      const path = paths.segment(next);
      if (!segments.includes(next)) throw damaged(path, 0, next, 'the segment is missing');
      before = yield* closingOf(paths, next);
      closed.push(before);
    }
    if (before.position + 1 !== to.segment) {
      const path = paths.segment(before.position + 1);
      throw damaged(path, 0, before.position + 1, 'the segment is missing');
    }
  } catch (error) {
    if (!tolerate || !(error instanceof StoreDamagedError)) throw error;
    damage = error;
  }
  const first = damage ? before.position + 1 : to.segment;
  const start: Place = { segment: first, offset: 0, position: first - 1, seal: before.seal };
  const tail = new TailIndex(first);
  const walker = new SegmentWalker(
    { place: start, time: '', storeId: store.id },
    {
      group: (commits) => {
        for (const { head, offset } of commits) tail.addHead(head, offset);
      },
    },
  );
  const path = paths.segment(first);
  if (!segments.includes(first)) {
    damage ??= damaged(path, 0, first, 'the segment is missing');
    if (!tolerate) throw damage;
    return { tail, closed, time: '', place: start, damage };
  }
  const limit = damage ? Number.MAX_SAFE_INTEGER : to.offset;
  const problem = yield* walkFile(path, walker, limit);
  if (problem) damage ??= damaged(path, problem.offset, problem.position, problem.message);
  if (!damage && !samePlace(walker.place, to)) {
    const { offset, position } = walker.place;
    damage = damaged(
      path,
      offset,
      position + 1,
      `the log ends here, but position ${to.position} was durable`,
    );
  }
  if (damage && !tolerate) throw damage;
  const time = walker.time || (yield* lastTimeOf(paths, store, closed, tolerate));
  return { tail, closed, time, place: walker.place, damage };
}

/** Time of the last commit in closed segments: times never go back, also when the current segment holds no commit yet. */
function* lastTimeOf(
  paths: Paths,
  store: StoreFacts,
  closed: readonly Place[],
  tolerate: boolean,
): Io<string> {
  const last = closed.at(-1);
  if (!last) return '';
  const { segment } = last;
  const seal = closed.at(-2)?.seal ?? firstSeal(store.id);
  const place: Place = { segment, offset: 0, position: segment - 1, seal };
  const walker = new SegmentWalker({ place, time: '', storeId: store.id }, {});
  const path = paths.segment(segment);
  const problem = yield* walkFile(path, walker, Number.MAX_SAFE_INTEGER);
  if (problem && !tolerate) {
    const { offset, position, message } = problem;
    throw damagedError(paths.directory, { file: path, offset, position, problem: message });
  }
  return walker.time;
}

function* walkFile(
  path: string,
  walker: SegmentWalker,
  limit: number,
): Io<SegmentProblem | undefined> {
  const file = yield* ask('open', path, 'read');
  try {
    const size = yield* ask('size', file);
    const reader = new LineReader(file, 0, Math.min(size, limit));
    for (;;) {
      const lines = yield* reader.next();
      if (!lines) return undefined;
      try {
        walker.feed(lines.buffer, lines.start, lines.end, lines.offset);
      } catch (error) {
        if (error instanceof SegmentProblem) return error;
        throw error;
      }
    }
  } finally {
    yield* ask('close', file);
  }
}

/** Where a closed segment ends, told by its closing line. */
function* closingOf(paths: Paths, first: number): Io<Place> {
  const path = paths.segment(first);
  const file = yield* ask('open', path, 'read');
  try {
    const size = yield* ask('size', file);
    const from = Math.max(0, size - CLOSING_BYTES_MAX);
    const bytes = Buffer.alloc(size - from);
    const count = yield* readFully(file, bytes, 0, bytes.length, from);
    const text = bytes.toString('latin1', 0, count);
    const match = /\{"close":([0-9]{1,16}),"seal":"([0-9a-f]{64})","c":"[0-9a-f]{8}"\}\n$/.exec(
      text,
    );
    const [line, position, seal] = match ?? [];
    if (!line || !seal || closingLine(Number(position), seal).toString('latin1') !== line) {
      throw damagedError(paths.directory, {
        file: path,
        offset: size,
        position: first,
        problem: 'a segment that is not closed although another follows',
      });
    }
    return { segment: first, offset: size, position: Number(position), seal };
  } finally {
    yield* ask('close', file);
  }
}
