/** What is done with a store that is not open: looking whether it is sound, and saving what can be read when it is not. */
import { sep } from 'node:path';
import {
  checkOptionNames,
  invalidArgument,
  optionNames,
  StoreDamagedError,
  StoreNotFoundError,
} from '../errors.js';
import { Course, type CourseOptions } from './course.js';
import { realDirectory } from './directory.js';
import type { Disk } from './disk.js';
import { type Environment, realEnvironment } from './environment.js';
import type { DamageFacts } from './examine.js';
import { ask, type Io, runAsync, runSync } from './io.js';
import { checkOptions } from './log-options.js';
import { markHolds, readMark } from './mark.js';
import { findStore, findStoreSync } from './open.js';
import type { Found, OpenSettings } from './open-settings.js';
import { type Paths, pathsOf } from './paths.js';
import type { Place } from './place.js';
import { RealDisk } from './real-disk.js';
import { type SalvageReport, salvageLog } from './salvage.js';
import { asStoreError } from './store-error.js';
import type { Recovery } from './types.js';
import {
  anchorOf,
  checkAgainst,
  type VerifyOptions,
  type VerifyReport,
  verifyLog,
} from './verify.js';

export interface VerifyStoreOptions extends VerifyOptions {
  /** How long to wait while another process writes, ms. Default 10 000. */
  readonly lockTimeoutMs?: number | undefined;
  /** Accept a directory in which other users may write. Default false. */
  readonly allowSharedDirectory?: boolean | undefined;
  /** Accept a file system on which locks or syncs may not hold. Default false. */
  readonly allowFileSystem?: boolean | undefined;
}

export interface SalvageStoreOptions extends CourseOptions {
  /** Aborted: salvage ends with the signal's reason, and nothing stands at the target. */
  readonly signal?: AbortSignal | undefined;
}

const SALVAGE_OPTIONS = optionNames<SalvageStoreOptions>({ onProgress: true, signal: true });

const VERIFY_STORE_OPTIONS = optionNames<VerifyStoreOptions>({
  against: true,
  deep: true,
  onProgress: true,
  lockTimeoutMs: true,
  allowSharedDirectory: true,
  allowFileSystem: true,
});

export interface StoreReport extends VerifyReport {
  /** What stands behind the last whole group. A torn end is no damage: it was never acknowledged. */
  readonly recovery: Recovery;
}

/**
 * Walks a store from its first byte and checks everything; changes nothing. Others may go on writing.
 *
 * @throws StoreNotFoundError, FormatTooNewError, StoreAccessError, UnsupportedFileSystemError, LockTimeoutError; damage is told by the
 * report.
 */
export async function verifyStore(
  directory: string,
  options: VerifyStoreOptions = {},
): Promise<StoreReport> {
  const { environment, settings } = verification(directory, options);
  return await verifyStoreOn(environment, settings, options);
}

/** {@link verifyStore}, at once. */
export function verifyStoreSync(directory: string, options: VerifyStoreOptions = {}): StoreReport {
  const { environment, settings } = verification(directory, options);
  return verifyStoreOnSync(environment, settings, options);
}

/**
 * Saves what can be read of a damaged store into a new one at `target`, where nothing may stand yet, and tells exactly what is lost. The
 * new store is verified before it appears; the source is only read.
 *
 * Commits keep their time, actor, reason, ids, idempotency keys, data and metadata. Behind a loss their positions, and their
 * events' versions, are lower than they were: `renumbered` tells.
 *
 * @throws StoreNotFoundError when there is no log at the source, FormatTooNewError, StoreAccessError, StoreFullError, the signal's reason: nothing was made
 */
export async function salvageStore(
  source: string,
  target: string,
  options: SalvageStoreOptions = {},
): Promise<SalvageReport> {
  const { environment, from, to } = rescue(source, target);
  checkOptionNames(options, SALVAGE_OPTIONS, 'salvageStore');
  const course = new Course(options);
  try {
    return await runAsync(environment.disk, salvageChecked(environment, from, to, course));
  } catch (error) {
    throw asStoreError(error, from);
  }
}

/** {@link salvageStore}, at once. */
export function salvageStoreSync(source: string, target: string): SalvageReport {
  const { environment, from, to } = rescue(source, target);
  try {
    return runSync(environment.disk, salvageChecked(environment, from, to));
  } catch (error) {
    throw asStoreError(error, from);
  }
}

