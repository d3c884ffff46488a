/** `recollect/locks`: locks for agents that share more than the store. */
export { DeadlockError, type DeadlockStep, LockTimeoutError } from '../errors.js';
export type { Durations } from './durations.js';
export { FileLock, type FileLockOptions } from './file-lock.js';
export type { Holder } from './holder.js';
export type { Lease } from './lease.js';
export type { LockManagerOptions } from './lock-directory.js';
export {
  getLockManager,
  LockManager,
  type LockNames,
  type LockUseStatus,
  type LockWait,
  type WaitingOptions,
} from './lock-manager.js';
export {
  type AnyMethodDecorator,
  fileLock,
  fileLocked,
  fileLockedSync,
  type Locked,
  type LockedOptions,
  type MethodDecorator,
  type Naming,
  readLock,
  readLocked,
  writeLock,
  writeLocked,
} from './locked.js';
export type { OwnerKey } from './owner.js';
export { ReadWriteLock, type ReadWriteLockOptions } from './read-write-lock.js';
export {
  fileLockTimeoutMsDefault,
  type LockOptions,
  readTimeoutMsDefault,
  writeTimeoutMsDefault,
} from './request.js';
export {
  LOCK_CHANNEL,
  type LockCounts,
  type LockOperation,
  type LockStats,
  type LockTotals,
  type LockUse,
} from './statistics.js';
export type { LockParty, ReadWriteStatus } from './status.js';
export type { LockKind } from './wait-for.js';
