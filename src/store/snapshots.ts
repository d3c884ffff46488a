/** `store.snapshot`: ends the segment, waits for what is built, makes the snapshots, one caller at a time over all processes. */
import {
  makeSnapshots,
  planSnapshots,
  type SnapshotPlan,
  type SnapshotReport,
  snapshotPassed,
} from '../compaction/snapshot.js';
import { RecollectError, StoreReadOnlyError, systemCode } from '../errors.js';
import type { Io } from '../log/io.js';
import { ProjectionRuntime } from '../projections/projection.js';
import type { Reads } from './reads.js';

const RETRY_MS = 5;
/** Work between two returns to the event loop, ms: with what a portion takes beyond it, less than ten. */
const SLICE_MS = 3;

export class Snapshots {
  readonly #reads: Reads;
  /** While this store holds the lock. */
  #running = false;
  /** While a projection is relieved of what it keeps in memory. */
  #relieving: { readonly ended: Promise<void> } | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(reads: Reads) {
    this.#reads = reads;
    const { log, engine } = reads;
    // What is in memory alone takes no less there as a snapshot.
    if (!log.writable || !log.disk.sharedBetweenThreads) return;
    engine.relieveBy((runtime) => this.#relieve(runtime));
  }

  /** Gives a projection a snapshot to stand on while it is built, or when nobody compacts. Best effort: without it memory grows with the log. */
  *#relieve(runtime: unknown): Io<void> {
    if (!(runtime instanceof ProjectionRuntime) || this.#relieving) return;
    const { log, snapshotSource } = this.#reads;
    let end = () => {};
    const relieving = {
      ended: new Promise<void>((resolve) => {
        end = resolve;
      }),
    };
    let release: (() => void) | undefined;
    this.#relieving = relieving;
    try {
      release = this.#running ? () => {} : yield* tryLock(log);
      if (release) yield* snapshotPassed(snapshotSource, runtime);
    } catch (error) {
      if (systemCode(error) === undefined && !(error instanceof RecollectError)) throw error;
    } finally {
      release?.();
      this.#relieving = undefined;
      end();
    }
  }

  /** Resolves when nothing is written any more. */
  async close(): Promise<void> {
    await this.#last;
    await this.#relieving?.ended;
  }

  async make(): Promise<SnapshotReport> {
    // Whoever asks meanwhile wants one that holds what was appended since.
    const made = this.#last.then(() => this.#make());
    this.#last = made.catch(() => undefined);
    return await made;
  }

  /** What one would cover now. */
  async plan(): Promise<SnapshotPlan> {
    await this.#reads.built();
    const { log, snapshotSource } = this.#reads;
    return await log.run(planSnapshots(snapshotSource), SLICE_MS);
  }

  async #make(): Promise<SnapshotReport> {
    const { log, engine } = this.#reads;
    this.#checkWritable();
    const { monotonic } = log.environment;
    const began = monotonic();
    const release = await this.#lock(began + log.lockTimeoutMs);
    this.#running = true;
    try {
      await log.endSegment();
      const { snapshotSource: source } = this.#reads;
      const indexes = source.indexes.map(({ runtime }) => runtime);
      for (const runtime of [...source.projections, ...indexes]) await engine.whenReady(runtime);
      const report = await log.run(makeSnapshots(source), SLICE_MS);
      return Object.freeze({ ...report, elapsedMs: monotonic() - began });
    } finally {
      this.#running = false;
      release();
    }
  }

  async #lock(deadline: number): Promise<() => void> {
    const { log } = this.#reads;
    for (;;) {
      await this.#relieving?.ended;
      const release = await log.run(tryLock(log));
      if (release) return release;
      if (log.environment.monotonic() >= deadline) throw this.#late();
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  makeSync(): SnapshotReport {
    const { log } = this.#reads;
    this.#checkWritable();
    const { monotonic } = log.environment;
    const began = monotonic();
    const release = this.#lockSync(began + log.lockTimeoutMs);
    try {
      log.endSegmentSync();
      this.#reads.buildSync();
      const report = log.runSync(makeSnapshots(this.#reads.snapshotSource));
      return Object.freeze({ ...report, elapsedMs: monotonic() - began });
    } finally {
      release();
    }
  }

  /** An asynchronous call of this very store cannot go on while this one waits: two who write the same file each put a whole one in place. */
  #lockSync(deadline: number): () => void {
    if (this.#running || this.#relieving) return () => {};
    const { log } = this.#reads;
    for (;;) {
      const release = log.runSync(tryLock(log));
      if (release) return release;
      if (log.environment.monotonic() >= deadline) throw this.#late();
      log.disk.pause(RETRY_MS);
    }
  }

  #checkWritable(): void {
    const { writable, paths } = this.#reads.log;
    if (!writable) throw new StoreReadOnlyError(paths.directory);
  }

  #late(): Error {
    return this.#reads.log.compactionTimeout();
  }
}

// biome-ignore lint/correctness/useYield: run as work, so that what the disk says is told as callers know it
function* tryLock(log: Reads['log']): Generator<never, (() => void) | undefined, unknown> {
  return log.tryCompactionLock();
}
