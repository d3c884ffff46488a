/**
 * A directory that is made beside the place where it will stand, and put there by one rename when it is whole. Until then nothing stands there.
 *
 * Invariants:
 * - whoever makes it holds the creation lock of its lock file: what nobody holds was left by a process that died, and whoever makes something for
 *   the same place next removes it;
 * - after the rename it stands at its place durably, or, when the disk says that it does not, not at all.
 */
import { basename, dirname, join } from 'node:path';
import { systemCode } from '../errors.js';
import type { Environment } from './environment.js';
import { CREATION_LOCK, LOCK_FILE } from './format.js';
import { ask, type Io } from './io.js';
import { makeDirectories, refuseExisting, removeTree } from './whole-file.js';

/** An open directory cannot be renamed there while a file in it is open, so that no lock can tell who still makes one. */
const LOCKS_LAST = process.platform !== 'win32';
const SUFFIX_BYTES = 6;
const ATTEMPTS_MAX = 10;
/** What opening a file says that was made, or taken away, since it was looked for. */
const FASTER = new Set(['EEXIST', 'ENOENT']);

export class Beside {
  /** Where it is made. */
  readonly directory: string;
  /** Where it will stand. */
  readonly target: string;
  #lock: number | undefined;

  private constructor(directory: string, target: string) {
    this.directory = directory;
    this.target = target;
  }

  /**
   * Makes an empty directory, but for its lock file, for `target`, an absolute path.
   * @throws TypeError with code TARGET_EXISTS
   */
  static *begin(environment: Environment, target: string): Io<Beside> {
    yield* refuseExisting(target);
    const parent = dirname(target);
    yield* makeDirectories(parent);
    yield* removeAbandoned(environment, target);
    const suffix = environment.randomBytes(SUFFIX_BYTES).toString('hex');
    const beside = new Beside(join(parent, `${basename(target)}.${suffix}.tmp`), target);
    try {
      yield* ask('makeDirectory', beside.directory);
      yield* beside.#makeLock(environment);
    } catch (error) {
      yield* beside.discard();
      throw error;
    }
    return beside;
  }

  /**
   * Makes the directory of that name beside `target`, or takes over what a process that died left in it. Gives nothing while another process is at it.
   * @throws TypeError with code TARGET_EXISTS
   */
  static *takeOver(
    environment: Environment,
    target: string,
    suffix: string,
  ): Io<Beside | undefined> {
    const directory = `${target}.${suffix}`;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      yield* refuseExisting(target);
      const beside = new Beside(directory, target);
      const answer = yield* beside.#takeLock(environment);
      if (answer === 'taken') return beside;
      yield* beside.release();
      if (answer === 'held') return undefined;
      // Whoever held it put the directory in its place, or gave up, in between.
    }
    return undefined;
  }

  *#takeLock({ disk }: Environment): Io<'taken' | 'held' | 'gone'> {
    const path = join(this.directory, LOCK_FILE);
    let isOurs = false;
    try {
      yield* makeDirectories(this.directory);
      const isThere = (yield* ask('facts', path)) !== undefined;
      try {
        this.#lock = yield* ask('open', path, isThere ? 'write' : 'create');
      } catch (error) {
        // Another one was faster.
        if (!FASTER.has(systemCode(error) ?? '')) throw error;
        return 'gone';
      }
      isOurs = !isThere;
      const before = yield* ask('facts', path);
      yield* ask('syncDirectory', this.directory);
      if (!disk.tryLock(this.#lock, CREATION_LOCK, 'exclusive')) return 'held';
      const after = yield* ask('facts', path);
      return after !== undefined && after.inode === before?.inode ? 'taken' : 'gone';
    } catch (error) {
      yield* this.release();
      // Whatever else stands in it is another's.
      if (isOurs) yield* removeTree(path);
      yield* removeEmpty(this.directory);
      throw error;
    }
  }

  *#makeLock({ disk }: Environment): Io<void> {
    const file = yield* ask('open', join(this.directory, LOCK_FILE), 'create');
    this.#lock = file;
    yield* ask('sync', file);
    // Before anything else is made: what a power loss leaves has its lock file.
    yield* ask('syncDirectory', this.directory);
    disk.tryLock(file, CREATION_LOCK, 'exclusive');
  }

  /**
   * Puts it in its place. All that is in it was synced before.
   * @throws TypeError with code TARGET_EXISTS
   */
  *publish(): Io<void> {
    yield* refuseExisting(this.target);
    if (!LOCKS_LAST) yield* this.release();
    yield* ask('rename', this.directory, this.target);
    try {
      yield* ask('syncDirectory', dirname(this.target));
    } catch (error) {
      yield* ask('rename', this.target, this.directory);
      throw error;
    }
    yield* this.release();
  }

  /** Gives up: removes what was made, as far as the disk lets it. */
  *discard(): Io<void> {
    if (!LOCKS_LAST) yield* this.release();
    yield* removeTree(this.directory);
    yield* this.release();
  }

  /** Lets go of what was made, without removing it. */
  *release(): Io<void> {
    const file = this.#lock;
    this.#lock = undefined;
    if (file === undefined) return;
    try {
      yield* ask('close', file);
    } catch (error) {
      // Nothing was written through it.
      if (systemCode(error) === undefined) throw error;
    }
  }
}

/** Removes what processes that died left beside the target. Best effort: it is in nobody's way. */
function* removeAbandoned(environment: Environment, target: string): Io<void> {
  if (!LOCKS_LAST) return;
  const parent = dirname(target);
  const own = `${basename(target)}.`;
  const suffix = new RegExp(`^[0-9a-f]{${2 * SUFFIX_BYTES}}\\.tmp$`);
  try {
    for (const name of yield* ask('list', parent)) {
      if (!name.startsWith(own) || !suffix.test(name.slice(own.length))) continue;
      yield* removeUnlessHeld(environment, join(parent, name));
    }
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}

function* removeUnlessHeld({ disk }: Environment, directory: string): Io<void> {
  const path = join(directory, LOCK_FILE);
  // Its maker has only begun, or died as it began.
  if ((yield* ask('facts', path)) === undefined) return;
  const file = yield* ask('open', path, 'write');
  try {
    if (disk.tryLock(file, CREATION_LOCK, 'exclusive')) yield* removeTree(directory);
  } finally {
    yield* ask('close', file);
  }
}

function* removeEmpty(directory: string): Io<void> {
  try {
    yield* ask('remove', directory);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}
