/**
 * Backup of a live store: a directory that holds the store as of one position, with a manifest of every byte. It opens read-only like any store.
 *
 * Invariants:
 * - nothing behind the mark is copied, and the log of a backup ends where a group ends;
 * - what was copied is read back, its seals and digests checked, before the manifest is written, last; one rename gives it its name;
 * - it shares no file with the store: what damages the one leaves the other alone. Incremental backups share finished files among themselves.
 */
import { sep } from 'node:path';
import {
  checkOptionNames,
  invalidArgument,
  optionNames,
  StoreDamagedError,
  StoreNotFoundError,
} from '../errors.js';
import { firstAnchor } from '../log/anchor.js';
import { Beside } from '../log/beside.js';
import { realDirectory } from '../log/directory.js';
import type { Environment } from '../log/environment.js';
import { isoTime } from '../log/group.js';
import { ask, closeQuietly, type Io, runAsync } from '../log/io.js';
import { MemoryDisk } from '../log/memory-disk.js';
import type { Found } from '../log/open-settings.js';
import { listSegments, type Paths } from '../log/paths.js';
import { asStoreError } from '../log/store-error.js';
import type { Head } from '../log/types.js';
import { verifyLog } from '../log/verify.js';
import { putInPlace, writeWhole } from '../log/whole-file.js';
import { Course, type CourseOptions } from './course.js';
import { type Digest, digestOfFile, hashing } from './digest.js';
import { copyLive } from './live-copy.js';
import {
  encodeManifest,
  MANIFEST_FILE,
  type Manifest,
  type ManifestFile,
  readManifest,
} from './manifest.js';
import { findSource, holdCompaction, type SourceOptions, sourceSettings } from './source.js';
import { type SharedFiles, StoreCopy } from './store-copy.js';
import {
  ANCHOR_FILE,
  LOG_DIRECTORY,
  listFinishedFiles,
  pathOfFile,
  STORE_FILE,
} from './store-files.js';

export interface BackupOptions extends CourseOptions {
  /**
   * An earlier backup of this store: files that have not changed since become second names (hard links) of its files, where both lie on one file
   * system, and are copied elsewhere. The new backup is complete all the same, and outlives the earlier one.
   */
  readonly since?: string | undefined;
}

const BACKUP_OPTIONS = optionNames<BackupOptions>({ since: true, onProgress: true, signal: true });

export interface BackupReport {
  /** Where it stands. */
  readonly directory: string;
  /** The store's id. */
  readonly id: string;
  /** Where its log ends: everything up to there, and nothing else, is in it. */
  readonly head: Head;
  readonly files: number;
  /** Of all files but the manifest. */
  readonly bytes: number;
  /** Of those that are shared with the earlier backup. */
  readonly sharedBytes: number;
}

/** @internal A backup of the store at `source`, on any disk. */
export async function backupStoreOn(
  environment: Environment,
  source: string,
  directory: string,
  options: BackupOptions = {},
  access: SourceOptions = {},
): Promise<BackupReport> {
  checkOptionNames(options, BACKUP_OPTIONS, 'backup');
  if (environment.disk instanceof MemoryDisk) {
    throw invalidArgument(
      'a store in memory has no files; only one in a directory can be backed up',
    );
  }
  const target = realDirectory(directory, 'the directory of the backup');
  const since = options.since === undefined ? undefined : realDirectory(options.since, 'since');
  for (const other of [source, since]) {
    if (other !== undefined && (target === other || target.startsWith(other + sep))) {
      throw invalidArgument(`the backup must lie outside of ${other}, which is not changed`);
    }
  }
  const course = new Course(options);
  try {
    return await new Backup(environment, source, target, since, course, access).make();
  } catch (error) {
    throw asStoreError(error, target);
  }
}

class Backup {
  readonly #environment: Environment;
  readonly #source: string;
  readonly #target: string;
  readonly #since: string | undefined;
  readonly #course: Course;
  readonly #access: SourceOptions;

  constructor(
    environment: Environment,
    source: string,
    target: string,
    since: string | undefined,
    course: Course,
    access: SourceOptions,
  ) {
    this.#environment = environment;
    this.#source = source;
    this.#target = target;
    this.#since = since;
    this.#course = course;
    this.#access = access;
  }

