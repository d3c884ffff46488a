/**
 * Restore: a new store from a backup or from a store, whole or as it was at an earlier moment. The source is only read; all of it is verified, and the
 * new store is read back, before one rename gives it its name.
 *
 * A whole restore is the same store: same id, same bytes, same seals, so that a seal published before still proves its history. One to an earlier moment
 * is another history from there on: its commits are written and sealed anew, under a new id. Both tell in `$store/origin` where they came from.
 */
import { sep } from 'node:path';
import { type CheckedMoment, checkedMoment, type Moment } from '../audit/moment.js';
import {
  checkOptionNames,
  invalidArgument,
  optionNames,
  PositionAheadError,
  StoreNotFoundError,
} from '../errors.js';
import { realDirectory } from '../log/directory.js';
import { type Environment, realEnvironment } from '../log/environment.js';
import { ask, type Io, runAsync } from '../log/io.js';
import type { Log } from '../log/log.js';
import { openLogOn } from '../log/open-log.js';
import { RealDisk } from '../log/real-disk.js';
import { asStoreError } from '../log/store-error.js';
import { Course, type CourseOptions } from './course.js';
import { readManifest, verifyFiles } from './manifest.js';
import { restoreWhole } from './restore-whole.js';
import { type RestoreReport, requireBeginning, requireSound } from './restoring.js';
import { rewriteTo } from './rewrite.js';
import { holdCompaction, readingOptions, type SourceOptions, sourceSettings } from './source.js';

export interface RestoreOptions extends CourseOptions, SourceOptions {
  /** Take over only what had been committed at that moment. Default: everything. */
  readonly to?: Moment | undefined;
}

const RESTORE_OPTIONS = optionNames<RestoreOptions>({
  to: true,
  lockTimeoutMs: true,
  allowSharedDirectory: true,
  allowFileSystem: true,
  onProgress: true,
  signal: true,
});

/** Of a store that lacks its beginning, even a moment that is kept could only be had under other versions and positions. */
const BEGINNING_HINT =
  'A restore to an earlier moment writes everything anew, from the first commit on: restore the whole store, or a backup from before the events were removed.';

export type { RestoreReport };

/**
 * Makes a store at `target`, where nothing may stand yet, of a backup or of a store, which others may go on writing.
 *
 * Commits keep their positions, times, actors, reasons, ids and idempotency keys. The new store holds one commit more: an event in the stream
 * `$store/origin`.
 * @throws StoreNotFoundError, StoreDamagedError (nothing is made of a source that is not whole), FormatTooNewError, PositionAheadError, HistoryPrunedError
 * (`to`, of a store whose beginning retention dropped), LockTimeoutError, StoreFullError, StoreAccessError, UnsupportedFileSystemError, TypeError (`TARGET_EXISTS` among others), the signal's reason
 */
export async function restoreStore(
  source: string,
  target: string,
  options: RestoreOptions = {},
): Promise<RestoreReport> {
  const from = realDirectory(source, 'the source');
  const to = realDirectory(target, 'the target');
  return await restoreStoreOn(realEnvironment(new RealDisk()), from, to, options);
}

/** @internal {@link restoreStore} on any disk. */
export async function restoreStoreOn(
  environment: Environment,
  source: string,
  target: string,
  options: RestoreOptions = {},
): Promise<RestoreReport> {
  checkOptionNames(options, RESTORE_OPTIONS, 'restoreStore');
  if (target === source || target.startsWith(source + sep)) {
    throw invalidArgument('the target must lie outside of the source, which is not changed');
  }
  const moment = options.to === undefined ? undefined : checkedMoment(options.to);
  const course = new Course(options);
  try {
    return await restore(environment, source, target, moment, course, options);
  } catch (error) {
    throw asStoreError(error, target);
  }
}

async function restore(
  environment: Environment,
  source: string,
  target: string,
  moment: CheckedMoment | undefined,
  course: Course,
  options: SourceOptions,
): Promise<RestoreReport> {
  const run = <T>(work: Io<T>): Promise<T> => runAsync(environment.disk, work);
  await run(requireDirectory(source));
  const manifest = await run(readManifest(source));
  const whole = { environment, source, target, course, options, manifest };
  if (!moment) return await restoreWhole(whole);
  // Its own files say whether it is a store at all before its log is read.
  if (manifest) await run(verifyFiles(source, manifest, course));
  const log = await openLogOn(environment, source, readingOptions(options));
  try {
    requireSound(log, source);
    const position = await positionOf(log, moment);
    if (position === log.head.position) {
      const report = await restoreWhole({ ...whole, only: position });
      if (report) return report;
    }
    const { paths, lockTimeoutMs } = sourceSettings(source, options);
    const release = await holdCompaction(environment, paths, lockTimeoutMs, course);
    try {
      await requireBeginning(log, BEGINNING_HINT);
      return await rewriteTo({ ...whole, log, position });
    } finally {
      release();
    }
  } finally {
    await log.close();
  }
}

function* requireDirectory(path: string): Io<void> {
  const facts = yield* ask('facts', path);
  if (facts === undefined) throw new StoreNotFoundError(path, 'there is no such directory');
  if (facts.kind !== 'directory') throw new StoreNotFoundError(path, 'it is not a directory');
}

async function positionOf({ internals, head }: Log, moment: CheckedMoment): Promise<number> {
  if ('time' in moment)
    return await internals.run(internals.positionAt(moment.time, head.position));
  if (moment.position > head.position) {
    throw new PositionAheadError(moment.position, head.position);
  }
  return moment.position;
}
