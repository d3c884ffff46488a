/** Who holds the other end of a pipe, as far as /proc tells it. */
import {
  type BigIntStats,
  fstatSync,
  lstatSync,
  readdirSync,
  readlinkSync,
  statSync,
} from 'node:fs';
import { beginOf, isKernelThread, now } from './process-times.js';

/** Of the link in /proc: the descriptor may be read from. */
const READABLE = 0o400;
/** By how much times of two clocks may differ. */
const MARGIN_MS = 1000;

/** What one look at all processes found. */
export interface Look {
  readonly readers: readonly string[];
  /** Whether there may be readers that were not found. */
  readonly isPartial: boolean;
}

export class Pipe {
  readonly #link: string;
  readonly #facts: BigIntStats;
  /** Who began before that, in milliseconds since the system's start, was not given the pipe by who began it. */
  readonly #begin: number;

  private constructor(link: string, facts: BigIntStats) {
    this.#link = link;
    this.#facts = facts;
    const { atimeMs, mtimeMs, ctimeMs } = facts;
    // Of a pipe that was used before, one of these is still that of its beginning, or those that hold it are older.
    const age = Date.now() - Math.min(...[atimeMs, mtimeMs, ctimeMs].map(Number));
    const begins = [now() - age, ...['self', ...this.look(0).readers].map(beginOf)];
    this.#begin = Math.min(...begins.map((begin) => begin ?? 0)) - MARGIN_MS;
  }

  /** That behind a descriptor; undefined when it is none, or when nothing is told of it. */
  static of(descriptor: number): Pipe | undefined {
    if (process.platform !== 'linux') return undefined;
    try {
      const facts = fstatSync(descriptor, { bigint: true });
      if (!facts.isFIFO()) return undefined;
      return new Pipe(readlinkSync(`/proc/self/fd/${descriptor}`), facts);
    } catch {
      return undefined;
    }
  }

  /** Who reads from it, as far as this process may look at others. */
  look(begin: number = this.#begin): Look {
    const pids = allPids();
    const seen = pids.map((pid) => [pid, this.isReadBy(pid)] as const);
    const unseen = seen.filter(([, isReader]) => isReader === undefined);
    return {
      readers: seen.filter(([, isReader]) => isReader).map(([pid]) => pid),
      // Where the processes of others are hidden altogether, so is the first.
      isPartial: !pids.includes('1') || unseen.some(([pid]) => mayHold(pid, begin)),
    };
  }

  /** Undefined when the process is there and may not be looked at. */
  isReadBy(pid: string): boolean | undefined {
    const directory = `/proc/${pid}/fd`;
    try {
      const found = readdirSync(directory).map((name) => this.#isAt(`${directory}/${name}`));
      return found.includes(true) || (found.includes(undefined) ? undefined : false);
    } catch (error) {
      return unlessGone(error);
    }
  }

  #isAt(path: string): boolean | undefined {
    try {
      const isLike = this.#isLike(readlinkSync(path));
      return isLike && (lstatSync(path).mode & READABLE) !== 0 && this.#isBehind(path);
    } catch (error) {
      return unlessGone(error);
    }
  }

  get #hasName(): boolean {
    return this.#link.startsWith('/');
  }

  /** One with a name may have another one by now, or elsewhere. */
  #isLike(link: string): boolean {
    return this.#hasName ? link.startsWith('/') : link === this.#link;
  }

  #isBehind(path: string): boolean {
    if (!this.#hasName) return true;
    const { dev, ino } = statSync(path, { bigint: true });
    return dev === this.#facts.dev && ino === this.#facts.ino;
  }
}

/** None when they cannot be told, as when no more files may be opened. */
function allPids(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** Whether a process that may not be looked at could have been given what was begun at a moment. */
function mayHold(pid: string, begin: number): boolean {
  if (isKernelThread(pid)) return false;
  const own = beginOf(pid);
  return own !== undefined && own >= begin;
}

/** False when what was looked at ended or was closed meanwhile, undefined when it may not be looked at. */
function unlessGone(error: unknown): false | undefined {
  const { code = '' } = error as NodeJS.ErrnoException;
  return ['ENOENT', 'ESRCH'].includes(code) ? false : undefined;
}
