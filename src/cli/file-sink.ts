/** A file that is there as a whole or not at all. */
import { randomBytes } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';
import { WrongUse } from './exit-codes.js';

export class FileSink {
  readonly path: string;

  /** @throws WrongUse when it is a directory */
  constructor(path: string) {
    this.path = path;
    if (this.isThere && !statSync(path).isFile()) {
      throw new WrongUse(`${path} is no plain file; leave it out to write to standard output`);
    }
  }

  get isThere(): boolean {
    return existsSync(this.path);
  }

  /** Writes beside the place, syncs, and renames: whatever fails, what stood there stands there. */
  async whole<T>(write: (stream: Writable) => Promise<T>): Promise<T> {
    const temporary = `${this.path}.${randomBytes(6).toString('hex')}.tmp`;
    // What a memory holds is for its owner, like its own files.
    const file = await open(temporary, 'wx', 0o600);
    const stream = file.createWriteStream({ flush: true });
    // Whoever writes to it hears of it as well.
    stream.on('error', () => {});
    try {
      const result = await write(stream);
      await rename(temporary, this.path);
      await syncDirectory(dirname(this.path));
      return result;
    } catch (error) {
      stream.destroy();
      await file.close().catch(() => {});
      await rm(temporary, { force: true });
      throw error;
    }
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