  async make(): Promise<BackupReport> {
    const { disk } = this.#environment;
    const settings = sourceSettings(this.#source, this.#access);
    const { paths, lockTimeoutMs } = settings;
    // Says what is wrong with the store before anything is made.
    const first = await this.#find();
    closeQuietly(disk, first.lockFile);
    const earlier = await this.#run(this.#earlier(first.store.id));
    const release = await holdCompaction(this.#environment, paths, lockTimeoutMs, this.#course);
    try {
      const beside = await this.#run(Beside.begin(this.#environment, this.#target));
      try {
        return await this.#fill(beside, earlier);
      } catch (error) {
        await this.#run(beside.discard());
        throw error;
      }
    } finally {
      release();
    }
  }

  async #fill(beside: Beside, earlier: Manifest | undefined): Promise<BackupReport> {
    const shared = earlier && this.#since ? sharedFiles(this.#since, earlier) : undefined;
    const copy = new StoreCopy(this.#source, beside.directory, this.#course, shared);
    this.#course.begin('copy', 'bytes', await this.#run(sizeOf(copy.source)));
    const found = await copyLive(this.#environment.disk, copy, () => this.#find());
    return await this.#run(this.#finish(beside, copy, found, earlier));
  }

  async #find(): Promise<Found> {
    return await findSource(this.#environment, sourceSettings(this.#source, this.#access));
  }

  #run<T>(work: Io<T>): Promise<T> {
    return runAsync(this.#environment.disk, work);
  }

  /** The manifest of the earlier backup. */
  *#earlier(storeId: string): Io<Manifest | undefined> {
    if (this.#since === undefined) return undefined;
    const manifest = yield* readManifest(this.#since);
    if (!manifest) {
      throw new StoreNotFoundError(this.#since, `it is no backup: there is no ${MANIFEST_FILE}`);
    }
    if (manifest.store !== storeId) throw this.#otherHistory();
    return manifest;
  }

  #otherHistory(): TypeError {
    return invalidArgument(
      `${this.#since} is a backup of another store, or of a history that this store does not have, or has dropped since; make a full backup`,
      'OTHER_HISTORY',
    );
  }

  *#finish(
    beside: Beside,
    copy: StoreCopy,
    found: Found,
    earlier: Manifest | undefined,
  ): Io<BackupReport> {
    const { place, store } = found;
    yield* copy.take(STORE_FILE, false);
    yield* writeWhole(copy.paths.anchor, firstAnchor(place));
    yield* copy.sync();
    this.#course.end();
    const head = yield* this.#verify(copy, found, earlier);
    const files = yield* manifestFiles(copy, this.#course);
    const { position, seal } = earlier?.place ?? {};
    const manifest: Manifest = {
      store: store.id,
      created: isoTime(this.#environment.clock()),
      place,
      time: head.time ?? null,
      parent: position === undefined || seal === undefined ? null : { position, seal },
      files,
    };
    yield* putInPlace(beside.directory, MANIFEST_FILE, encodeManifest(manifest));
    yield* beside.publish();
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    return Object.freeze({
      directory: this.#target,
      id: store.id,
      head,
      files: files.length,
      bytes,
      sharedBytes: copy.sharedBytes,
    });
  }

  /** Reads all that was written again: digests, checksums, the chain of seals. */
  *#verify(copy: StoreCopy, { store, place }: Found, earlier: Manifest | undefined): Io<Head> {
    const course = this.#course;
    course.begin('verify', 'bytes', copy.bytes);
    const digests = new Map<string, Digest>();
    const options = {
      against: earlier?.place.seal,
      onProgress: ({ bytes }: { bytes: number }) => course.reach(bytes),
    };
    const report = yield* hashing(verifyLog(copy.paths, store, place, options), digests);
    for (const [name, digest] of copy.digests) {
      const path = pathOfFile(copy.paths.directory, name);
      const found = name.startsWith(`${LOG_DIRECTORY}/`) ? digests.get(path) : undefined;
      // Where the walk ended early it has not read all files.
      const again = found?.bytes === digest.bytes ? found : yield* digestOfFile(path, course);
      if (this.#since !== undefined && copy.isShared(name)) this.#checkShared(name, digest, again);
      else copy.checkReadBack(name, again);
    }
    if (report.damage) throw copy.damaged(report.damage);
    if (report.against === 'missing') throw this.#otherHistory();
    course.end();
    return report.head;
  }

  #checkShared(name: string, expected: Digest, found: Digest | undefined): void {
    if (found?.bytes === expected.bytes && found.sha256 === expected.sha256) return;
    const directory = this.#since ?? '';
    const file = pathOfFile(directory, name);
    const problem = 'its SHA-256 is not the one in the manifest; make a full backup';
    throw new StoreDamagedError({ directory, file, offset: 0, problem });
  }
}

function sharedFiles(directory: string, { files }: Manifest): SharedFiles {
  const digests = new Map(files.map(({ name, bytes, sha256 }) => [name, { bytes, sha256 }]));
  return { directory, digests };
}

/** Bytes of what is to be copied, as far as it is there now. */
function* sizeOf(source: Paths): Io<number> {
  let bytes = 0;
  const add = function* (path: string): Io<void> {
    bytes += (yield* ask('facts', path))?.size ?? 0;
  };
  for (const name of yield* listFinishedFiles(source.directory)) {
    yield* add(pathOfFile(source.directory, name));
  }
  for (const first of yield* listSegments(source)) yield* add(source.segment(first));
  return bytes;
}

function* manifestFiles(copy: StoreCopy, course: Course): Io<ManifestFile[]> {
  const anchor = yield* digestOfFile(copy.paths.anchor, course);
  const digests = new Map(copy.digests);
  if (anchor) digests.set(ANCHOR_FILE, anchor);
  return [...digests]
    .map(([name, { bytes, sha256 }]) => ({ name, bytes, sha256 }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
