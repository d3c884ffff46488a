/**
 * The disk of the operating system (node:fs). Every call has its asynchronous twin on the thread pool.
 *
 * What the port promises is kept like this:
 * - an opened path's last component is not followed when it is a link, and only plain files are opened: a pipe or a
 *   device put in a file's place must not hang or feed whoever opens it;
 * - modes are what disk.ts says whatever the umask, where the file system has modes at all;
 * - errors carry the system's code, also those that Node has no name for.
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { bootId } from '../locks/boot-id.js';
import * as locks from '../locks/native-lock.js';
import { pause } from '../locks/pause.js';
import type { AsyncDiskCalls, Disk, FileFacts, LockKind, LockRange, OpenMode } from './disk.js';
import { type FileSystemFacts, fileSystemOfMagic, fileSystemOfMounts } from './file-systems.js';
import { named, systemError } from './system-error.js';
import { watchFile } from './watch-file.js';

export interface RealDiskOptions {
  /** False to lock whole files instead of ranges, as macOS must. Default: false only there. */
  readonly rangeLocks?: boolean | undefined;
}

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const onWindows = process.platform === 'win32';

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = fs.constants;
// Windows has neither; there a link is looked for before opening, and pipes have no paths among files.
const O_NOFOLLOW = fs.constants.O_NOFOLLOW ?? 0;
const O_NONBLOCK = fs.constants.O_NONBLOCK ?? 0;

const openFlags: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
  write: O_RDWR | O_NOFOLLOW | O_NONBLOCK,
  create: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
};

function permissions(stats: fs.Stats): number {
  return stats.mode & 0o777;
}

function factsOf(stats: fs.Stats): FileFacts {
  const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other';
  const { size, dev: device, ino: inode } = stats;
  return { kind, size, mode: permissions(stats), device, inode };
}

/** Nothing stands at the path, or what should be a directory above it is none. */
function isAbsence(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** A file system without modes (FAT, some shares) refuses to set them; then there are none to keep. */
function isModeless(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code);
}

/** What unlink answers for a directory: EISDIR on Linux, EPERM elsewhere. */
function mayBeDirectory(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'EISDIR' || code === 'EPERM';
}

function checkPlainFile(stats: fs.Stats, path: string): void {
  if (stats.isFile()) return;
  throw systemError(stats.isDirectory() ? 'EISDIR' : 'EINVAL', 'open', path);
}

function modeIsWrong(stats: fs.Stats, mode: number): boolean {
  return !onWindows && permissions(stats) !== mode;
}

function open(path: string, mode: OpenMode): number {
  if (onWindows && fs.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw systemError(mode === 'create' ? 'EEXIST' : 'ELOOP', 'open', path);
  }
  const file = fs.openSync(path, openFlags[mode], FILE_MODE);
  try {
    const stats = fs.fstatSync(file);
    checkPlainFile(stats, path);
    if (mode === 'create' && modeIsWrong(stats, FILE_MODE)) {
      try {
        fs.fchmodSync(file, FILE_MODE);
      } catch (error) {
        if (!isModeless(error)) throw error;
      }
    }
    return file;
  } catch (error) {
    fs.closeSync(file);
    throw error;
  }
}

async function openAsync(path: string, mode: OpenMode): Promise<number> {
  if (onWindows) {
    const facts = await factsAsync(path);
    if (facts?.kind === 'other') {
      throw systemError(mode === 'create' ? 'EEXIST' : 'ELOOP', 'open', path);
    }
  }
  const file = await answer<number>((done) => fs.open(path, openFlags[mode], FILE_MODE, done));
  try {
    const stats = await answer<fs.Stats>((done) => fs.fstat(file, done));
    checkPlainFile(stats, path);
    if (mode === 'create' && modeIsWrong(stats, FILE_MODE)) {
      await answer<void>((done) => fs.fchmod(file, FILE_MODE, done)).catch((error: unknown) => {
        if (!isModeless(error)) throw error;
      });
    }
    return file;
  } catch (error) {
    await answer<void>((done) => fs.close(file, done));
    throw error;
  }
}

