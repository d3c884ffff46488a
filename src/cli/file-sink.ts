/** A file that is there as a whole or not at all. */
import { randomBytes } from 'node:crypto';
import { lstatSync, realpathSync, statSync } from 'node:fs';
import { access, constants, open, rename, rm } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import type { Writable } from 'node:stream';
import { ExportFailedError, systemCode } from '../errors.js';
import { WrongUse } from './exit-codes.js';

export class FileSink {
  readonly path: string;

  /** @throws WrongUse when it is a directory */
  constructor(path: string) {
    this.path = path;
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) {
      throw new WrongUse(`${path} is no plain file; leave it out to write to standard output`);
    }
  }

  get isThere(): boolean {
    // Also a link to nowhere, which would be replaced.
    return lstatSync(this.path, { throwIfNoEntry: false }) !== undefined;
  }

  /** Whether it would come to stand in a directory, whatever the two are called. */
  isWithin(directory: string): boolean {
    const place = join(realPath(dirname(this.path)), sep);
    return place.startsWith(join(realPath(directory), sep));
  }

  /** Whether a file could be made there. @throws ExportFailedError */
  async requireWritable(): Promise<void> {
    // The point is only in a directory.
    const directory = `${dirname(this.path)}${sep}.`;
    await access(directory, constants.W_OK | constants.X_OK).catch((error: unknown) => {
      throw this.#refusal(error);
    });
  }

  /** Writes beside the place, syncs, and renames: whatever fails, what stood there stands there. */
  async whole<T>(write: (stream: Writable) => Promise<T>): Promise<T> {
    const temporary = `${this.path}.${randomBytes(6).toString('hex')}.tmp`;
    // What a memory holds is for its owner, like its own files.
    const file = await open(temporary, 'wx', 0o600).catch((error: unknown) => {
      throw this.#refusal(error);
    });
    const stream = file.createWriteStream({ flush: true });
    try {
      const result = await write(stream);
      await rename(temporary, this.path).catch((error: unknown) => {
        throw this.#refusal(error);
      });
      await syncDirectory(dirname(this.path));
      return result;
    } catch (error) {
      stream.destroy();
      await file.close().catch(() => {});
      await rm(temporary, { force: true });
      // Under the name that was asked for, not that of the file beside it.
      throw error instanceof ExportFailedError
        ? new ExportFailedError(this.path, error.cause)
        : error;
    }
  }

  /** The same error about the place that was asked for: nobody has heard of the file beside it. */
  #refusal(error: unknown): ExportFailedError {
    const code = systemCode(error);
    if (code === undefined) return new ExportFailedError(this.path, error);
    // Node puts the call and its paths behind what happened.
    const [reason = code] = (error as Error).message.split(', ');
    const message = `${reason}, open '${this.path}'`;
    const cause = Object.assign(new Error(message, { cause: error }), { code });
    return new ExportFailedError(this.path, cause);
  }
}

/** What is not there has only the name that it was given. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

async function syncDirectory(path: string): Promise<void> {
  // Directories cannot be opened on Windows, where renaming is durable without.
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
