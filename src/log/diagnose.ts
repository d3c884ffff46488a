/**
 * Whether a store, and the place where it stands, are in good health. What is in the store's directory is only read; locks and syncs are tried on a small
 * file beside it, which is taken away at once.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fdatasync,
  openSync,
  rmSync,
  type StatsFs,
  writeSync,
} from 'node:fs';
import { open, stat, statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import {
  checkOptionNames,
  optionNames,
  RecollectError,
  StoreNotFoundError,
  systemCode,
} from '../errors.js';
import { decodeHolder, HOLDER_BYTES } from '../locks/holder.js';
import { realDirectory } from './directory.js';
import { FORMAT, WRITE_LOCK } from './format.js';
import type { LogOptions } from './log-options.js';
import { MARK_BYTES } from './mark.js';
import { openLog } from './open-log.js';
import { pathsOf } from './paths.js';
import { RealDisk } from './real-disk.js';
import { type Durability, decodeStoreFile } from './store-file.js';
import type { Head, Recovery } from './types.js';

const syncData = promisify(fdatasync);

export type DiagnoseOptions = Pick<
  LogOptions,
  'lockTimeoutMs' | 'allowSharedDirectory' | 'allowFileSystem'
>;

const DIAGNOSE_OPTIONS = optionNames<DiagnoseOptions>({
  lockTimeoutMs: true,
  allowSharedDirectory: true,
  allowFileSystem: true,
});

/** Something that whoever looks after the store should know. */
export interface Finding {
  /** `error`: data is, or may be, lost, or the store cannot be used. */
  readonly severity: 'warning' | 'error';
  readonly problem: string;
  /** What to do. */
  readonly advice: string;
}

/** Who took the lock for writing last. */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  /** Since when that process runs, ISO 8601. */
  readonly since: string;
  readonly label?: string;
  /** Undefined when it runs elsewhere. */
  readonly isRunning?: boolean;
}

export interface Diagnosis {
  readonly directory: string;
  /** There is no finding of severity `error`. */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
  readonly versions: {
    readonly node: string;
    readonly platform: string;
    /** The newest format that this program knows. */
    readonly format: number;
  };
  readonly place: {
    readonly fileSystem: string;
    /** Locks and syncs hold on it. */
    readonly trusted: boolean;
    readonly freeBytes: number;
    readonly totalBytes: number;
    /** Permission bits, octal. */
    readonly mode: string;
  };
  /** Tried beside the store. */
  readonly locks: 'work' | 'fail' | 'untried';
  /** How long it takes to make 4 KiB durable, tried beside the store. */
  readonly sync?: { readonly medianMs: number; readonly slowestMs: number; readonly tries: number };
  /** Why nothing could be tried. */
  readonly untried?: string;
  /** The lock for writing. */
  readonly lock: {
    /** Somebody held it whenever it was looked at, for a second. */
    readonly held: boolean;
    readonly holder?: LockHolder;
  };
  /** What store.json says, when it can be read. */
  readonly store?: {
    readonly id: string;
    readonly created: string;
    readonly durability: Durability;
    readonly idempotencyWindow: number;
  };
  /** What opening it for reading found. */
  readonly recovery?: Recovery;
  readonly head?: Head;
}

const PROBE_BYTES = 4096;
const PROBE_TRIES = 16;
const HELD_MS = 1000;
const HELD_PAUSE_MS = 20;
const FREE_BYTES_MIN = 256 * 1024 * 1024;
const SLOW_SYNC_MS = 50;

/**
 * Looks at a store and its surroundings. Others may go on writing.
 * @throws StoreNotFoundError when there is no such directory, StoreAccessError, TypeError; all else is told as findings
 */
export async function diagnoseStore(
  directory: string,
  options: DiagnoseOptions = {},
): Promise<Diagnosis> {
  checkOptionNames(options, DIAGNOSE_OPTIONS, 'diagnoseStore');
  return await new Diagnosing(realDirectory(directory), options).run();
}

type Draft = { -readonly [Member in keyof Diagnosis]?: Diagnosis[Member] };

class Diagnosing {
  readonly #directory: string;
  readonly #options: DiagnoseOptions;
  readonly #disk = new RealDisk();
  readonly #findings: Finding[] = [];
  readonly #draft: Draft = {};

