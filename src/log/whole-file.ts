/**
 * Files and directories that are there as a whole or not at all. Whoever makes or replaces a file does it through these calls,
 * so that a crash at any point leaves nothing that looks finished and is not.
 */
import { dirname, join } from 'node:path';
import { invalidArgument, systemCode } from '../errors.js';
import { ask, type Io } from './io.js';

/** Writes all the bytes, going on after a short count; the write that cannot go on throws why. */
export function* writeAll(file: number, bytes: Uint8Array, position: number): Io<void> {
  let done = 0;
  while (done < bytes.length) {
    const count = yield* ask('write', file, bytes, done, bytes.length - done, position + done);
    if (count === 0) throw Object.assign(new Error('the disk took no byte'), { code: 'ENOSPC' });
    done += count;
  }
}

/**
 * Makes a directory with its missing parents, each entry durable. Parents are made from the top, each synced before the next, so whoever
 * died on the way left at most one entry unsynced: that of the lowest directory that is there now.
 */
export function* makeDirectories(path: string): Io<void> {
  const parent = dirname(path);
  if ((yield* ask('facts', path)) !== undefined) return yield* syncEntry(parent);
  if (parent !== path) yield* makeDirectories(parent);
  try {
    yield* ask('makeDirectory', path);
  } catch (error) {
    // Another process made it at the same time.
    if ((yield* ask('facts', path))?.kind !== 'directory') throw error;
  }
  yield* ask('syncDirectory', parent);
}

/** Syncs a directory that was there before; one that this process may not open is none that it made. */
function* syncEntry(directory: string): Io<void> {
  try {
    yield* ask('syncDirectory', directory);
  } catch (error) {
    if (!NOT_OURS.has(systemCode(error) ?? '')) throw error;
  }
}

const NOT_OURS = new Set(['EACCES', 'EPERM', 'EROFS', 'EINVAL']);

/** Opens a file, making it empty when it is missing. Its entry is durable once the directory is synced. */
export function* openOrMake(path: string): Io<number> {
  if ((yield* ask('facts', path)) !== undefined) return yield* ask('open', path, 'write');
  try {
    return yield* ask('open', path, 'create');
  } catch (error) {
    if ((yield* ask('facts', path)) === undefined) throw error;
    return yield* ask('open', path, 'write');
  }
}

/** Gives a file exactly this content, synced. */
export function* writeWhole(path: string, bytes: Uint8Array): Io<void> {
  const file = yield* openOrMake(path);
  try {
    yield* ask('truncate', file, 0);
    yield* writeAll(file, bytes, 0);
    yield* ask('sync', file);
  } finally {
    yield* ask('close', file);
  }
}

/** Puts a whole file in place at once: beside, synced, renamed, the directory synced. */
export function* putInPlace(directory: string, name: string, bytes: Uint8Array): Io<void> {
  const temporary = join(directory, `${name}.tmp`);
  yield* writeWhole(temporary, bytes);
  yield* ask('rename', temporary, join(directory, name));
  yield* ask('syncDirectory', directory);
}

/** Removes a directory with all that is in it, as far as the disk lets it. */
export function* removeTree(path: string): Io<void> {
  try {
    const facts = yield* ask('facts', path);
    if (facts === undefined) return;
    if (facts.kind === 'directory') {
      for (const name of yield* ask('list', path)) yield* removeTree(join(path, name));
    }
    yield* ask('remove', path);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}

/** @throws TypeError with code TARGET_EXISTS when something stands there */
export function* refuseExisting(target: string): Io<void> {
  if ((yield* ask('facts', target)) === undefined) return;
  throw invalidArgument(
    `${target} exists already; it is only ever made where nothing stands`,
    'TARGET_EXISTS',
  );
}
