/**
 * Copies the files of a store, byte by byte, into a directory that is made beside its place: the common part of backup and restore.
 *
 * Files that never change once they have their name go first, then the log up to a place that was found after them: a snapshot that lay beyond the
 * end of the log would count as damage. Of the segment that is being written nothing behind that place is taken.
 */
import { dirname, relative } from 'node:path';
import { StoreAccessError, StoreDamagedError, systemCode } from '../errors.js';
import type { DamageFacts } from '../log/examine.js';
import { ARCHIVE_DIRECTORY, segmentName } from '../log/format.js';
import { ask, type Io } from '../log/io.js';
import { listSegments, type Paths, pathsOf } from '../log/paths.js';
import type { Place } from '../log/place.js';
import type { Course } from './course.js';
import { copyFile, type Digest, digestOfFile } from './digest.js';
import { LOG_DIRECTORY, listFinishedFiles, pathOfFile } from './store-files.js';

/** Files that another directory holds already, by name. */
export interface SharedFiles {
  readonly directory: string;
  readonly digests: ReadonlyMap<string, Digest>;
}

export class StoreCopy {
  readonly source: Paths;
  readonly paths: Paths;
  readonly course: Course;
  /** Of every file taken, what was read from the source. */
  readonly digests: Map<string, Digest> = new Map();
  copiedBytes = 0;
  sharedBytes = 0;
  readonly #shared: SharedFiles | undefined;
  readonly #directories = new Set<string>();
  readonly #links = new Set<string>();

  constructor(source: string, directory: string, course: Course, shared?: SharedFiles) {
    this.source = pathsOf(source);
    this.paths = pathsOf(directory);
    this.course = course;
    this.#shared = shared;
  }

  /** Archives and snapshots. One that is replaced meanwhile has its successor in the next listing. */
  *takeFinished(): Io<void> {
    for (;;) {
      const names = yield* listFinishedFiles(this.source.directory);
      const next = names.find((name) => !this.digests.has(name));
      if (next === undefined) return;
      for (const name of names) {
        if (this.digests.has(name)) continue;
        if (!(yield* this.#takeIfThere(name))) break;
      }
    }
  }

  *#takeIfThere(name: string): Io<boolean> {
    try {
      yield* this.take(name, true);
      return true;
    } catch (error) {
      const path = pathOfFile(this.source.directory, name);
      if (systemCode(error) !== 'ENOENT' || (yield* ask('facts', path))) throw error;
      return false;
    }
  }

  /** The segments up to a place. */
  *takeLog(to: Place): Io<void> {
    for (const first of yield* listSegments(this.source)) {
      if (first > to.segment) continue;
      const isClosed = first < to.segment;
      const bytesMax = isClosed ? Number.MAX_SAFE_INTEGER : to.offset;
      yield* this.take(`${LOG_DIRECTORY}/${segmentName(first)}`, isClosed, bytesMax);
    }
  }

  /** Names of what is in the source's archive now: it changes whenever a segment is moved there or dropped. */
  *listArchive(): Io<string[]> {
    const names = yield* listFinishedFiles(this.source.directory);
    return names.filter((name) => name.startsWith(`${ARCHIVE_DIRECTORY}/`));
  }

  /** Takes the log back, and what is no longer in the source: what has its name there still is what was copied. */
  *keepUnmoved(): Io<void> {
    const there = new Set(yield* listFinishedFiles(this.source.directory));
    for (const [name, { bytes }] of this.digests) {
      if (there.has(name)) continue;
      yield* ask('remove', pathOfFile(this.paths.directory, name));
      if (this.#links.delete(name)) this.sharedBytes -= bytes;
      else this.copiedBytes -= bytes;
      this.digests.delete(name);
    }
  }

  /** @param isFinished - it never changes, and may be shared */
  *take(name: string, isFinished: boolean, bytesMax?: number): Io<Digest> {
    const from = pathOfFile(this.source.directory, name);
    const to = pathOfFile(this.paths.directory, name);
    yield* this.#makeDirectories(dirname(to));
    const shared = isFinished ? yield* this.#share(name, from, to) : undefined;
    const digest = shared ?? (yield* copyFile(from, to, this.course, bytesMax));
    if (!shared) this.copiedBytes += digest.bytes;
    this.digests.set(name, digest);
    return digest;
  }

  /** Gives the file that is there already a second name, if it is the same as in the source now. */
  *#share(name: string, from: string, to: string): Io<Digest | undefined> {
    const known = this.#shared?.digests.get(name);
    if (!this.#shared || !known || (yield* ask('facts', from))?.size !== known.bytes) {
      return undefined;
    }
    const digest = yield* digestOfFile(from, this.course);
    if (digest?.bytes !== known.bytes || digest.sha256 !== known.sha256) return undefined;
    try {
      yield* ask('link', pathOfFile(this.#shared.directory, name), to);
    } catch (error) {
      if (!CANNOT_LINK.has(systemCode(error) ?? '')) throw error;
      return undefined;
    }
    this.sharedBytes += known.bytes;
    this.#links.add(name);
    return known;
  }

  *#makeDirectories(path: string): Io<void> {
    if (path === this.paths.directory || this.#directories.has(path)) return;
    yield* this.#makeDirectories(dirname(path));
    yield* ask('makeDirectory', path);
    this.#directories.add(path);
  }

  /** Makes the names of all files durable. */
  *sync(): Io<void> {
    for (const path of this.#directories) yield* ask('syncDirectory', path);
    yield* ask('syncDirectory', this.paths.directory);
  }

  /** Whether the file is a second name of one that was there already. */
  isShared(name: string): boolean {
    return this.#links.has(name);
  }

  /** Of all files taken. */
  get bytes(): number {
    let bytes = 0;
    for (const digest of this.digests.values()) bytes += digest.bytes;
    return bytes;
  }

  /** Reads all but the log, and what is named, again. @throws StoreAccessError */
  *verifyFinished(except: readonly string[]): Io<void> {
    for (const name of this.digests.keys()) {
      if (name.startsWith(`${LOG_DIRECTORY}/`) || except.includes(name)) continue;
      const path = pathOfFile(this.paths.directory, name);
      this.checkReadBack(name, yield* digestOfFile(path, this.course));
    }
  }

  /** What the copy reads back as must be what was read from the source. @throws StoreAccessError */
  checkReadBack(name: string, found: Digest | undefined): void {
    const expected = this.digests.get(name);
    if (found?.bytes === expected?.bytes && found?.sha256 === expected?.sha256) return;
    this.failReadBack(name);
  }

  failReadBack(what: string): never {
    const cause = new Error(`${what} does not read back as it was written`);
    const hint = 'Check the disk; nothing was left there.';
    throw new StoreAccessError(this.paths.directory, cause, hint);
  }

  /** Damage found in the copy, as damage of the source that it was copied from. */
  damaged(damage: DamageFacts): StoreDamagedError {
    const { directory } = this.source;
    const name = relative(this.paths.directory, damage.file);
    return new StoreDamagedError({ ...damage, directory, file: pathOfFile(directory, name) });
  }
}

/** Two file systems, or one without such names: then there is a copy. */
const CANNOT_LINK = new Set([
  'EXDEV',
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EMLINK',
  'ENOENT',
]);
