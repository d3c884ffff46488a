/** Counts and times of the memory's operations. */
import { channel } from 'node:diagnostics_channel';
import { createHistogram, performance, type RecordableHistogram } from 'node:perf_hooks';

/** One operation, such as `records.store`, since the memory was opened. */
export interface OperationStats {
  readonly count: number;
  /** Of them, synchronous calls. */
  readonly sync: number;
  readonly errors: number;
  /** Since the memory was opened. */
  readonly perSecond: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What is published on `recollect:slow-operation` for an operation that took longer than `slowOperationMs`. */
export interface SlowOperation {
  readonly operation: string;
  readonly durationMs: number;
  readonly sync: boolean;
  readonly failed: boolean;
}

/** Name of the node:diagnostics_channel for slow operations. */
export const SLOW_OPERATION_CHANNEL = 'recollect:slow-operation';

/** An operation that threw. */
export interface LastError {
  readonly operation: string;
  readonly time: string;
  readonly code: string | undefined;
  readonly message: string;
}

const LAST_ERRORS = 20;
const MESSAGE_MAX = 500;

interface Counts {
  count: number;
  sync: number;
  errors: number;
  readonly micros: RecordableHistogram;
}

export class Meter {
  readonly #operations = new Map<string, Counts>();
  readonly #begun: number = performance.now();
  readonly #slowMs: number;
  readonly #clock: () => number;
  readonly #slow = channel(SLOW_OPERATION_CHANNEL);
  #lastErrors: LastError[] = [];

  constructor(slowOperationMs: number, clock: () => number) {
    this.#slowMs = slowOperationMs;
    this.#clock = clock;
  }

  async run<T>(operation: string, work: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    let failure: { readonly error: unknown } | undefined;
    try {
      return await work();
    } catch (error) {
      failure = { error };
      throw error;
    } finally {
      this.#ended(operation, begun, false, failure);
    }
  }

  runSync<T>(operation: string, work: () => T): T {
    const begun = performance.now();
    let failure: { readonly error: unknown } | undefined;
    try {
      return work();
    } catch (error) {
      failure = { error };
      throw error;
    } finally {
      this.#ended(operation, begun, true, failure);
    }
  }

  #ended(
    operation: string,
    begun: number,
    sync: boolean,
    failure: { readonly error: unknown } | undefined,
  ): void {
    const durationMs = performance.now() - begun;
    const counts = this.#countsOf(operation);
    counts.count += 1;
    if (sync) counts.sync += 1;
    if (failure) {
      counts.errors += 1;
      this.#keep(operation, failure.error);
    }
    counts.micros.record(Math.max(1, Math.round(durationMs * 1000)));
    if (durationMs < this.#slowMs || !this.#slow.hasSubscribers) return;
    const slow: SlowOperation = { operation, durationMs, sync, failed: failure !== undefined };
    this.#slow.publish(slow);
  }

  #countsOf(operation: string): Counts {
    let counts = this.#operations.get(operation);
    if (!counts) {
      counts = { count: 0, sync: 0, errors: 0, micros: createHistogram() };
      this.#operations.set(operation, counts);
    }
    return counts;
  }

  #keep(operation: string, error: unknown): void {
    const code: unknown = (error as { code?: unknown } | null | undefined)?.code;
    this.#lastErrors.push({
      operation,
      time: new Date(this.#clock()).toISOString(),
      code: typeof code === 'string' ? code : undefined,
      message: String(error instanceof Error ? error.message : error).slice(0, MESSAGE_MAX),
    });
    if (this.#lastErrors.length > LAST_ERRORS)
      this.#lastErrors = this.#lastErrors.slice(-LAST_ERRORS);
  }

  get lastErrors(): readonly LastError[] {
    return [...this.#lastErrors];
  }

  get operations(): Readonly<Record<string, OperationStats>> {
    const seconds = Math.max(0.001, (performance.now() - this.#begun) / 1000);
    const operations: Record<string, OperationStats> = {};
    for (const [operation, { count, sync, errors, micros }] of this.#operations) {
      operations[operation] = {
        count,
        sync,
        errors,
        perSecond: count / seconds,
        meanMs: micros.mean / 1000,
        p50Ms: micros.percentile(50) / 1000,
        p99Ms: micros.percentile(99) / 1000,
      };
    }
    return operations;
  }
}
