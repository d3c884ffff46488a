/** The public surface. No rules of the store live here. */
export {
  FormatTooNewError,
  IdempotencyKeyReusedError,
  InvalidEventError,
  LimitExceededError,
  LockTimeoutError,
  OutcomeUnknownError,
  PositionAheadError,
  QueueFullError,
  RecollectError,
  StoreAccessError,
  StoreClosedError,
  StoreDamagedError,
  StoreFullError,
  StoreMovedError,
  StoreNotFoundError,
  StorePoisonedError,
  StoreReadOnlyError,
  UnsupportedFileSystemError,
  VersionConflictError,
  type VersionFailure,
} from './errors.js';
export type { DamageFacts } from './log/examine.js';
export { Log, type LogStats } from './log/log.js';
export type { LogOptions } from './log/log-options.js';
export {
  type StoreReport,
  salvageStore,
  salvageStoreSync,
  type VerifyStoreOptions,
  verifyStore,
  verifyStoreSync,
} from './log/maintenance.js';
export { type MemoryLogOptions, openLog, openLogSync } from './log/open-log.js';
export type { SalvageReport } from './log/salvage.js';
export type { LostPart } from './log/salvage-scan.js';
export type { Durability } from './log/store-file.js';
export type {
  Appended,
  AppendOptions,
  AsyncEvents,
  CommitContext,
  CommitOptions,
  CommitPart,
  Committed,
  ExpectedVersion,
  FollowOptions,
  Head,
  NewEvent,
  ReadAllOptions,
  ReadStreamOptions,
  RecordedEvent,
  Recovery,
  StreamCheck,
  SyncEvents,
} from './log/types.js';
export type { VerifyOptions, VerifyProgress, VerifyReport } from './log/verify.js';
