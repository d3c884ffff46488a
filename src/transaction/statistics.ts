/** What became of the transactions of an open store. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** Counts since the store was opened, and durations of those that committed. */
export interface TransactionStats {
  readonly started: number;
  readonly committed: number;
  /** Attempts that met a conflict. */
  readonly conflicted: number;
  /** Attempts after the first. */
  readonly retried: number;
  /** Ended by their own function: it threw, or called rollback. */
  readonly rolledBack: number;
  readonly timedOut: number;
  /** Given up after the last retry. */
  readonly failed: number;
  readonly running: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export class TransactionCounts {
  started = 0;
  committed = 0;
  conflicted = 0;
  retried = 0;
  rolledBack = 0;
  timedOut = 0;
  failed = 0;
  running = 0;
  readonly #micros: RecordableHistogram = createHistogram();

  took(milliseconds: number): void {
    this.#micros.record(Math.max(1, Math.round(milliseconds * 1000)));
  }

  get stats(): TransactionStats {
    const { started, committed, conflicted, retried, rolledBack, timedOut, failed, running } = this;
    const none = this.#micros.count === 0;
    const milliseconds = (micros: number) => (none ? 0 : micros / 1000);
    return Object.freeze({
      started,
      committed,
      conflicted,
      retried,
      rolledBack,
      timedOut,
      failed,
      running,
      meanMs: milliseconds(this.#micros.mean),
      p50Ms: milliseconds(this.#micros.percentile(50)),
      p99Ms: milliseconds(this.#micros.percentile(99)),
      maxMs: milliseconds(this.#micros.max),
    });
  }
}
