import { StoreDamagedError } from '../errors.js';
import { nextPause } from '../locks/wait.js';
import { tryCompactionLock } from './compaction-lock.js';
import { type CreateOptions, tryCreateStore } from './create.js';
import type { Disk } from './disk.js';
import type { Environment } from './environment.js';
import { removeLeftovers } from './index-write.js';
import { closeQuietly, runSync } from './io.js';
import { prepareDirectory } from './open-directory.js';
import { readFully } from './open-files.js';
import { endForReading } from './open-read-only.js';
import type { Found, OpenFiles, OpenSettings } from './open-settings.js';
import type { Paths } from './paths.js';
import { Section, type SectionOptions } from './section.js';
import { listSnapshots, removeSnapshotLeftovers } from './snapshot-files.js';
import { asStoreError } from './store-error.js';
import { storeFactsOf } from './store-file.js';
import { lockTimeout } from './write-lock.js';

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
    prepareDirectory(environment, settings);
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
    prepareDirectory(environment, settings);
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

const STORE_FILE_BYTES_MAX = 4096;

function openFiles(environment: Environment, settings: OpenSettings): OpenFiles {
  const { disk } = environment;
  const { paths, readOnly } = settings;
  const bytes = readSmall(disk, paths.store);
  const store = storeFactsOf(bytes, paths.directory, paths.store);
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

/** Nobody's files are taken away who writes them right now. */
function removeSnapshots(disk: Disk, paths: Paths): void {
  const names = runSync(disk, listSnapshots(paths));
  if (!names.some((name) => name.endsWith('.tmp'))) return;
  const release = tryCompactionLock(disk, paths.directory);
  if (!release) return;
  try {
    runSync(disk, removeSnapshotLeftovers(paths));
  } finally {
    release();
  }
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
    removeSnapshots(environment.disk, paths);
    return { ...files, section, place: proven.place, recovery: proven.recovery };
  } catch (error) {
    section.close();
    throw error;
  }
}
