/** The manifest of a backup: every file of it with its size and SHA-256, and what it is a backup of (docs/FORMAT.md). */
import { join } from 'node:path';
import { FormatTooNewError, StoreDamagedError, systemCode } from '../errors.js';
import { checksumHolds } from '../log/decode.js';
import { finishedLine } from '../log/encode.js';
import { MANIFEST_FILE } from '../log/format.js';
import { ask, type Io } from '../log/io.js';
import { readFully } from '../log/open-files.js';
import type { Place } from '../log/place.js';
import type { Course } from './course.js';
import { digestOfFile } from './digest.js';
import { isStoreFile, pathOfFile, STORE_FILE } from './store-files.js';

export { MANIFEST_FILE };

export interface ManifestFile {
  /** Inside the backup, with `/` between its parts. */
  readonly name: string;
  readonly bytes: number;
  /** Of its content, 64 hexadecimal digits. */
  readonly sha256: string;
}

export interface Manifest {
  /** Id of the store. */
  readonly store: string;
  /** When the backup was made, ISO 8601. */
  readonly created: string;
  /** Where its log ends. */
  readonly place: Place;
  /** Time of the last commit, null when there is none. */
  readonly time: string | null;
  /** The backup that it builds on, if it is incremental: it holds all of that history. */
  readonly parent: { readonly position: number; readonly seal: string } | null;
  /** Sorted by name. */
  readonly files: readonly ManifestFile[];
}

const MANIFEST_FORMAT = 1;
/** A file takes some 130 bytes. */
const MANIFEST_BYTES_MAX = 64 * 1024 * 1024;
const HASH = /^[0-9a-f]{64}$/;

export function encodeManifest(manifest: Manifest): Buffer {
  const { store, created, place, time, parent, files } = manifest;
  const { position, seal, segment, offset } = place;
  const facts = { backup: MANIFEST_FORMAT, store, created, position, seal, segment, offset, time };
  const body = JSON.stringify({ ...facts, parent, files });
  return finishedLine(body.slice(0, -1));
}

/** The manifest in a directory, nothing when there is none. @throws StoreDamagedError, FormatTooNewError */
export function* readManifest(directory: string): Io<Manifest | undefined> {
  const path = join(directory, MANIFEST_FILE);
  let file: number;
  try {
    file = yield* ask('open', path, 'read');
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
  try {
    const size = yield* ask('size', file);
    const bytes = Buffer.alloc(Math.min(size, MANIFEST_BYTES_MAX));
    const count = yield* readFully(file, bytes, 0, bytes.length, 0);
    return decodeManifest(bytes.subarray(0, count), directory, path);
  } finally {
    yield* ask('close', file);
  }
}

function decodeManifest(bytes: Buffer, directory: string, file: string): Manifest {
  const damaged = (problem: string) =>
    new StoreDamagedError({ directory, file, offset: 0, problem });
  const format = /^\{"backup":([0-9]{1,15})[,}]/.exec(bytes.toString('latin1', 0, 32))?.[1];
  if (format !== undefined && Number(format) > MANIFEST_FORMAT) {
    throw new FormatTooNewError(file, Number(format), MANIFEST_FORMAT);
  }
  if (format === undefined || !checksumHolds(bytes, 0, bytes.length)) {
    throw damaged('the manifest is not what was written');
  }
  const facts = JSON.parse(bytes.toString('utf8')) as Manifest & Place;
  const { store, created, position, seal, segment, offset, time, parent, files } = facts;
  if (!Array.isArray(files) || !files.every(isManifestFile)) {
    throw damaged('the manifest names what is no file of a store');
  }
  if (!files.some(({ name }) => name === STORE_FILE)) {
    throw damaged(`the manifest does not name ${STORE_FILE}`);
  }
  return { store, created, place: { segment, offset, position, seal }, time, parent, files };
}

function isManifestFile(file: Partial<ManifestFile>): file is ManifestFile {
  const { name, bytes, sha256 } = file;
  const isName = typeof name === 'string' && isStoreFile(name);
  const isSize = Number.isSafeInteger(bytes) && (bytes as number) >= 0;
  return isName && isSize && typeof sha256 === 'string' && HASH.test(sha256);
}

/** What a backup holds, in bytes. */
export function bytesOf(files: readonly ManifestFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** What is wrong with a file, whose content has this size and SHA-256. @throws StoreDamagedError */
export function checkFile(
  directory: string,
  expected: ManifestFile,
  found: { readonly bytes: number; readonly sha256: string } | undefined,
): void {
  const { name, bytes, sha256 } = expected;
  const problem =
    found === undefined
      ? 'it is missing, and the manifest names it'
      : found.bytes !== bytes
        ? `it has ${found.bytes} bytes, and the manifest says ${bytes}`
        : found.sha256 !== sha256
          ? 'its SHA-256 is not the one in the manifest'
          : undefined;
  if (problem === undefined) return;
  const offset = found !== undefined && found.bytes < bytes ? found.bytes : 0;
  throw new StoreDamagedError({ directory, file: pathOfFile(directory, name), offset, problem });
}

/** Reads every file of a backup and compares it with the manifest. @throws StoreDamagedError for the first that differs */
export function* verifyFiles(directory: string, manifest: Manifest, course: Course): Io<void> {
  course.begin('verify', 'bytes', bytesOf(manifest.files));
  for (const expected of manifest.files) {
    const found = yield* digestOfFile(pathOfFile(directory, expected.name), course);
    checkFile(directory, expected, found);
  }
  course.end();
}
