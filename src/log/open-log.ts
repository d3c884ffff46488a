/** Opening a log: `openLog`, and the same on any disk. */
import { checkOptionNames, invalidArgument } from '../errors.js';
import { realDirectory } from './directory.js';
import type { Disk } from './disk.js';
import { type Environment, realEnvironment } from './environment.js';
import { listenForExit } from './exit.js';
import { closeQuietly, type Io, runAsync, runSync } from './io.js';
import { readLayout } from './layout.js';
import { Log } from './log.js';
import { checkOptions, LOG_OPTIONS, type LogOptions, type LogSettings } from './log-options.js';
import { newestLogSnapshot } from './log-snapshot.js';
import { MemoryDisk } from './memory-disk.js';
import { findStore, findStoreSync } from './open.js';
import type { Found, OpenSettings } from './open-settings.js';
import { pathsOf } from './paths.js';
import { RealDisk } from './real-disk.js';
import { Segments } from './segments.js';
import { listSnapshots } from './snapshot-files.js';
import { SortedFiles } from './sorted-read.js';
import { LogState } from './state.js';
import { asStoreError } from './store-error.js';
import type { Recovery } from './types.js';

/** An options object whose log lives in memory only. */
export type MemoryLogOptions = LogOptions & { readonly memory: true };

function openSettings(directory: string, settings: LogSettings): OpenSettings {
  const { create, readOnly, durability, idempotencyWindow } = settings;
  return {
    paths: pathsOf(directory),
    create: create && !readOnly ? { durability, idempotencyWindow } : undefined,
    readOnly,
    lockTimeoutMs: settings.lockTimeoutMs,
    segmentBytes: settings.segmentBytes,
    label: settings.actor ?? '',
    allowSharedDirectory: settings.allowSharedDirectory,
    allowFileSystem: settings.allowFileSystem,
  };
}

function* learn(
  environment: Environment,
  settings: LogSettings,
  directory: string,
  found: Found,
  snapshots: readonly string[],
): Io<Log> {
  const paths = pathsOf(directory);
  const { store, place: end } = found;
  const sorted = new SortedFiles();
  const newest = yield* newestLogSnapshot(paths, store.id, snapshots, sorted);
  const layout = yield* readLayout(paths, store, end, settings.readOnly, newest);
  const segments = new Segments({
    paths,
    storeId: found.store.id,
    tail: layout.tail,
    closed: layout.closed.map(({ segment }) => segment),
    dropped: layout.dropped,
    writable: !settings.readOnly,
    idempotencyWindow: found.store.idempotencyWindow,
    snapshot: layout.snapshot,
    sorted,
  });
  const { place, time, damage } = layout;
  const state = new LogState(environment, paths, found.store, segments, { place, time });
  const recovery: Recovery = damage
    ? {
        state: 'damaged',
        file: damage.file,
        offset: damage.offset,
        position: place.position,
        problem: damage.problem,
      }
    : found.recovery;
  return new Log(environment, settings, directory, found, state, recovery, snapshots);
}

function* snapshotsIn(directory: string): Io<string[]> {
  try {
    return yield* listSnapshots(pathsOf(directory));
  } catch (error) {
    throw asStoreError(error, directory);
  }
}

function abandon(disk: Disk, found: Found): void {
  found.section?.close();
  closeQuietly(disk, found.lockFile);
}

/** @internal Opens a log on any disk, with any clock. */
export async function openLogOn(
  environment: Environment,
  directory: string,
  options: LogOptions = {},
): Promise<Log> {
  const settings = checkOptions(options);
  // Looked for before the end of the log is proven: one that lies beyond that end was not made meanwhile.
  const snapshots = await runAsync(environment.disk, snapshotsIn(directory));
  const found = await findStore(environment, openSettings(directory, settings));
  try {
    const work = learn(environment, settings, directory, found, snapshots);
    return await runAsync(environment.disk, work);
  } catch (error) {
    abandon(environment.disk, found);
    throw asStoreError(error, directory);
  }
}

/** @internal {@link openLogOn}, at once. */
export function openLogOnSync(
  environment: Environment,
  directory: string,
  options: LogOptions = {},
): Log {
  const settings = checkOptions(options);
  const snapshots = runSync(environment.disk, snapshotsIn(directory));
  const found = findStoreSync(environment, openSettings(directory, settings));
  try {
    return runSync(environment.disk, learn(environment, settings, directory, found, snapshots));
  } catch (error) {
    abandon(environment.disk, found);
    throw asStoreError(error, directory);
  }
}

const MEMORY_DIRECTORY = '/memory';

function target(
  place: string | MemoryLogOptions,
  options: LogOptions | undefined,
): { environment: Environment; directory: string; options: LogOptions } {
  if (typeof place === 'object' && place !== null && !((place as object) instanceof URL)) {
    if (place.memory !== true) throw invalidArgument('pass a directory, or { memory: true }');
    const environment = realEnvironment(new MemoryDisk(), place.clock);
    // Nobody else can write to it.
    const { freshnessMs = Number.POSITIVE_INFINITY } = place;
    return { environment, directory: MEMORY_DIRECTORY, options: { ...place, freshnessMs } };
  }
  listenForExit();
  const environment = realEnvironment(new RealDisk(), options?.clock);
  return { environment, directory: realDirectory(place), options: options ?? {} };
}

/**
 * Opens the log in a directory, making it when there is none, or, with `{ memory: true }`, one with nothing on disk.
 *
 * @throws StoreDamagedError, StoreNotFoundError, FormatTooNewError, UnsupportedFileSystemError, StoreAccessError, LockTimeoutError
 */
export function openLog(directory: string, options?: LogOptions): Promise<Log>;
export function openLog(options: MemoryLogOptions): Promise<Log>;
export async function openLog(
  place: string | MemoryLogOptions,
  options?: LogOptions,
): Promise<Log> {
  checkOptionNames(typeof place === 'object' ? place : (options ?? {}), LOG_OPTIONS, 'openLog');
  return await openLogAt(place, options);
}

/** @internal {@link openLog} whose options may be those of a store. */
export async function openLogAt(
  place: string | MemoryLogOptions,
  options: LogOptions | undefined,
): Promise<Log> {
  const chosen = target(place, options);
  return await openLogOn(chosen.environment, chosen.directory, chosen.options);
}

/** {@link openLog}, at once. */
export function openLogSync(directory: string, options?: LogOptions): Log;
export function openLogSync(options: MemoryLogOptions): Log;
export function openLogSync(place: string | MemoryLogOptions, options?: LogOptions): Log {
  checkOptionNames(typeof place === 'object' ? place : (options ?? {}), LOG_OPTIONS, 'openLog');
  return openLogAtSync(place, options);
}

/** @internal {@link openLogAt}, at once. */
export function openLogAtSync(
  place: string | MemoryLogOptions,
  options: LogOptions | undefined,
): Log {
  const chosen = target(place, options);
  return openLogOnSync(chosen.environment, chosen.directory, chosen.options);
}
