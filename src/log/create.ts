/**
 * Makes a store, in place and under the creation lock. store.json comes last: a crash before it leaves a directory without
 * commits, which the next attempt takes over; a crash after it leaves a store.
 */
import { StoreDamagedError, StoreNotFoundError } from '../errors.js';
import { firstAnchor } from './anchor.js';
import type { Disk } from './disk.js';
import { headerLine } from './encode.js';
import type { Environment } from './environment.js';
import {
  ANCHOR_FILE,
  CREATION_LOCK,
  INDEX_DIRECTORY,
  LOCK_FILE,
  LOG_DIRECTORY,
  STORE_FILE,
} from './format.js';
import { isoTime } from './group.js';
import { ask, type Io, runSync } from './io.js';
import { listSegments, type Paths } from './paths.js';
import { firstSeal, type Place } from './place.js';
import { type Durability, encodeStoreFile, type StoreFacts } from './store-file.js';
import { makeDirectories, openOrMake, putInPlace, writeWhole } from './whole-file.js';

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
  `${STORE_FILE}.tmp`,
]);
const FIRST = 1;
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
  const names = disk.list(paths.directory);
  const foreign = names.find((name) => !OWN_NAMES.has(name));
  if (foreign !== undefined && !names.includes(STORE_FILE)) {
    throw new StoreNotFoundError(
      paths.directory,
      `it holds other files (${JSON.stringify(foreign.slice(0, 40))}) and no store.json; choose an empty or a new directory`,
    );
  }
  const lockFile = runSync(disk, openOrMake(paths.lock));
  try {
    if (!disk.tryLock(lockFile, CREATION_LOCK, 'exclusive')) return false;
    try {
      if (disk.facts(paths.store) === undefined) create(environment, paths, options);
    } finally {
      disk.unlock(lockFile, CREATION_LOCK);
    }
  } finally {
    disk.close(lockFile);
  }
  return true;
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
        const count = disk.read(file, bytes, 0, bytes.length, 0);
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
