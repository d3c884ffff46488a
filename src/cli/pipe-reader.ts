/**
 * Whether somebody still reads a pipe. Who writes to it learns that from the next write, and who has nothing to write never does: Node gives no way to ask the
 * kernel, and an empty write always succeeds. On Linux /proc tells which processes hold the other end.
 */
import { fstatSync, lstatSync, readdirSync, readlinkSync } from 'node:fs';

const LOOK_MS = 500;
/** Of the link in /proc: the descriptor may be read from. */
const READABLE = 0o400;

/** What /proc tells of one pipe. */
class Pipe {
  readonly #link: string;

  private constructor(inode: bigint) {
    this.#link = `pipe:[${inode}]`;
  }

  /** That behind a descriptor; undefined when it is none, or when nothing is told of it. */
  static of(descriptor: number): Pipe | undefined {
    if (process.platform !== 'linux') return undefined;
    try {
      const facts = fstatSync(descriptor, { bigint: true });
      return facts.isFIFO() ? new Pipe(facts.ino) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Processes that can read from it, as far as this one may look at others. */
  readers(): string[] {
    return namesIn('/proc').filter((name) => /^\d+$/.test(name) && this.isReadBy(name) === true);
  }

  /** Undefined when the process is there and may not be looked at. */
  isReadBy(pid: string): boolean | undefined {
    const directory = `/proc/${pid}/fd`;
    try {
      return readdirSync(directory).some((name) => this.#isAt(`${directory}/${name}`));
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EACCES' ? undefined : false;
    }
  }

  #isAt(path: string): boolean {
    try {
      return readlinkSync(path) === this.#link && (lstatSync(path).mode & READABLE) !== 0;
    } catch {
      // Closed meanwhile.
      return false;
    }
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/**
 * To be called before anything is written: a reader may go away as soon as it has something.
 *
 * Calls `gone` when nobody reads from the pipe behind a descriptor any more. Says nothing of a pipe whose reader it has never seen: that belongs to another
 * user, or stands outside of a container.
 * @returns what ends the watch
 */
export function watchPipeReader(descriptor: number | undefined, gone: () => void): () => void {
  const pipe = descriptor === undefined ? undefined : Pipe.of(descriptor);
  if (!pipe) return () => {};
  let readers: readonly string[] = pipe.readers();
  const timer = setInterval(() => {
    // One that has become somebody else, as sudo does, is still there.
    if (readers.some((pid) => pipe.isReadBy(pid) !== false)) return;
    const before = readers;
    readers = pipe.readers();
    if (before.length === 0 || readers.length > 0) return;
    clearInterval(timer);
    gone();
  }, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