function facts(path: string): FileFacts | undefined {
  try {
    const stats = fs.lstatSync(path, { throwIfNoEntry: false });
    return stats && factsOf(stats);
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

async function factsAsync(path: string): Promise<FileFacts | undefined> {
  try {
    return factsOf(await answer<fs.Stats>((done) => fs.lstat(path, done)));
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

function makeDirectory(path: string): void {
  fs.mkdirSync(path, DIRECTORY_MODE);
  if (!modeIsWrong(fs.lstatSync(path), DIRECTORY_MODE)) return;
  try {
    fs.chmodSync(path, DIRECTORY_MODE);
  } catch (error) {
    if (!isModeless(error)) throw error;
  }
}

async function makeDirectoryAsync(path: string): Promise<void> {
  await answer<void>((done) => fs.mkdir(path, DIRECTORY_MODE, done));
  if (!modeIsWrong(await answer<fs.Stats>((done) => fs.lstat(path, done)), DIRECTORY_MODE)) return;
  await answer<void>((done) => fs.chmod(path, DIRECTORY_MODE, done)).catch((error: unknown) => {
    if (!isModeless(error)) throw error;
  });
}

/**
 * Follows links, unlike `open`: it must reach the directory in which files under this path were made.
 * Windows opens no directory for syncing and needs no such call: NTFS journals names in the order they were changed,
 * and flushing a file flushes the journal up to its own creation.
 */
function syncDirectory(path: string): void {
  if (onWindows) return;
  const directory = fs.openSync(path, O_RDONLY);
  try {
    fs.fsyncSync(directory);
  } finally {
    fs.closeSync(directory);
  }
}

async function syncDirectoryAsync(path: string): Promise<void> {
  if (onWindows) return;
  const directory = await answer<number>((done) => fs.open(path, O_RDONLY, done));
  try {
    await answer<void>((done) => fs.fsync(directory, done));
  } finally {
    await answer<void>((done) => fs.close(directory, done));
  }
}

function remove(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if (!mayBeDirectory(error) || facts(path)?.kind !== 'directory') throw error;
    fs.rmdirSync(path);
  }
}

async function removeAsync(path: string): Promise<void> {
  try {
    await answer<void>((done) => fs.unlink(path, done));
  } catch (error) {
    if (!mayBeDirectory(error) || (await factsAsync(path))?.kind !== 'directory') throw error;
    await answer<void>((done) => fs.rmdir(path, done));
  }
}

function fileSystem(path: string): FileSystemFacts {
  if (process.platform === 'linux') return fileSystemOfMagic(fs.statfsSync(path).type);
  if (process.platform === 'darwin') {
    const mounts = execFileSync('/sbin/mount', { encoding: 'utf8', stdio: 'pipe' });
    return fileSystemOfMounts(mounts, fs.realpathSync(path));
  }
  if (onWindows && /^[\\/]{2}(?![?.])|^\\\\\?\\UNC\\/i.test(fs.realpathSync.native(path))) {
    return { name: 'a network share', trusted: false };
  }
  return { name: 'an unknown file system', trusted: true };
}

type Done<T> = (error: NodeJS.ErrnoException | null, value: T) => void;

/** A call with a callback as a promise, its error under its name. */
function answer<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error) reject(named(error));
      else resolve(value);
    });
  });
}

/** A synchronous call with its error under its name. */
function naming<Parameters extends readonly unknown[], Result>(
  call: (...parameters: Parameters) => Result,
): (...parameters: Parameters) => Result {
  return (...parameters) => {
    try {
      return call(...parameters);
    } catch (error) {
      throw named(error);
    }
  };
}

const asynchronous: AsyncDiskCalls = {
  open: openAsync,
  close: (file) => answer((done) => fs.close(file, done as Done<void>)),
  read: (file, buffer, offset, length, position) =>
    answer((done) => fs.read(file, buffer, offset, length, position, done)),
  write: (file, buffer, offset, length, position) =>
    answer((done) => fs.write(file, buffer, offset, length, position, done)),
  truncate: (file, size) => answer((done) => fs.ftruncate(file, size, done as Done<void>)),
  sync: (file) => answer((done) => fs.fdatasync(file, done as Done<void>)),
  syncDirectory: syncDirectoryAsync,
  size: async (file) => (await answer<fs.Stats>((done) => fs.fstat(file, done))).size,
  facts: factsAsync,
  list: async (path) => (await answer<string[]>((done) => fs.readdir(path, done))).sort(),
  makeDirectory: makeDirectoryAsync,
  rename: (from, to) => answer((done) => fs.rename(from, to, done as Done<void>)),
  link: (from, to) => answer((done) => fs.link(from, to, done as Done<void>)),
  remove: removeAsync,
};

const wholeFile: LockRange = { offset: 0, length: 0 };

/** The files of this machine. Any number of these may be in use at once, in any number of threads and processes. */
export class RealDisk implements Disk {
  readonly promises: AsyncDiskCalls = asynchronous;
  readonly sharedBetweenThreads = true;
  readonly rangeLocks: boolean;

  readonly open: Disk['open'] = naming(open);
  readonly close: Disk['close'] = naming(fs.closeSync);
  readonly read: Disk['read'] = naming(fs.readSync as Disk['read']);
  readonly write: Disk['write'] = naming(fs.writeSync as Disk['write']);
  readonly truncate: Disk['truncate'] = naming(fs.ftruncateSync);
  readonly sync: Disk['sync'] = naming(fs.fdatasyncSync);
  readonly syncDirectory: Disk['syncDirectory'] = naming(syncDirectory);
  readonly size: Disk['size'] = naming((file) => fs.fstatSync(file).size);
  readonly facts: Disk['facts'] = naming(facts);
  readonly list: Disk['list'] = naming((path) => fs.readdirSync(path).sort());
  readonly makeDirectory: Disk['makeDirectory'] = naming(makeDirectory);
  readonly rename: Disk['rename'] = naming(fs.renameSync);
  readonly link: Disk['link'] = naming(fs.linkSync);
  readonly remove: Disk['remove'] = naming(remove);
  readonly pause: Disk['pause'] = pause;
  readonly bootId: Disk['bootId'] = bootId;
  readonly fileSystem: Disk['fileSystem'] = naming(fileSystem);
  readonly watch: Disk['watch'] = watchFile;

  constructor(options: RealDiskOptions = {}) {
    this.rangeLocks = options.rangeLocks ?? locks.rangesCanBeLocked;
  }

  tryLock(file: number, range: LockRange, kind: LockKind): boolean {
    const { offset, length } = this.rangeLocks ? range : wholeFile;
    return locks.tryLock(file, offset, length, kind);
  }

  unlock(file: number, range: LockRange): void {
    const { offset, length } = this.rangeLocks ? range : wholeFile;
    locks.unlock(file, offset, length);
  }
}
