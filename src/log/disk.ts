/**
 * The disk as the log sees it: a port. The real one is in real-disk.ts, one that keeps bytes in memory in
 * memory-disk.ts, and the tests have one that loses, tears and reorders what was not synced.
 *
 * Invariants every implementation keeps:
 * - all paths are absolute and normal; symbolic links are never followed in the last component of an opened path;
 * - only plain files are opened (ELOOP for a link, EISDIR for a directory, EINVAL for a pipe or device);
 * - files are made 0600, directories 0700;
 * - a failure is a system error with its `code` (ENOSPC, EIO, ...); `write` may be short without an error;
 * - `sync` returns only when what was written to that file before it began is durable;
 * - a lock belongs to the opened descriptor and dies with it.
 */

export type OpenMode =
  /** Read an existing file. */
  | 'read'
  /** Read and write an existing file. */
  | 'write'
  /** Make a new file, fail with EEXIST if there is one, read and write. */
  | 'create';

export interface FileFacts {
  readonly kind: 'file' | 'directory' | 'other';
  readonly size: number;
  /** Permission bits only (0o777). */
  readonly mode: number;
  /** Device and inode together name one file among all disks that this process uses. */
  readonly device: number;
  readonly inode: number;
}

/** A range of bytes, far beyond any content, that stands for one right. */
export interface LockRange {
  readonly offset: number;
  readonly length: number;
}

export type LockKind = 'shared' | 'exclusive';

/** The calls that both drivers of `io.ts` can make: each has an asynchronous twin of the same meaning. */
export interface DiskCalls {
  open(path: string, mode: OpenMode): number;
  close(file: number): void;
  /** Reads up to `length` bytes at `position` into `buffer` from `offset`; 0 at the end of the file. */
  read(file: number, buffer: Uint8Array, offset: number, length: number, position: number): number;
  /** Writes at `position`; gives the number of bytes written, which can be less than `length`. */
  write(file: number, buffer: Uint8Array, offset: number, length: number, position: number): number;
  truncate(file: number, size: number): void;
  /** fdatasync. */
  sync(file: number): void;
  /**
   * Makes creations, renames and removals in this directory durable; a rename between two directories needs both.
   * Follows links, for files are made behind them. Does nothing on Windows.
   */
  syncDirectory(path: string): void;
  size(file: number): number;
  /** What stands at the path itself (a link is `other`); `undefined` when nothing does. */
  facts(path: string): FileFacts | undefined;
  /** Names in the directory, sorted by UTF-16 code units. */
  list(path: string): string[];
  makeDirectory(path: string): void;
  rename(from: string, to: string): void;
  /** Gives a file a second name, where nothing stands; both must lie on one file system that has such names (EXDEV, EPERM, ENOTSUP, EMLINK). */
  link(from: string, to: string): void;
  /** Removes a file, a link itself, or an empty directory. */
  remove(path: string): void;
}

export type AsyncDiskCalls = {
  [Name in keyof DiskCalls]: (
    ...args: Parameters<DiskCalls[Name]>
  ) => Promise<ReturnType<DiskCalls[Name]>>;
};

export interface Disk extends DiskCalls {
  /** Calls that leave the caller's thread. A disk without I/O of its own leaves this out and is called directly. */
  readonly promises?: AsyncDiskCalls;
  /** True when other threads can open the same paths: only then can a writer thread help. */
  readonly sharedBetweenThreads: boolean;
  /** False where a lock always covers the whole file (macOS), so that two ranges cannot stand for two rights. */
  readonly rangeLocks: boolean;
  /**
   * True if the lock was taken. Never waits. An exclusive lock needs a file opened for writing (EBADF). What this very
   * descriptor holds is never in its own way, except on Windows: do not ask twice.
   */
  tryLock(file: number, range: LockRange, kind: LockKind): boolean;
  unlock(file: number, range: LockRange): void;
  /** Blocks this thread for about that long. */
  pause(milliseconds: number): void;
  /** Changes whenever the machine starts: what was written but not synced before is then unproven. */
  bootId(): string;
  /** Name of the file system that holds the path and whether locks and syncs hold on it. */
  fileSystem(path: string): { readonly name: string; readonly trusted: boolean };
  /** Calls back after the file changed, sometimes late or in vain. Gives a function that stops it. */
  watch(path: string, changed: () => void): () => void;
}
