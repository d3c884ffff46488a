/**
 * Whether somebody still reads what is written. Who writes learns that from the next write, and who has nothing to write never does: Node gives no way to ask
 * the kernel. An empty write tells it of a socket. Into a pipe one always succeeds: there /proc tells, on Linux, which processes hold the other end.
 */
import { fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { OutputStream } from './io.js';
import { Pipe } from './pipe.js';

const LOOK_MS = 500;

/**
 * To be called before anything is written: a reader may go away as soon as it has something.
 *
 * Calls `gone` when nobody reads from the pipe or socket behind a stream any more. Says nothing of a pipe whose reader it has never seen, as one
 * outside of a container is, and nothing while one that it may not look at could be the reader.
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
  if (stream instanceof Socket && isSocket(fd)) return () => isCutOff(fd);
  const pipe = Pipe.of(fd);
  return pipe && readerLostOf(pipe);
}

function isSocket(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isSocket();
  } catch {
    return false;
  }
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
  let { readers } = pipe.look();
  return () => {
    // One that has become somebody else, as sudo does, is still there.
    if (readers.some((pid) => pipe.isReadBy(pid) !== false)) return false;
    const look = pipe.look();
    const isGone = readers.length > 0 && look.readers.length === 0 && !look.isPartial;
    // Who was seen is remembered until somebody else is.
    if (look.readers.length > 0) readers = look.readers;
    return isGone;
  };
}
