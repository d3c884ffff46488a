/** The files that the critical section writes: one segment at a time, and the anchor. Each is opened when it is needed first, and is never made here. */
import { StoreDamagedError, systemCode } from '../errors.js';
import type { Disk } from './disk.js';
import { closeQuietly } from './io.js';
import type { Paths } from './paths.js';
import { damagedError } from './repair.js';

export class SectionFiles {
  readonly #disk: Disk;
  readonly #paths: Paths;
  #segment: { readonly first: number; readonly file: number } | undefined;
  #anchor: number | undefined;

  constructor(disk: Disk, paths: Paths) {
    this.#disk = disk;
    this.#paths = paths;
  }

  /** The segment of that name; the one before it is closed. @throws StoreDamagedError when there is none */
  segment(first: number): number {
    if (this.#segment?.first === first) return this.#segment.file;
    if (this.#segment) closeQuietly(this.#disk, this.#segment.file);
    this.#segment = undefined;
    const path = this.#paths.segment(first);
    try {
      const file = this.#disk.open(path, 'write');
      this.#segment = { first, file };
      return file;
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      const facts = { file: path, offset: 0, position: first, problem: 'the segment is missing' };
      throw damagedError(this.#paths.directory, facts);
    }
  }

  /** @throws StoreDamagedError when there is none */
  anchor(): number {
    const { directory, anchor } = this.#paths;
    try {
      this.#anchor ??= this.#disk.open(anchor, 'write');
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      const problem = 'the anchor is missing';
      throw new StoreDamagedError({ directory, file: anchor, offset: 0, problem });
    }
    return this.#anchor;
  }

  close(): void {
    if (this.#segment) closeQuietly(this.#disk, this.#segment.file);
    if (this.#anchor !== undefined) closeQuietly(this.#disk, this.#anchor);
    this.#segment = undefined;
    this.#anchor = undefined;
  }
}
