/**
 * Makes a store, in place and under the creation lock. store.json comes last: a crash before it leaves a directory without
 * commits, which the next attempt takes over; a crash after it leaves a store.
 */
import { join } from 'node:path';
import { StoreDamagedError, StoreNotFoundError } from '../errors.js';
import { HOLDER_BYTES } from '../locks/holder.js';
import { firstAnchor, SLOT_BYTES } from './anchor.js';
import type { Disk } from './disk.js';
import { headerLine } from './encode.js';
import type { Environment } from './environment.js';
import {
  ANCHOR_FILE,
  ARCHIVE_DIRECTORY,
  CREATION_LOCK,
  INDEX_DIRECTORY,
  LOCK_FILE,
  LOG_DIRECTORY,
  STORE_FILE,
  segmentOfName,
} from './format.js';
import { isoTime } from './group.js';
import { ask, closeQuietly, type Io, runSync } from './io.js';
import { MARK_BYTES } from './mark.js';
import { readFully } from './open-files.js';
import { listSegments, type Paths } from './paths.js';
import { firstSeal, type Place } from './place.js';
import { type Durability, encodeStoreFile, type StoreFacts } from './store-file.js';
import { makeDirectories, openOrMake, putInPlace, writeWhole } from './whole-file.js';
import { WriteLock } from './write-lock.js';

export interface CreateOptions {
  readonly durability: Durability;
  readonly idempotencyWindow: number;
}

const OWN_NAMES = new Set([
  STORE_FILE,
  LOCK_FILE,
  ANCHOR_FILE,
  LOG_DIRECTORY,
  INDEX_DIRECTORY,
  ARCHIVE_DIRECTORY,
  `${STORE_FILE}.tmp`,
]);
const FIRST = 1;
const LOCK_BYTES = MARK_BYTES + HOLDER_BYTES;
const NO_MARK = Buffer.alloc(MARK_BYTES);
const ANCHOR_BEGINS = Buffer.from('{"anchor":');
const HEADER_BYTES_MAX = 1024;

/**
 * Makes the store, unless another process is first. Gives false when the creation lock is held: look again later.
 * @throws StoreNotFoundError for a directory that holds something else, StoreDamagedError for a log without store.json.
 */
export function tryCreateStore(
  environment: Environment,
  paths: Paths,
  options: CreateOptions,
): boolean {
  const { disk } = environment;
  runSync(disk, makeDirectories(paths.directory));
  const foreign = foreignName(disk, paths);
  // Unless another process was faster: what stands there is then a store's.
  if (foreign !== undefined && disk.facts(paths.store) === undefined) {
    throw new StoreNotFoundError(
      paths.directory,
      `it holds other files (${JSON.stringify(foreign.slice(0, 40))}) and no store.json; choose an empty or a new directory`,
    );
  }
  const lockFile = runSync(disk, openOrMake(paths.lock));
  try {
    if (!disk.tryLock(lockFile, CREATION_LOCK, 'exclusive')) return false;
    try {
      if (disk.facts(paths.store) === undefined) {
        new WriteLock(environment, lockFile, '').sign(Buffer.alloc(0));
        create(environment, paths, options);
      }
    } finally {
      disk.unlock(lockFile, CREATION_LOCK);
    }
  } finally {
    disk.close(lockFile);
  }
  return true;
}

/** Something in the directory that no interrupted creation can have left there. */
function foreignName(disk: Disk, paths: Paths): string | undefined {
  const names = disk.list(paths.directory);
  const foreign = names.find((name) => !OWN_NAMES.has(name));
  if (foreign !== undefined) return foreign;
  for (const [name, path] of [
    [LOG_DIRECTORY, paths.log],
    [INDEX_DIRECTORY, paths.index],
    [ARCHIVE_DIRECTORY, paths.archive],
  ] as const) {
    if (names.includes(name) && disk.facts(path)?.kind !== 'directory') return name;
  }
  const inside = (name: string) =>
    names.includes(name) ? disk.list(join(paths.directory, name)) : [];
  const inLog = inside(LOG_DIRECTORY);
  // With a segment it is a store in the making, or one that lost its store.json.
  if (inLog.some((name) => segmentOfName(name) !== undefined)) return undefined;
  const [inFolder] = [...inLog, ...inside(INDEX_DIRECTORY), ...inside(ARCHIVE_DIRECTORY)];
  if (inFolder !== undefined) return inFolder;
  if (names.includes(LOCK_FILE) && !beginsLike(disk, paths.lock, NO_MARK, LOCK_BYTES)) {
    return LOCK_FILE;
  }
  const isAnchor = () => beginsLike(disk, paths.anchor, ANCHOR_BEGINS, 2 * SLOT_BYTES);
  return names.includes(ANCHOR_FILE) && !isAnchor() ? ANCHOR_FILE : undefined;
}

/** Whether it is a file that begins with these bytes, or with zeros because power was lost before its sync, and is not too long. */
function beginsLike(disk: Disk, path: string, begins: Buffer, bytesMax: number): boolean {
  const facts = disk.facts(path);
  if (facts?.kind !== 'file' || facts.size > bytesMax) return false;
  const file = disk.open(path, 'read');
  try {
    const bytes = Buffer.alloc(begins.length);
    const count = disk.read(file, bytes, 0, bytes.length, 0);
    const found = bytes.subarray(0, count);
    return found.equals(begins.subarray(0, count)) || found.every((byte) => byte === 0);
  } finally {
    closeQuietly(disk, file);
  }
}

function create(environment: Environment, paths: Paths, options: CreateOptions): void {
  const { disk } = environment;
  for (const path of [paths.log, paths.index]) {
    if (disk.facts(path) === undefined) disk.makeDirectory(path);
  }
  refuseCommits(disk, paths);
  const id = newStoreId(environment);
  const seal = firstSeal(id);
  const header = headerLine(FIRST, id, seal);
  runSync(disk, writeWhole(paths.segment(FIRST), header));
  disk.syncDirectory(paths.log);
  const end: Place = { segment: FIRST, offset: header.length, position: 0, seal };
  runSync(disk, finishStore(paths, { id, created: isoTime(environment.clock()), ...options }, end));
}

/** The last steps of making a store whose log is written and synced up to `end`: its anchor, then store.json. */
export function* finishStore(paths: Paths, store: StoreFacts, end: Place): Io<void> {
  yield* writeWhole(paths.anchor, firstAnchor(end));
  yield* ask('syncDirectory', paths.directory);
  yield* putInPlace(paths.directory, STORE_FILE, encodeStoreFile(store));
}

/** What an interrupted creation can leave is a first segment without commits; anything more is a log that lost its store.json. */
function refuseCommits(disk: Disk, paths: Paths): void {
  const segments = runSync(disk, listSegments(paths));
  for (const first of segments) {
    const file = disk.open(paths.segment(first), 'read');
    try {
      if (first === FIRST && disk.size(file) <= HEADER_BYTES_MAX) {
        const bytes = Buffer.alloc(HEADER_BYTES_MAX);
        const count = runSync(disk, readFully(file, bytes, 0, bytes.length, 0));
        const text = bytes.toString('latin1', 0, count);
        if (!text.includes('"p":')) continue;
      }
    } finally {
      disk.close(file);
    }
    throw new StoreDamagedError({
      directory: paths.directory,
      file: paths.store,
      offset: 0,
      problem: 'there is a log but no store.json',
    });
  }
}

/** A random UUID. */
export function newStoreId(environment: Environment): string {
  const bytes = Buffer.from(environment.randomBytes(16));
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}
