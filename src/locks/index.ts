/** `recollect/locks`: locks for agents that share more than the store. */
export {
  FileLock,
  type FileLockOptions,
  type FileLockWait,
  fileLockTimeoutMsDefault,
  type Lease,
} from './file-lock.js';
export type { Holder } from './holder.js';
