/** The feed: every durable commit once, in order, from memory and from files. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type LogOptions, openLogSync } from '#src/index.js';
import type { FeedCommit } from '#src/log/feed.js';
import type { Log } from '#src/log/log.js';
import { MemoryDisk } from '#src/log/memory-disk.js';
import {
  closing,
  commitsOf,
  drain,
  expectCommits,
  fill,
  onMemory,
  SEGMENT_BYTES,
  type Seen,
  seen,
} from '../support/feeding.js';
import { SeededRandom } from '../support/random.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

function expectDeeplyFrozen(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  expect(Object.isFrozen(value)).toBe(true);
  for (const item of Object.values(value)) expectDeeplyFrozen(item);
}

interface Place {
  open(options?: LogOptions): Log;
}

const places: [string, () => Place][] = [
  [
    'files',
    () => {
      const directory = join(temporaryDirectory(), 'log');
      const open = (options: LogOptions = {}) =>
        closing(openLogSync(directory, { segmentBytes: SEGMENT_BYTES, ...options }));
      return { open };
    },
  ],
  [
    'a disk in memory',
    () => {
      const disk = new MemoryDisk();
      return { open: (options) => onMemory(disk, options) };
    },
  ],
];

describe.each(places)('a feed over %s', (_, make) => {
  test('gives every commit once, in order, with all that stands in it', () => {
    const place = make();
    const log = place.open();
    fill(log, 150);
    expect(log.stats().segments).toBeGreaterThan(3);
    const before = log.internals.feed(0);
    expectCommits(drain(log, before), log);
    expect(before.position).toBe(150);
    log.closeSync();

    const again = place.open();
    expectCommits(drain(again, again.internals.feed(0)), again);
  });

  test('gives the same asynchronously', async () => {
    const log = make().open();
    fill(log, 80);
    const all: Seen[] = [];
    await log.internals.run(log.internals.feed(0).advance((commit) => all.push(seen(commit))));
    expectCommits(all, log);
  });

  test('begins behind any position', () => {
    const log = make().open();
    fill(log, 100);
    for (let after = 0; after <= 100; after += 1) {
      const feed = log.internals.feed(after);
      expect(feed.position).toBe(after);
      const positions = drain(log, feed).map(({ position }) => position);
      expect(positions).toEqual(Array.from({ length: 100 - after }, (_, at) => after + 1 + at));
    }
  });

  test('begins behind any position of what memory holds', () => {
    const log = make().open();
    const first = log.internals.feed(0);
    fill(log, 100);
    for (let after = 0; after <= 100; after += 1) {
      const positions: number[] = [];
      const feed = log.internals.feed(after);
      expect(feed.advanceNow(({ position }) => positions.push(position))).toBe(true);
      expect(positions).toEqual(Array.from({ length: 100 - after }, (_, at) => after + 1 + at));
    }
    expectCommits(drain(log, first), log);
  });

  test('goes on with what is appended, without reading a file for it', () => {
    const log = make().open();
    fill(log, 30);
    const feed = log.internals.feed(30);
    const all: Seen[] = [];
    for (let round = 0; round < 60; round += 1) {
      fill(log, round % 4, new SeededRandom(round));
      expect(feed.advanceNow((commit) => all.push(seen(commit)))).toBe(true);
      expect(feed.position).toBe(log.head.position);
    }
    expect(log.stats().segments).toBeGreaterThan(2);
    expectCommits(all, log, 30);
  });

  test('goes on with what is appended asynchronously, also when a look finds it first', async () => {
    const log = make().open();
    const feed = log.internals.feed(0);
    const all: Seen[] = [];
    for (let round = 0; round < 40; round += 1) {
      const data = 'x'.repeat(20 * round);
      const appended = Array.from({ length: 1 + (round % 5) }, (_, at) =>
        log.append(`a/${at}`, { type: 'noted', data }),
      );
      const looked = log.internals.run(log.internals.look());
      await Promise.all([...appended, looked, log.internals.run(log.internals.look())]);
      expect(feed.advanceNow((commit) => all.push(seen(commit)))).toBe(true);
      expect(feed.position).toBe(log.head.position);
    }
    expect(log.stats().segments).toBeGreaterThan(2);
    expectCommits(all, log);
  });

  test('takes up what another process appended', () => {
    const place = make();
    const [log, other] = [place.open(), place.open()];
    const feed = log.internals.feed(0);
    const all: Seen[] = [];
    for (let round = 0; round < 25; round += 1) {
      fill(other, round % 5, new SeededRandom(round));
      if (round % 3 === 0) fill(log, 1, new SeededRandom(1000 + round));
      log.internals.runSync(log.internals.look());
      expect(feed.advanceNow((commit) => all.push(seen(commit)))).toBe(true);
    }
    expect(log.stats().segments).toBeGreaterThan(1);
    expect(feed.position).toBe(other.refreshSync().position);
    expectCommits(all, log);
  });

  test('reads what memory does not hold any more', () => {
    const log = make().open();
    const feed = log.internals.feed(0, 3000);
    const all: Seen[] = [];
    const take = (commit: FeedCommit) => all.push(seen(commit));
    fill(log, 3);
    expect(feed.advanceNow(take)).toBe(true);
    fill(log, 60);
    expect(feed.advanceNow(take)).toBe(false);
    expect(feed.position).toBe(3);
    log.internals.runSync(feed.advance(take));
    fill(log, 2);
    expect(feed.advanceNow(take)).toBe(true);
    expectCommits(all, log);
  });

  test('gives groups larger than what memory may hold', () => {
    const log = make().open();
    const feed = log.internals.feed(0, 2000);
    log.appendSync('large', { type: 'stored', data: 'x'.repeat(5000) });
    fill(log, 2);
    const parts = ['y', 'z'].map((text) => ({ type: 'stored', data: text.repeat(700_000) }));
    log.appendSync('large', parts);
    fill(log, 1);
    expectCommits(drain(log, feed), log);
  });

  test('stops at the position it is told, and goes on from there', () => {
    const log = make().open();
    const feed = log.internals.feed(0);
    fill(log, 40);
    const positions: number[] = [];
    const take = ({ position }: FeedCommit) => positions.push(position);
    for (const to of [0, 1, 7, 7, 5, 39, 100]) {
      log.internals.runSync(feed.advance(take, to));
      expect(positions.length).toBe(Math.min(40, Math.max(to, positions.length)));
      expect(feed.position).toBe(positions.length);
    }
    expect(positions).toEqual(Array.from({ length: 40 }, (_, at) => at + 1));
  });

  test('gives nothing twice and nothing early when it begins beyond the head', () => {
    const log = make().open();
    fill(log, 5);
    const feed = log.internals.feed(8);
    expect(drain(log, feed)).toEqual([]);
    fill(log, 3);
    expect(drain(log, feed)).toEqual([]);
    fill(log, 2);
    expect(drain(log, feed).map(({ position }) => position)).toEqual([9, 10]);
  });

  test('tells where each commit stands, so that it can be read again', () => {
    const log = make().open();
    log.internals.feed(0, 5000);
    fill(log, 90);
    const { internals } = log;
    const all = drain(log, internals.feed(0));
    for (const { segment, offset, events } of all) {
      expect(internals.runSync(internals.commitAt(segment, offset))).toEqual(events);
    }
    const atHand = all.map(({ segment, offset }) => internals.commitNow(segment, offset));
    const first = atHand.findIndex((events) => events !== undefined);
    expect(first).toBeGreaterThan(0);
    expect(atHand.slice(first)).toEqual(all.slice(first).map(({ events }) => events));
    const random = new SeededRandom(3);
    for (const segment of new Set(all.map((commit) => commit.segment))) {
      const some = all.filter((commit) => commit.segment === segment && random.chance(0.5));
      const offsets = some.map(({ offset }) => offset);
      expect(internals.runSync(internals.commitsAt(segment, offsets))).toEqual(
        some.map(({ events }) => events),
      );
    }
  });
});

describe('what a feed hands out', () => {
  test('is parsed once, when it is asked for, and deeply frozen', () => {
    const log = onMemory(new MemoryDisk());
    fill(log, 20);
    log.internals.runSync(
      log.internals.feed(0).advance((commit) => {
        const events = commit.events();
        expect(commit.events()).toBe(events);
        for (const event of events) expectDeeplyFrozen(event);
      }),
    );
  });

  test('comes again when the one it was handed to threw', () => {
    const disk = new MemoryDisk();
    const log = onMemory(disk);
    fill(log, 50);
    for (const feed of [log.internals.feed(0), log.internals.feed(20)]) {
      const positions: number[] = [];
      const from = feed.position;
      const take = ({ position }: FeedCommit) => {
        if (position % 7 === 0 && positions.at(-1) !== -position) {
          positions.push(-position);
          throw new Error(`at ${position}`);
        }
        positions.push(position);
      };
      while (feed.position < 50) {
        try {
          log.internals.runSync(feed.advance(take));
        } catch (error) {
          expect(error).toMatchObject({ message: `at ${feed.position + 1}` });
        }
      }
      const expected = Array.from({ length: 50 - from }, (_, at) => from + 1 + at);
      expect(positions.filter((position) => position > 0)).toEqual(expected);
    }
  });

  test('is the last one for now when its consumer pauses, and the next call goes on behind it', async () => {
    const log = onMemory(new MemoryDisk());
    const feed = log.internals.feed(0);
    fill(log, 9);
    const positions: number[] = [];
    const take = ({ position }: { position: number }) => {
      positions.push(position);
      if (position % 3 === 0) feed.pause();
    };
    expect(feed.advanceNow(take)).toBe(true);
    expect([feed.position, ...positions]).toEqual([3, 1, 2, 3]);
    await log.internals.run(feed.advance(take));
    expect(feed.position).toBe(6);
    // One that came in vain ends no other call.
    feed.pause();
    log.internals.runSync(feed.advance(take));
    expect(positions).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('is not handed out again by a call from inside of the call it is handed to', () => {
    const log = onMemory(new MemoryDisk());
    const feed = log.internals.feed(0);
    fill(log, 3);
    const positions: number[] = [];
    feed.advanceNow(({ position }) => {
      positions.push(position);
      expect(() => feed.advanceNow(() => {})).toThrow(
        expect.objectContaining({ code: 'REENTRANT_SYNC_CALL' }),
      );
    });
    expect(positions).toEqual([1, 2, 3]);
  });

  test('stays readable when an append from inside of the call takes its place in memory', () => {
    const log = onMemory(new MemoryDisk());
    const feed = log.internals.feed(0, 4096);
    fill(log, 3);
    const first = commitsOf(log)[0];
    let checked = false;
    feed.advanceNow((commit) => {
      if (checked) return;
      checked = true;
      fill(log, 60);
      expect(commit.events()).toEqual(first);
    });
    expect(checked).toBe(true);
  });
});
