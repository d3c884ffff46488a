/** What callers are told when the disk refused. */
import { StoreAccessError, StoreFullError, systemCode } from '../errors.js';

/** Those that disks other than the operating system's give, too. */
const DISK_CODES = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE', 'EACCES', 'EROFS']);

/** A system error of the disk as the error that says what to do; any other error as it is. */
export function asStoreError(error: unknown, directory: string): unknown {
  const code = systemCode(error);
  if (!(error instanceof Error) || code === undefined || 'hint' in error) return error;
  if (!('syscall' in error) && !('errno' in error) && !DISK_CODES.has(code)) return error;
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    return new StoreFullError(directory, error);
  }
  const hint =
    code === 'EMFILE' || code === 'ENFILE'
      ? 'Too many files are open: close some, or raise the limit (ulimit -n), and try again.'
      : code === 'EACCES' || code === 'EPERM'
        ? 'The user of this process must own the directory and its files.'
        : code === 'EROFS'
          ? 'The file system is read-only: open the store with readOnly.'
          : 'Nothing was changed; the next attempt may work.';
  return new StoreAccessError(directory, error, hint);
}
