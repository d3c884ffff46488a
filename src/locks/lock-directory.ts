/** Where the lock files of a manager stand. Names never become paths: a file is called after the SHA-256 of its lock's name. */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { checkOptionNames, invalidArgument, optionNames, StoreAccessError } from '../errors.js';
import { LockFile } from './lock-file.js';

export interface LockManagerOptions {
  /**
   * Where the files of `shared` and `exclusive` stand, one for each name that was ever asked for; made when it is missing. All processes that
   * share the locks give the same. Default none: then the manager has locks within this thread only.
   */
  readonly directory?: string | undefined;
  /** True: leases of `exclusive` have a token, see FileLock. Default false. */
  readonly fencing?: boolean | undefined;
}

const LOCK_MANAGER_OPTIONS = optionNames<LockManagerOptions>({ directory: true, fencing: true });
const HASH_DIGITS = 40;

export class LockDirectory {
  #path: string | undefined;
  #fencing: boolean | undefined;
  #stands = false;

  /** Takes what was not given before. @throws TypeError for options that differ from what was */
  configure(options: LockManagerOptions): void {
    const { directory, fencing } = checkOptions(options);
    if (directory !== undefined && directory !== (this.#path ?? directory)) {
      throw invalidArgument(`the lock manager of this process has the directory ${this.#path}`);
    }
    // Before there is a directory no token was given.
    if (fencing !== undefined && this.#path !== undefined && fencing !== this.#isFencing) {
      throw invalidArgument(`the lock manager of this process has fencing: ${this.#isFencing}`);
    }
    this.#path ??= directory;
    this.#fencing = fencing ?? this.#fencing;
  }

  get #isFencing(): boolean {
    return this.#fencing ?? false;
  }

  /** @throws TypeError when there is none */
  check(): string {
    if (this.#path !== undefined) return this.#path;
    throw invalidArgument(
      'locks between processes need a directory that all of them share: new LockManager({ directory }) or getLockManager({ directory })',
    );
  }

  /** @throws TypeError, StoreAccessError */
  fileOf(name: string): LockFile {
    const directory = this.check();
    if (!this.#stands) makeDirectory(directory);
    this.#stands = true;
    const digest = createHash('sha256').update(name).digest('hex').slice(0, HASH_DIGITS);
    return new LockFile({
      path: join(directory, `${digest}.lock`),
      label: name,
      fencing: this.#isFencing,
    });
  }
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StoreAccessError(directory, error);
  }
}

function checkOptions(options: LockManagerOptions): LockManagerOptions {
  checkOptionNames(options, LOCK_MANAGER_OPTIONS, 'a LockManager');
  const { directory, fencing } = options;
  if (directory !== undefined) {
    if (typeof directory !== 'string' || directory === '' || directory.includes('\0')) {
      throw invalidArgument('directory must be a path, without a zero byte');
    }
  }
  if (fencing !== undefined && typeof fencing !== 'boolean') {
    throw invalidArgument('fencing must be true or false');
  }
  return { directory: directory === undefined ? undefined : resolve(directory), fencing };
}