  constructor(directory: string, options: DiagnoseOptions) {
    this.#directory = directory;
    this.#options = options;
  }

  async run(): Promise<Diagnosis> {
    const place = await this.#place();
    await this.#open();
    const lock = await this.#lock();
    await this.#probe();
    const findings = Object.freeze(this.#findings.map((finding) => Object.freeze(finding)));
    const { version: node, platform, arch } = process;
    return Object.freeze({
      directory: this.#directory,
      ok: findings.every(({ severity }) => severity !== 'error'),
      findings,
      versions: Object.freeze({ node, platform: `${platform} ${arch}`, format: FORMAT }),
      place: Object.freeze(place),
      locks: this.#draft.locks ?? 'untried',
      ...this.#draft,
      lock,
    });
  }

  #warn(problem: string, advice: string): void {
    this.#findings.push({ severity: 'warning', problem, advice });
  }

  #fail(problem: string, advice: string): void {
    this.#findings.push({ severity: 'error', problem, advice });
  }

  async #place(): Promise<Diagnosis['place']> {
    const directory = this.#directory;
    const facts = await stat(directory).catch((error: unknown) => {
      if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTDIR') throw error;
    });
    if (!facts?.isDirectory()) {
      throw new StoreNotFoundError(directory, 'there is no such directory');
    }
    const { name, trusted } = this.#disk.fileSystem(directory);
    if (!trusted) {
      this.#fail(`it lies on ${name}, where locks or syncs may not hold`, 'Use a local disk.');
    }
    const mode = facts.mode & 0o777;
    if ((mode & 0o022) !== 0 && process.platform !== 'win32') {
      this.#warn('other users may write to the directory', 'Take that right away: chmod go-w.');
    }
    const space = await statfs(directory);
    const freeBytes = bytesOf(space, space.bavail);
    if (freeBytes < FREE_BYTES_MIN) {
      this.#warn('there is little room left on the disk', 'Free some space, or compact the store.');
    }
    const totalBytes = bytesOf(space, space.blocks);
    return { fileSystem: name, trusted, freeBytes, totalBytes, mode: mode.toString(8) };
  }

  async #open(): Promise<void> {
    const { store } = pathsOf(this.#directory);
    const draft = this.#draft;
    try {
      draft.store = Object.freeze(decodeStoreFile(await bytesAt(store, 0, PROBE_BYTES), store));
    } catch {
      // Opening tells what is wrong with it.
    }
    try {
      const log = await openLog(this.#directory, { ...this.#options, readOnly: true });
      draft.recovery = log.recovery;
      draft.head = log.head;
      await log.close();
    } catch (error) {
      if (error instanceof StoreNotFoundError || !(error instanceof RecollectError)) throw error;
      this.#fail(error.message, 'See docs/ERRORS.md for this error.');
      return;
    }
    const { state, problem, bytes } = draft.recovery;
    if (state === 'damaged') {
      this.#fail(`the log is damaged: ${problem ?? ''}`, 'Restore a backup, or salvage it.');
    }
    if (state === 'torn') {
      const what =
        draft.store?.durability === 'os'
          ? 'that a lost sync left torn, and that may have been acknowledged,'
          : 'that were never acknowledged';
      this.#warn(
        `${bytes ?? 0} bytes ${what} stand at the end of the log`,
        'Nothing: the next writer takes them away.',
      );
    }
    if (draft.store?.durability === 'os') {
      this.#warn(
        'the store acknowledges without a sync: the last seconds are lost when the machine stops',
        'Export and import it with the default durability to change that.',
      );
    }
  }

  async #lock(): Promise<Diagnosis['lock']> {
    const { lock } = pathsOf(this.#directory);
    let held = false;
    let holder: LockHolder | undefined;
    try {
      held = await this.#isHeld(lock);
      const found = decodeHolder(await bytesAt(lock, MARK_BYTES, HOLDER_BYTES));
      if (found) holder = holderOf(found);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      this.#fail(`the lock cannot be looked at (${systemCode(error)})`, 'Restore a backup.');
    }
    if (held) {
      const who = holder ? `process ${holder.pid} on ${holder.host}` : 'a process';
      this.#warn(
        `the lock for writing was held for a whole second, last by ${who}`,
        'Look whether that process is stopped.',
      );
    }
    return Object.freeze({ held, ...(holder ? { holder: Object.freeze(holder) } : {}) });
  }

  /** Writers hold it for a moment at a time: free at one look is free. A shared lock, for as long as a call takes, is what every reader may take. */
  async #isHeld(path: string): Promise<boolean> {
    const disk = this.#disk;
    const file = disk.open(path, 'read');
    try {
      const until = performance.now() + HELD_MS;
      for (;;) {
        if (disk.tryLock(file, WRITE_LOCK, 'shared')) {
          disk.unlock(file, WRITE_LOCK);
          return false;
        }
        if (performance.now() >= until) return true;
        await new Promise((resolve) => setTimeout(resolve, HELD_PAUSE_MS));
      }
    } finally {
      disk.close(file);
    }
  }

  async #probe(): Promise<void> {
    const parent = dirname(this.#directory);
    const path = join(parent, `.recollect-probe-${randomBytes(6).toString('hex')}.tmp`);
    const draft = this.#draft;
    try {
      const [own, beside] = await Promise.all([stat(this.#directory), stat(parent)]);
      if (own.dev !== beside.dev) {
        draft.untried = 'the directory is the root of its file system';
        return;
      }
      await this.#probeFile(path);
    } catch (error) {
      const code = systemCode(error);
      if (code === undefined) throw error;
      draft.untried = `beside the store no file can be made (${code})`;
    }
    if (draft.locks === 'fail') {
      this.#fail('a lock did not keep a second one out', 'Use another file system.');
    }
    if ((draft.sync?.medianMs ?? 0) > SLOW_SYNC_MS) {
      this.#warn('syncs are slow, and every group of commits waits for one', 'Use a faster disk.');
    }
  }

  /** The file loses its name in the same turn that made it: whatever ends the process later leaves nothing behind. */
  async #probeFile(path: string): Promise<void> {
    const disk = this.#disk;
    const files: number[] = [];
    let file: number | undefined;
    try {
      try {
        files.push(disk.open(path, 'create'));
        files.push(disk.open(path, 'write'));
        file = openSync(path, 'r+');
      } finally {
        rmSync(path, { force: true });
      }
      this.#draft.locks = this.#tryLocks(files) ? 'work' : 'fail';
      this.#draft.sync = Object.freeze(await syncTimes(file));
    } finally {
      for (const each of files) disk.close(each);
      if (file !== undefined) closeSync(file);
    }
  }

  /** Two descriptors exclude each other like two processes. */
  #tryLocks([one = 0, other = 0]: readonly number[]): boolean {
    const disk = this.#disk;
    const first = disk.tryLock(one, WRITE_LOCK, 'exclusive');
    const second = disk.tryLock(other, WRITE_LOCK, 'exclusive');
    disk.unlock(one, WRITE_LOCK);
    return first && !second && disk.tryLock(other, WRITE_LOCK, 'exclusive');
  }
}

