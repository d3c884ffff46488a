/**
 * Whether somebody still reads what is written. Who writes learns that from the next write, and who has nothing to write never does: Node gives no way to ask
 * the kernel. An empty write tells it of a socket. Into a pipe one always succeeds: there /proc tells, on Linux, which processes hold the other end.
 */
import {
  type BigIntStats,
  fstatSync,
  lstatSync,
  readdirSync,
  readlinkSync,
  writeSync,
} from 'node:fs';
import { Socket } from 'node:net';
import type { OutputStream } from './io.js';

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
    const facts = factsOf(descriptor);
    return facts?.isFIFO() ? new Pipe(facts.ino) : undefined;
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

function factsOf(descriptor: number): BigIntStats | undefined {
  try {
    return fstatSync(descriptor, { bigint: true });
  } catch {
    return undefined;
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
 * Calls `gone` when nobody reads from the pipe or socket behind a stream any more. Says nothing of a pipe whose reader it has never seen: that belongs to
 * another user, or stands outside of a container.
 * @returns what ends the watch
 */
export function watchPipeReader(stream: OutputStream, gone: () => void): () => void {
  const isGone = questionFor(stream);
  if (!isGone) return () => {};
  const timer = setInterval(() => {
    if (!isGone()) return;
    clearInterval(timer);
    gone();
  }, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** What tells whether the reader has gone; undefined when nothing does. */
function questionFor(stream: OutputStream): (() => boolean) | undefined {
  const { fd } = stream;
  if (fd === undefined) return undefined;
  // Of other kinds an empty piece may be a message of its own: they are none of Node's.
  if (stream instanceof Socket && factsOf(fd)?.isSocket()) return () => isCutOff(fd);
  const pipe = Pipe.of(fd);
  return pipe && readerLostOf(pipe);
}

/** What a parent that is Node gives as standard output is a socket. It refuses even nothing once its other end is closed; a pipe would take that. */
function isCutOff(descriptor: number): boolean {
  try {
    writeSync(descriptor, new Uint8Array(0));
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPIPE';
  }
}

function readerLostOf(pipe: Pipe): () => boolean {
  let readers: readonly string[] = pipe.readers();
  return () => {
    // One that has become somebody else, as sudo does, is still there.
    if (readers.some((pid) => pipe.isReadBy(pid) !== false)) return false;
    const before = readers;
    readers = pipe.readers();
    return before.length > 0 && readers.length === 0;
  };
}