function verification(
  directory: string,
  options: VerifyStoreOptions,
): { environment: Environment; settings: OpenSettings } {
  checkOptionNames(options, VERIFY_STORE_OPTIONS, 'verifyStore');
  const { lockTimeoutMs, allowSharedDirectory, allowFileSystem } = options;
  const checked = checkOptions({ lockTimeoutMs, allowSharedDirectory, allowFileSystem });
  checkAgainst(options.against);
  const settings: OpenSettings = {
    paths: pathsOf(realDirectory(directory)),
    create: undefined,
    readOnly: true,
    lockTimeoutMs: checked.lockTimeoutMs,
    segmentBytes: checked.segmentBytes,
    label: '',
    allowSharedDirectory: checked.allowSharedDirectory,
    allowFileSystem: checked.allowFileSystem,
  };
  return { environment: realEnvironment(new RealDisk()), settings };
}

/** @internal {@link verifyStore} on any disk. */
export async function verifyStoreOn(
  environment: Environment,
  settings: OpenSettings,
  options: VerifyOptions = {},
): Promise<StoreReport> {
  const { disk } = environment;
  let found: Found;
  try {
    found = await findStore(environment, settings);
  } catch (error) {
    return notOpened(error);
  }
  try {
    return await runAsync(disk, verifyFound(disk, settings.paths, found, options));
  } catch (error) {
    throw asStoreError(error, settings.paths.directory);
  } finally {
    close(disk, found);
  }
}

/** @internal {@link verifyStoreSync} on any disk. */
export function verifyStoreOnSync(
  environment: Environment,
  settings: OpenSettings,
  options: VerifyOptions = {},
): StoreReport {
  const { disk } = environment;
  let found: Found;
  try {
    found = findStoreSync(environment, settings);
  } catch (error) {
    return notOpened(error);
  }
  try {
    return runSync(disk, verifyFound(disk, settings.paths, found, options));
  } catch (error) {
    throw asStoreError(error, settings.paths.directory);
  } finally {
    close(disk, found);
  }
}

function close(disk: Disk, found: Found): void {
  found.section?.close();
  disk.close(found.lockFile);
}

/** The report of a store whose own files are damaged, so that its log cannot be told from another's. */
function notOpened(error: unknown): StoreReport {
  if (!(error instanceof StoreDamagedError)) throw error;
  const { file, offset, problem } = error;
  const position = error.position ?? 1;
  return Object.freeze({
    ok: false,
    segments: 0,
    groups: 0,
    commits: 0,
    events: 0,
    streams: 0,
    bytes: 0,
    head: Object.freeze({ position: 0, time: undefined, seal: '' }),
    damage: Object.freeze({ file, offset, position, problem }),
    recovery: Object.freeze({ state: 'damaged', file, offset, problem }),
  });
}

/** Verifies a log as opening found it. */
export function* verifyFound(
  disk: Disk,
  paths: Paths,
  found: Found,
  options: VerifyOptions,
): Io<StoreReport> {
  const { recovery, store } = found;
  // Where damage kept opening from going as far as the log was durable, the walk goes on until it meets it.
  const to = recovery.state === 'damaged' ? yield* farthest(disk, paths, found) : found.place;
  const report = yield* verifyLog(paths, store, to, options);
  const damage = report.damage ?? damageOf(paths, recovery);
  return Object.freeze({
    ...report,
    ok: report.ok && damage === undefined,
    ...(damage === undefined ? {} : { damage }),
    recovery: Object.freeze(recovery),
  });
}

/** The last place that anything says the log was durable up to. */
function* farthest(disk: Disk, paths: Paths, found: Found): Io<Place> {
  const mark = yield* readMark(found.lockFile);
  const anchor = yield* anchorOf(paths);
  const places = [mark && markHolds(mark, disk, found.lockInode) ? mark : undefined, anchor];
  return places.reduce<Place>(
    (last, place) => (place && place.position > last.position ? placeOf(place) : last),
    found.place,
  );
}

function placeOf({ segment, offset, position, seal }: Place): Place {
  return { segment, offset, position, seal };
}

function damageOf(paths: Paths, recovery: Recovery): DamageFacts | undefined {
  if (recovery.state !== 'damaged') return undefined;
  const { file = paths.anchor, offset = 0, position = 0, problem = 'it is damaged' } = recovery;
  return { file, offset, position: position + 1, problem };
}

function rescue(
  source: string,
  target: string,
): { environment: Environment; from: string; to: string } {
  const from = realDirectory(source, 'the source');
  const to = realDirectory(target, 'the target');
  if (to === from || to.startsWith(from + sep)) {
    throw invalidArgument('the target must lie outside of the source, which is not changed');
  }
  return { environment: realEnvironment(new RealDisk()), from, to };
}

function* salvageChecked(
  environment: Environment,
  from: string,
  to: string,
  course?: Course,
): Io<SalvageReport> {
  const facts = yield* ask('facts', from);
  if (facts === undefined) throw new StoreNotFoundError(from, 'there is no such directory');
  if (facts.kind !== 'directory') throw new StoreNotFoundError(from, 'it is not a directory');
  return yield* salvageLog(environment, pathsOf(from), to, { course });
}
