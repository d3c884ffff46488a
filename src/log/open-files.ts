/**
 * Files opened for reading and kept open for the next read, a few at a time. A file in use is never closed: whoever uses
 * it holds it for one piece of work, and what became too many, or was closed meanwhile, goes when that ends.
 */
import { StoreClosedError, systemCode } from '../errors.js';
import { ask, type Io } from './io.js';

interface OpenFile {
  readonly file: number;
  users: number;
  /** True when nobody can find it any more: whoever uses it last closes it. */
  forgotten: boolean;
}

export class OpenFiles {
  readonly #max: number;
  /** Least recently used first. */
  readonly #files = new Map<string, OpenFile>();
  #closed = false;

  constructor(max = 16) {
    this.#max = max;
  }

  /** Does work with the file, opening it if need be. */
  *use<T>(path: string, work: (file: number) => Io<T>): Io<T> {
    const entry = this.#known(path) ?? (yield* this.#open(path));
    try {
      return yield* work(entry.file);
    } finally {
      entry.users -= 1;
      if (entry.forgotten && entry.users === 0) yield* closeFile(entry.file);
    }
  }

  #known(path: string): OpenFile | undefined {
    if (this.#closed) throw new StoreClosedError();
    const entry = this.#files.get(path);
    if (!entry) return undefined;
    this.#files.delete(path);
    this.#files.set(path, entry);
    entry.users += 1;
    return entry;
  }

  *#open(path: string): Io<OpenFile> {
    const file = yield* ask('open', path, 'read');
    // While it was opened, another reader may have opened it too, or all may have been closed.
    const other = this.#closed ? undefined : this.#known(path);
    if (other || this.#closed) {
      yield* closeFile(file);
      if (other) return other;
      throw new StoreClosedError();
    }
    const entry = { file, users: 1, forgotten: false };
    this.#files.set(path, entry);
    yield* this.#trim();
    return entry;
  }

  *#trim(): Io<void> {
    for (const [path, entry] of this.#files) {
      if (this.#files.size <= this.#max) return;
      if (entry.users > 0) continue;
      this.#files.delete(path);
      yield* closeFile(entry.file);
    }
  }

  /** Lets go of a file: the next use opens what stands at the path then. */
  *forget(path: string): Io<void> {
    const entry = this.#files.get(path);
    if (!entry) return;
    this.#files.delete(path);
    entry.forgotten = true;
    if (entry.users === 0) yield* closeFile(entry.file);
  }

  /** Closes what nobody uses right now: it may have been moved or deleted, and its room is given back only then. */
  *letGo(): Io<void> {
    for (const [path, { users }] of [...this.#files]) if (users === 0) yield* this.forget(path);
  }

  /** Closes all; what is in use right now is closed by its user. Later uses throw StoreClosedError. */
  *close(): Io<void> {
    this.#closed = true;
    for (const path of [...this.#files.keys()]) yield* this.forget(path);
  }
}

/** Nothing was written through these descriptors, so a close that fails loses nothing. */
function* closeFile(file: number): Io<void> {
  try {
    yield* ask('close', file);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}

/** Fills `buffer[start, start + length)` from `position` on; less only at the end of the file. Gives the number of bytes. */
export function* readFully(
  file: number,
  buffer: Uint8Array,
  start: number,
  length: number,
  position: number,
): Io<number> {
  let filled = 0;
  while (filled < length) {
    const at = position + filled;
    const count = yield* ask('read', file, buffer, start + filled, length - filled, at);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}