function bytesOf({ bsize }: StatsFs, blocks: number): number {
  return bsize * blocks;
}

async function bytesAt(path: string, offset: number, length: number): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function holderOf({ pid, host, startedAt, label }: ReturnType<typeof decodeHolder> & object) {
  return {
    pid,
    host,
    since: new Date(startedAt).toISOString(),
    ...(label === '' ? {} : { label }),
    ...(host === hostname() ? { isRunning: isRunning(pid) } : {}),
  };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there, and another user's.
    return systemCode(error) === 'EPERM';
  }
}

async function syncTimes(file: number): Promise<NonNullable<Diagnosis['sync']>> {
  const times: number[] = [];
  for (let time = 0; time < PROBE_TRIES; time += 1) times.push(await syncTime(file, time));
  times.sort((a, b) => a - b);
  const rounded = (ms = 0): number => Math.round(ms * 1000) / 1000;
  const medianMs = rounded(times[PROBE_TRIES / 2]);
  return { medianMs, slowestMs: rounded(times.at(-1)), tries: PROBE_TRIES };
}

async function syncTime(file: number, place: number): Promise<number> {
  writeSync(file, Buffer.alloc(PROBE_BYTES, place), 0, PROBE_BYTES, place * PROBE_BYTES);
  const began = performance.now();
  await syncData(file);
  return performance.now() - began;
}
