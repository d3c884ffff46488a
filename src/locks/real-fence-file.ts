/** The file calls of fence.ts on a descriptor of the operating system. */
import { closeSync, fdatasyncSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { StoreAccessError } from '../errors.js';
import { bootId } from './boot-id.js';
import type { FenceFile } from './fence.js';

export class RealFenceFile implements FenceFile {
  readonly #path: string;
  readonly #file: number;

  constructor(path: string, file: number) {
    this.#path = path;
    this.#file = file;
  }

  get boot(): string {
    return bootId().replaceAll('-', '');
  }

  read(bytes: Buffer, position: number): void {
    this.#told(() => readSync(this.#file, bytes, 0, bytes.length, position));
  }

  write(bytes: Buffer, position: number): void {
    const written = this.#told(() => writeSync(this.#file, bytes, 0, bytes.length, position));
    if (written < bytes.length) {
      throw new StoreAccessError(this.#path, new Error('only a part could be written'), FULL);
    }
  }

  sync(): void {
    this.#told(() => {
      fdatasyncSync(this.#file);
      // Windows cannot, and need not, sync directories.
      if (process.platform !== 'win32') syncDirectory(dirname(this.#path));
    });
  }

  #told<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw new StoreAccessError(this.#path, error, FULL);
    }
  }
}

const FULL = 'No token was handed out. Free some space or see to the disk, and try again.';

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
