/** Whoever compresses segments stops after each portion as long as others write, and goes on at once when nobody does. */
import { expect, test, vi } from 'vitest';
import { WayGiver } from '#src/compaction/way-giver.js';
import { archivable } from '#src/log/archivable.js';
import { type ArchiveJob, archiveSegment } from '#src/log/archive-write.js';
import { type Io, runSync } from '#src/log/io.js';
import { append, openOn, paths } from '../support/aging-store.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

test('a portion of work is followed by a pause if and only if somebody wrote meanwhile', async () => {
  const disk = new SimulatedDisk();
  const store = await openOn(disk, 'a', { segmentBytes: 1536 * 1024, compaction: false });
  const data = { text: 'x'.repeat(100_000) };
  for (let n = 0; n < 45; n += 1) await store.append('a/1', { type: 'added', data });
  await append(store, disk, ['a/1'], 3);
  const compactor = disk.process('c');
  const order: string[] = [];
  vi.spyOn(compactor, 'pause').mockImplementation(() => void order.push('pause'));
  const giver = new WayGiver(compactor, paths.lock);
  let portions = 0;
  // biome-ignore lint/correctness/useYield: the thread waits itself
  function* giveWay(): Io<void> {
    portions += 1;
    const writes = portions % 2 === 0;
    if (writes) store.appendSync('b/1', { type: 'added', data: null });
    order.push(writes ? 'written' : 'quiet');
    giver.giveWay();
  }
  const [job] = runSync(compactor, archivable(paths, store.id, store.head.position));
  runSync(compactor, archiveSegment(job as ArchiveJob, giveWay));
  giver.close();
  expect(portions).toBeGreaterThan(5);
  for (const [at, what] of order.entries()) {
    if (what === 'written') expect(order[at + 1]).toBe('pause');
    if (what === 'quiet') expect(order[at + 1]).not.toBe('pause');
  }
  expect(order.filter((what) => what === 'pause')).toHaveLength(Math.floor(portions / 2));
  await store.close();
});
