/** The right to compact: who waits for it how long, and who has it already. */
import { describe, expect, test } from 'vitest';
import { Compaction, type CompactionSource } from '#src/compaction/compaction.js';
import { type Log, openLog } from '#src/index.js';
import type { LogInternals } from '#src/log/internals.js';
import { type Io, rest } from '#src/log/io.js';
import { ProjectionRuntime } from '#src/projections/projection.js';
import type { Reads } from '#src/store/reads.js';
import { Snapshots } from '#src/store/snapshots.js';
import { append, listing, openOn } from '../support/aging-store.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const LOCK_TIMEOUT_MS = 100;

interface Waiting {
  readonly log: Log;
  readonly source: CompactionSource;
  /** How often the right is refused from now on. */
  refusals: number;
}

/** A compaction on a clock of its own, whose snapshot takes ten times as long as it has patience. */
async function waiting(): Promise<Waiting> {
  const log = await openLog(temporaryDirectory());
  const { internals } = log;
  let now = 0;
  const on: Waiting = {
    log,
    refusals: 0,
    source: {
      log: Object.create(internals, {
        lockTimeoutMs: { value: LOCK_TIMEOUT_MS },
        environment: { value: { ...internals.environment, monotonic: () => now } },
        tryCompactionLock: {
          value() {
            now += 1;
            on.refusals -= 1;
            return on.refusals < 0 ? internals.tryCompactionLock() : undefined;
          },
        },
      }) as LogInternals,
      async snapshotAll() {
        now += 10 * LOCK_TIMEOUT_MS;
        return { position: internals.position, projections: [] };
      },
      async relieved() {
        on.refusals -= 1;
      },
      append: () => Promise.reject(new Error('there is nothing to note')),
      retention: undefined,
      isAwaited: () => true,
    },
  };
  return on;
}

describe('a compaction', () => {
  test('waits for its turn as long as it may, however long the snapshot took', async () => {
    const on = await waiting();
    const compaction = new Compaction(on.source);
    on.refusals = 20;
    expect(await compaction.run(false, true)).toMatchObject({ dryRun: false });
    on.refusals = 10 * LOCK_TIMEOUT_MS;
    await expect(compaction.run(false, true)).rejects.toThrow(
      expect.objectContaining({ code: 'LOCK_TIMEOUT' }),
    );
    await compaction.close();
    await on.log.close();
  });

  test('that gives up at once waits for what its own store holds', async () => {
    const on = await waiting();
    const compaction = new Compaction(on.source);
    on.refusals = 1;
    expect(await compaction.run(false, false)).toMatchObject({ dryRun: false });
    on.refusals = 2;
    expect(await compaction.run(false, false)).toBeUndefined();
    await compaction.close();
    await on.log.close();
  });

  test('of the same store lets a synchronous snapshot be made at once', async () => {
    const disk = new SimulatedDisk();
    const store = await openOn(disk, 'a');
    await append(store, disk, ['a/1', 'b/1'], 100);
    const compacting = store.compact();
    while (listing(disk).archived.length === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(store.stats().compaction.running).toBe(true);
    expect(store.snapshotSync().position).toBe(100);
    expect((await compacting).moved.length).toBeGreaterThan(1);
    await store.close();
  });
});

describe('a snapshot', () => {
  test('gives its lock back when nothing that relies on it is under way', async () => {
    let held = false;
    let relief: ((runtime: unknown) => Io<void>) | undefined;
    let relieving: Io<void> | undefined;
    const runtime = Object.create(ProjectionRuntime.prototype, {
      position: { value: 0 },
      ground: { value: { position: 0 } },
    }) as ProjectionRuntime;
    const log = {
      writable: true,
      disk: { sharedBetweenThreads: true },
      environment: { monotonic: () => 0 },
      tailFirst: 1,
      lockTimeoutMs: 0,
      tryCompactionLock() {
        held = true;
        return () => {
          held = false;
        };
      },
      run: async (work: Io<unknown>) => {
        for (;;) {
          const { done, value } = work.next();
          if (done) return value;
        }
      },
      async endSegment() {
        relieving = relief?.(runtime);
        relieving?.next();
      },
      *snapshotLog() {},
      segments: {
        *closedFirsts() {
          yield* rest();
          return [];
        },
      },
    };
    const source = { log, projections: [], indexes: [] };
    const engine = {
      relieveBy(by: typeof relief) {
        relief = by;
      },
    };
    const reads = { log, engine, snapshotSource: source, built: async () => {} };
    const snapshots = new Snapshots(reads as unknown as Reads, () => false);
    const made = snapshots.make();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(held).toBe(true);
    expect(relieving?.next().done).toBe(true);
    expect(await made).toMatchObject({ position: 0 });
    expect(held).toBe(false);
  });
});
