/**
 * The operating system's locks on open files: OFD locks on Linux, LockFileEx on Windows, flock on macOS.
 *
 * - A lock belongs to the opened descriptor; the kernel releases it when that is closed or its process dies.
 * - On Linux an exclusive lock needs a descriptor that can write, a shared one a descriptor that can read.
 * - Nothing here waits. A wait inside the kernel cannot be cancelled and holds up `terminate()` and process exit,
 *   so callers poll.
 */
import { createRequire } from 'node:module';
import { StoreAccessError } from '../errors.js';

interface NativeLocks {
  tryLock(file: number, offset: number, length: number, options: { shared: boolean }): boolean;
  unlock(file: number, offset: number, length: number): void;
}

let loaded: NativeLocks | undefined;

/**
 * Loaded by the first lock, not by the import: on a system without a binary for it a program must still be able to
 * import this package, to use what needs no lock, and to read the error below. `createRequire` because a static import
 * would load at once, a dynamic one is asynchronous, and both ways of loading this package (import, require) have it.
 */
function nativeLocks(): NativeLocks {
  if (loaded) return loaded;
  try {
    loaded = createRequire(import.meta.url)('fs-native-extensions') as NativeLocks;
    return loaded;
  } catch (cause) {
    throw new StoreAccessError(
      `Loading fs-native-extensions for file locks (${process.platform}-${process.arch})`,
      cause,
      'Install the dependencies for this very system. There are binaries for Linux with glibc (not musl: on Alpine use a Debian-based image), macOS and Windows, each on x64 and arm64. Stores in memory need none.',
    );
  }
}

/** False on macOS: only the whole file can be locked there, offset and length must both be 0. */
export const rangesCanBeLocked: boolean = process.platform !== 'darwin';

/** True if the lock was taken, false if another descriptor's lock is in the way. Length 0: up to the end of all offsets. */
export function tryLock(
  file: number,
  offset: number,
  length: number,
  kind: 'shared' | 'exclusive',
): boolean {
  return nativeLocks().tryLock(file, offset, length, { shared: kind === 'shared' });
}

export function unlock(file: number, offset: number, length: number): void {
  nativeLocks().unlock(file, offset, length);
}
