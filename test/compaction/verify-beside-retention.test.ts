/** A store that is verified while another process drops its oldest segments, at each disk call of the walk. */
import { expect, test } from 'vitest';
import { rest, runSync } from '#src/log/io.js';
import type { StoreReport } from '#src/log/maintenance.js';
import { writeRemains } from '#src/log/remains-write.js';
import type { VerifyProgress } from '#src/log/verify.js';
import {
  append,
  DAY_MS,
  listing,
  openOn,
  paths,
  verified,
  verifying,
} from '../support/aging-store.js';
import { oneOf, timeoutMs } from '../support/runs.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { type Stepped, step } from '../support/stepping.js';

/**
 * Begins to verify a store; after so many of its disk calls, others append so many commits and drop what is older than that. Gives undefined when it is done
 * in fewer.
 */
async function verifiedBeside(calls: number, appended: number, days: number) {
  const disk = new SimulatedDisk();
  const store = await openOn(disk, 'a', { retention: { days } });
  await append(store, disk, ['a/1', 'b/1'], 80);
  expect((await openOn(disk, 'b').then((other) => other.compact())).moved.length).toBeGreaterThan(
    3,
  );
  const { head } = store;
  const told: VerifyProgress[] = [];
  const onProgress = (progress: VerifyProgress) => told.push(progress);
  const work = verifying(disk, { against: head.seal, onProgress });
  const reading = disk.process('v');
  let last: Stepped = { done: false };
  for (let call = 0; call < calls; call += 1) {
    last = step(reading, work, last);
    if (last.done) return undefined;
  }
  if (appended > 0) await append(store, disk, ['a/1', 'c/1'], appended);
  disk.clock.advance(DAY_MS);
  const { dropped } = await store.compact();
  while (!last.done) last = step(reading, work, last);
  await store.close();
  return { report: last.answer as StoreReport, dropped, told, head, disk };
}

/** Every point at which the walk can be met, until it is done before. */
async function atEachCall(
  appended: number,
  days: number,
  check: (beside: NonNullable<Awaited<ReturnType<typeof verifiedBeside>>>) => void,
): Promise<number> {
  const looked = oneOf(3);
  for (let calls = 0; ; calls += 1) {
    if (!looked(calls)) continue;
    const beside = await verifiedBeside(calls, appended, days);
    if (!beside) return calls;
    check(beside);
  }
}

test('counts from behind what was dropped before it came there', {
  timeout: timeoutMs,
}, async () => {
  const firsts = new Set<number>();
  const calls = await atEachCall(0, 4, ({ report, dropped, told, head, disk }) => {
    expect(dropped.length).toBeGreaterThan(1);
    const { firstPosition = 1 } = report;
    firsts.add(firstPosition);
    expect(report).toMatchObject({ ok: true, against: 'found' });
    expect(report.head).toEqual(head);
    expect(report.commits).toBe(head.position - firstPosition + 1);
    expect(report.events).toBe(report.commits);
    for (const what of ['segments', 'commits', 'bytes'] as const) {
      const counted = told.map((progress) => progress[what]);
      expect(counted).toEqual(counted.toSorted((a, b) => a - b));
    }
    const { bytes = 0, totalBytes } = told.at(-1) ?? {};
    expect(bytes).toBe(totalBytes);
    // Whoever looks behind it sees no more than is left.
    const now = verified(disk);
    expect(now.ok).toBe(true);
    if (firstPosition === now.firstPosition)
      expect(report).toMatchObject({
        firstTime: now.firstTime,
        streams: now.streams - 1,
        segments: now.segments,
      });
  });
  expect(calls).toBeGreaterThan(20);
  expect(firsts.size).toBeGreaterThan(1);
});

test('goes as far as the log is durable when all that it was to walk was dropped', {
  timeout: timeoutMs,
}, async () => {
  let gone = 0;
  await atEachCall(80, 1, ({ report, head }) => {
    expect(report.damage).toBeUndefined();
    if (report.head.position > head.position) {
      gone += 1;
      expect(report.firstPosition).toBeGreaterThan(head.position);
    }
    expect(report.commits).toBe(report.head.position - (report.firstPosition ?? 1) + 1);
  });
  expect(gone).toBeGreaterThan(0);
});

test('takes no segment for dropped while an older one is there, whatever is noted of it', async () => {
  const disk = new SimulatedDisk();
  const store = await openOn(disk, 'a');
  await append(store, disk, ['a/1', 'b/1'], 80);
  await store.compact();
  const { archived } = listing(disk);
  const dropping = disk.process('d');
  for (const [place, first] of archived.slice(0, 3).entries()) {
    const last = (archived[place + 1] as number) - 1;
    runSync(dropping, writeRemains({ paths, storeId: store.id, first, last }, rest));
  }
  // A drop that went no further than its notes is no damage.
  expect(verified(disk)).toMatchObject({ ok: true, commits: store.head.position });
  const third = archived[2] as number;
  dropping.remove(paths.archived(third));
  const { ok, commits, damage } = verified(disk);
  expect({ ok, commits }).toEqual({ ok: false, commits: third - 1 });
  expect(damage).toMatchObject({ position: third, problem: 'the segment is missing' });
  await store.close();
});
