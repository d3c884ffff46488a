/** `recollect/locks`: locks for agents that share more than the store. */
export { DeadlockError, type DeadlockStep, LockTimeoutError } from '../errors.js';
export { FileLock, type FileLockOptions } from './file-lock.js';
export type { Holder } from './holder.js';
export type { Lease } from './lease.js';
export type { OwnerKey } from './owner.js';
export { ReadWriteLock, type ReadWriteLockOptions } from './read-write-lock.js';
export {
  fileLockTimeoutMsDefault,
  type LockOptions,
  readTimeoutMsDefault,
  writeTimeoutMsDefault,
} from './request.js';
export type { LockParty, ReadWriteStatus } from './status.js';
export type { LockKind } from './wait-for.js';
