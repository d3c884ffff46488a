/** The figures of an open store, gathered from its parts when somebody asks. */
import { getLockManager } from '../locks/lock-manager.js';
import type { LockTotals } from '../locks/statistics.js';
import { deepFreeze } from '../log/decode.js';
import type { LogStats } from '../log/log-stats.js';
import type { TransactionStats } from '../transaction.js';
import type { CompactionStats } from './compacting.js';
import type { Reads } from './reads.js';
import type { SubscriptionStats } from './subscription.js';

/** One projection or index of an open store. */
export interface ProjectionStats {
  readonly name: string;
  readonly version: number;
  /** The last commit it has seen. */
  readonly position: number;
  /** From 0 to 1; 1 when it can be read. 0 while an index that was saved is not loaded. */
  readonly progress: number;
  /** Keys in the snapshot in use, and keys with an event since: some may be counted twice. 0 for an index. */
  readonly keys: number;
  /** Of an index itself, once it is loaded, or of the notes where a projection's events stand. */
  readonly bytes: number;
}

export interface StoreStats extends LogStats {
  readonly projections: readonly ProjectionStats[];
  readonly cache: { readonly states: number; readonly bytes: number };
  readonly transactions: TransactionStats;
  readonly compaction: CompactionStats;
  /** Those that somebody reads. */
  readonly subscriptions: readonly SubscriptionStats[];
  readonly locks: StoreLocks;
}

/** Locks, as they matter to a store. */
export interface StoreLocks {
  /** Calls that waited longer than `lockTimeoutMs` for the store's own lock between processes, since it was opened. */
  readonly timeouts: number;
  /** Groups that others came before at that lock. */
  readonly moved: number;
  /** What became of the locks of `getLockManager()` (`recollect/locks`), whatever they were taken for. */
  readonly manager: LockTotals;
}

/** What the other parts of the store say of themselves. */
type Parts = Pick<StoreStats, 'transactions' | 'compaction' | 'subscriptions'>;

/** All of it, as of now. */
export function statisticsOf(log: LogStats, reads: Reads, parts: Parts): StoreStats {
  return deepFreeze({
    ...log,
    locks: {
      timeouts: log.lockTimeouts,
      moved: log.moved,
      manager: getLockManager().totals(),
    },
    projections: [...projectionStatistics(reads)],
    cache: reads.stats,
    ...parts,
  });
}

function* projectionStatistics(reads: Reads): Generator<ProjectionStats> {
  const { engine } = reads;
  for (const [{ name, version }, runtime] of reads.projections()) {
    const { position, keyCount: keys, postingBytes: bytes } = runtime;
    yield { name, version, position, progress: engine.progress(runtime), keys, bytes };
  }
  for (const [{ name, version }, runtime] of reads.indexes()) {
    const { position, bytes } = runtime;
    yield { name, version, position, progress: engine.progress(runtime), keys: 0, bytes };
  }
}
