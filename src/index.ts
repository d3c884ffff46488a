/** The public surface. No rules of the store live here. */

export type { BlameEntry } from './audit/blame.js';
export type { ReplayDifference } from './audit/comparison.js';
export type { KeyDifference } from './audit/differences.js';
export type { HistoryEntry } from './audit/history.js';
export { applyPatch } from './audit/json-patch.js';
export type { Moment } from './audit/moment.js';
export type { BackupOptions, BackupReport } from './compaction/backup.js';
export type {
  CompactionReport,
  CompactOptions,
  DroppedSegment,
  MovedSegment,
  RefusedSegment,
} from './compaction/compaction.js';
export type { Progress } from './compaction/course.js';
export {
  type ExportOptions,
  type ExportReport,
  type ExportSink,
  exportStore,
} from './compaction/export.js';
export type { ExportFormat } from './compaction/exported-event.js';
export {
  type ImportOptions,
  type ImportReport,
  type ImportSource,
  importStore,
} from './compaction/import.js';
export type { CompactionOptions, RetentionOptions, RetentionRule } from './compaction/options.js';
export { type RestoreOptions, type RestoreReport, restoreStore } from './compaction/restore.js';
export type { Covered } from './compaction/retention.js';
export type { SnapshotPart, SnapshotReport } from './compaction/snapshot-source.js';
export {
  DeadlockError,
  type DeadlockStep,
  EntityNotFoundError,
  ExportFailedError,
  FormatTooNewError,
  HistoryPrunedError,
  IdempotencyKeyReusedError,
  ImportFailedError,
  ImportSourceChangedError,
  IndexFailedError,
  InvalidEventError,
  type JsonPatch,
  LimitExceededError,
  LockTimeoutError,
  MemoryNotFoundError,
  ModeUnavailableError,
  type MovedRead,
  OutcomeUnknownError,
  PatchFailedError,
  PositionAheadError,
  ProjectionFailedError,
  ProjectionNotReadyError,
  ProjectionNotRegisteredError,
  QueueFullError,
  RecollectError,
  SkillExistsError,
  SkillNotFoundError,
  StoreAccessError,
  StoreClosedError,
  StoreDamagedError,
  StoreFullError,
  StoreMovedError,
  StoreNotFoundError,
  StorePoisonedError,
  StoreReadOnlyError,
  SubscriptionInUseError,
  TransactionConflictError,
  TransactionRolledBackError,
  TransactionTimeoutError,
  UndoConflictError,
  UndoRefusedError,
  UnknownSchemaVersionError,
  UnsupportedFileSystemError,
  UpcastFailedError,
  VersionConflictError,
  type VersionFailure,
} from './errors.js';
export { importMemory } from './importers/import-memory.js';
export {
  type ImportItemSource,
  MEMORY_IMPORT_FORMATS,
  type MemoryImportCommit,
  type MemoryImportFormat,
  type MemoryImportOptions,
  type MemoryImportProgress,
  type MemoryImportReport,
  type SkippedItem,
} from './importers/options.js';
export { recogniseImport } from './importers/recognise.js';
export type { LockCounts, LockTotals } from './locks/statistics.js';
export {
  type DiagnoseOptions,
  type Diagnosis,
  diagnoseStore,
  type Finding,
  type LockHolder,
} from './log/diagnose.js';
export type { DamageFacts } from './log/examine.js';
export { Log } from './log/log.js';
export type { LogOptions } from './log/log-options.js';
export type { LogStats } from './log/log-stats.js';
export {
  type SalvageStoreOptions,
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
  AsyncSequence,
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
  SyncSequence,
} from './log/types.js';
export type { VerifyOptions, VerifyProgress, VerifyReport } from './log/verify.js';
export type { WriteOptions, Written } from './memory/access.js';
export type { ItemData, Message } from './memory/conversation-state.js';
export {
  type ConversationDeleting,
  type ConversationItem,
  type ConversationMemory,
  type ConversationRetrieving,
  type ConversationStoring,
  type Conversations,
  type ConversationUpdating,
  type ItemsWritten,
  MEMORY_TYPES,
  type MemoryType,
} from './memory/conversations.js';
export type {
  Episode,
  EpisodeFilters,
  EpisodeListOptions,
  EpisodePage,
  Episodes,
  NewEpisode,
} from './memory/episodes.js';
export type { Filters } from './memory/filters.js';
export type {
  Graph,
  KnowledgeGraph,
  ObservationAddition,
  ObservationDeletion,
} from './memory/graph.js';
export type { Entity, Relation } from './memory/graph-model.js';
export type { AddedObservations } from './memory/graph-plans.js';
export { type Memory, openMemory, openMemorySync } from './memory/memory.js';
export type { MemoryView } from './memory/memory-view.js';
export {
  type LastError,
  type OperationStats,
  SLOW_OPERATION_CHANNEL,
  type SlowOperation,
} from './memory/meter.js';
export type { Models } from './memory/models.js';
export type { MemoryOptions } from './memory/options.js';
export { type Provider, registerProvider } from './memory/places.js';
export type {
  Hit,
  HitReason,
  RecallOptions,
  RecallQuery,
  RecallTextOptions,
} from './memory/recall.js';
export type {
  ContextOptions,
  RecordContext,
} from './memory/record-context.js';
export {
  type RecordInput,
  type RecordOptions,
  SECTIONS,
  type Section,
} from './memory/record-input.js';
export type { MemoryRecord } from './memory/record-view.js';
export type { RecordChange, RecordListing, RecordPage, Records } from './memory/records.js';
export type {
  SiteActionPattern,
  SiteProfile,
  SiteQuirk,
  SiteSelector,
  SiteVisits,
} from './memory/site-profile.js';
export type { SiteContextOptions } from './memory/site-prompt.js';
export type { Steps } from './memory/site-state.js';
export type {
  CachePatternDetails,
  CacheSelectorDetails,
  SiteImport,
  Sites,
  Visit,
} from './memory/sites.js';
export type { Deprecation, Skill, SkillContent, SkillOutcomes } from './memory/skill-model.js';
export type {
  NewSkill,
  SkillChanges,
  SkillHit,
  SkillListOptions,
  SkillOutcome,
  SkillPage,
  SkillSearchOptions,
  Skills,
} from './memory/skills.js';
export type { MemoryStatus, ModelStatus } from './memory/status.js';
export type { TransactionMemory } from './memory/transaction-memory.js';
export type { Undone, UndoOptions } from './memory/undo.js';
export type { UserHit } from './memory/user-recall.js';
export type { Exchange, UserContext, Users } from './memory/users.js';
export {
  defineProjection,
  type EventsOf,
  type HandledEvent,
  type Handler,
  type HandlerResult,
  type Handlers,
  isProjection,
  type Projection,
  type ProjectionSpec,
  type Removed,
  removed,
  type StateOf,
} from './projections/define.js';
export {
  defineIndex,
  type IndexDefinition,
  type IndexOf,
  type IndexSink,
  type IndexSource,
  type IndexSpec,
} from './projections/define-index.js';
export {
  defineEvents,
  type EventMap,
  type Events,
  type EventToken,
  event,
  type InputOf,
  type NewEventOf,
  type OutputOf,
  type RecordedEventOf,
  type TypedEvent,
  type TypedNewEvent,
  type TypesOf,
} from './projections/events.js';
export type {
  InputOfSchema,
  OutputOfSchema,
  StandardIssue,
  StandardProperties,
  StandardResult,
  StandardSchema,
} from './projections/standard-schema.js';
export type { AsyncEntries, EntriesOptions, Entry, SyncEntries } from './projections/types.js';
export type { Upcaster, Upcasters } from './projections/upcast.js';
export type { BlameOptions, DiffKeys, HistoryOptions } from './store/audit.js';
export type { CompactionStats } from './store/compacting.js';
export type { StoreReadAllOptions, StoreReadStreamOptions } from './store/event-reading.js';
export type { StoreOptions } from './store/options.js';
export {
  type ReplayedProjection,
  type ReplayOptions,
  type ReplayReport,
  type ReplayStep,
  replayStore,
} from './store/replay.js';
export type {
  OpenSubscription,
  Subscription,
  SubscriptionResult,
  SubscriptionStats,
} from './store/subscription.js';
export type { SubscribeOptions } from './store/subscription-options.js';
export type { StoreView } from './store/view.js';
export {
  type CommandOptions,
  type CommandResult,
  type MemoryStoreOptions,
  openStore,
  openStoreSync,
  type ProjectionStats,
  type SnapshotOptions,
  Store,
  type StoreCommitPart,
  type StoreLocks,
  type StoreStats,
} from './store.js';
export type {
  Isolation,
  Savepoint,
  Transaction,
  TransactionOptions,
  TransactionStats,
} from './transaction.js';
