/** One feed driven by several, and over what is damaged. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { StoreDamagedError } from '#src/errors.js';
import { openLogSync } from '#src/index.js';
import type { FeedCommit } from '#src/log/feed.js';
import { MemoryDisk } from '#src/log/memory-disk.js';
import { pathsOf } from '#src/log/paths.js';
import {
  closing,
  commitsOf,
  DIRECTORY,
  damage,
  drain,
  expectCommits,
  fill,
  onMemory,
  SEGMENT_BYTES,
  type Seen,
  seen,
} from '../support/feeding.js';
import { SeededRandom } from '../support/random.js';
import { type Stepped, step } from '../support/stepping.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

describe('several who drive one feed', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'share its commits without gap or repeat (seed %i)',
    (seed) => {
      const random = new SeededRandom(seed);
      const disk = new MemoryDisk();
      const [log, other] = [onMemory(disk), onMemory(disk)];
      fill(other, 60, random);
      log.internals.runSync(log.internals.look());
      const feed = log.internals.feed(random.below(30), random.pick([2000, 20_000, undefined]));
      const from = feed.position;
      const all: Seen[] = [];
      const take = (commit: FeedCommit) => all.push(seen(commit));
      const begin = () => ({ work: feed.advance(take), last: { done: false } as Stepped });
      const under = [begin(), begin(), begin()];
      for (let round = 0; round < 400; round += 1) {
        const at = random.below(under.length);
        const driver = under[at] as ReturnType<typeof begin>;
        driver.last = step(disk, driver.work, driver.last);
        if (driver.last.done) under[at] = begin();
        if (random.chance(0.1)) feed.advanceNow(take, feed.position + random.below(20));
        if (random.chance(0.1)) fill(random.pick([log, other]), 1, random);
        if (random.chance(0.1)) log.internals.runSync(log.internals.look());
        if (random.chance(0.03)) log.internals.runSync(feed.advance(take));
      }
      log.internals.runSync(log.internals.look());
      log.internals.runSync(feed.advance(take));
      for (const { work, last } of under) {
        for (let state = last; !state.done; ) state = step(disk, work, state);
      }
      expectCommits(all, log, from);
    },
  );

  test('go on where a synchronous call came while one waited for a read', async () => {
    const log = closing(
      openLogSync(join(temporaryDirectory(), 'log'), { segmentBytes: SEGMENT_BYTES }),
    );
    fill(log, 120);
    const feed = log.internals.feed(0);
    const all: Seen[] = [];
    const take = (commit: FeedCommit) => all.push(seen(commit));
    const asynchronous = log.internals.run(feed.advance(take));
    log.internals.runSync(feed.advance(take, 50));
    fill(log, 10);
    await asynchronous;
    expect(feed.position).toBe(130);
    expectCommits(all, log);
  });
});

describe('damage', () => {
  test('is told with its place, behind all that stands before it, each time', () => {
    const disk = new MemoryDisk();
    const writer = onMemory(disk);
    fill(writer, 120);
    const all = drain(writer, writer.internals.feed(0));
    const log = onMemory(disk);
    const bad = all[50] as Seen;
    damage(disk, bad.segment, bad.offset + 70);
    const feed = log.internals.feed(0);
    const positions: number[] = [];
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const failure = expect.objectContaining({
        name: StoreDamagedError.name,
        file: pathsOf(DIRECTORY).segment(bad.segment),
        offset: bad.offset,
        position: bad.position,
      });
      expect(() =>
        log.internals.runSync(feed.advance(({ position }) => positions.push(position))),
      ).toThrow(failure);
      expect(positions).toEqual(Array.from({ length: 50 }, (_, at) => at + 1));
      const { commitAt, commitsAt } = log.internals;
      expect(() => log.internals.runSync(commitAt(bad.segment, bad.offset))).toThrow(failure);
      expect(() => log.internals.runSync(commitsAt(bad.segment, [bad.offset]))).toThrow(failure);
    }
    const behind = log.internals.feed(51);
    expect(drain(log, behind).length).toBe(69);
  });

  test('of a seal or closing line is told, too', () => {
    const disk = new MemoryDisk();
    const log = onMemory(disk);
    fill(log, 60);
    const all = drain(log, log.internals.feed(0));
    const at = all.findIndex(({ segment }, index) => all[index + 1]?.segment !== segment);
    const last = all[at] as Seen;
    const size = disk.size(disk.open(pathsOf(DIRECTORY).segment(last.segment), 'read'));
    damage(disk, last.segment, size - 40);
    expect(() => drain(log, log.internals.feed(0))).toThrow(StoreDamagedError);
    expect(() => drain(log, log.internals.feed(at))).toThrow(StoreDamagedError);
  });

  test('is a file that ends before the head', () => {
    const disk = new MemoryDisk();
    const log = onMemory(disk);
    fill(log, 10);
    const last = drain(log, log.internals.feed(0)).at(-1) as Seen;
    const file = disk.open(pathsOf(DIRECTORY).segment(last.segment), 'write');
    disk.truncate(file, last.offset + 20);
    expect(() => drain(log, log.internals.feed(0))).toThrow(
      expect.objectContaining({ code: 'STORE_DAMAGED', offset: last.offset, position: 10 }),
    );
  });

  test('on the disk harms nobody who still has the bytes in memory', () => {
    const disk = new MemoryDisk();
    const log = onMemory(disk);
    const feed = log.internals.feed(0);
    fill(log, 40);
    const expected = commitsOf(log);
    for (let at = 200; at < 2000; at += 100) damage(disk, 1, at);
    expect(drain(log, feed).map(({ events }) => events)).toEqual(expected);
  });
});
