/** The feed: every durable commit once, in order, from memory and from files, whoever drives it. */
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { StoreDamagedError } from '#src/errors.js';
import { type LogOptions, openLogSync, type RecordedEvent } from '#src/index.js';
import type { Disk } from '#src/log/disk.js';
import { realEnvironment } from '#src/log/environment.js';
import type { FeedCommit, LogFeed } from '#src/log/feed.js';
import { writeFully } from '#src/log/io.js';
import type { Log } from '#src/log/log.js';
import { MemoryDisk } from '#src/log/memory-disk.js';
import { openLogOnSync } from '#src/log/open-log.js';
import { pathsOf } from '#src/log/paths.js';
import { SeededRandom } from '../support/random.js';
import { type Stepped, step } from '../support/stepping.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SEGMENT_BYTES = 4096;
const DIRECTORY = '/log';

/** What was handed out. */
interface Seen {
  readonly position: number;
  readonly time: string;
  readonly segment: number;
  readonly offset: number;
  readonly parts: readonly (readonly [string, number, string, number])[];
  readonly events: readonly RecordedEvent[];
}

function seen(commit: FeedCommit): Seen {
  const { position, time, segment, offset, count } = commit;
  const parts = Array.from(
    { length: count },
    (_, index) =>
      [
        commit.stream(index),
        commit.version(index),
        commit.type(index),
        commit.schemaVersion(index),
      ] as const,
  );
  return { position, time, segment, offset, parts, events: commit.events() };
}

function commitsOf(log: Log): RecordedEvent[][] {
  const commits: RecordedEvent[][] = [];
  for (const event of log.readAllSync()) {
    if (event.index === 0) commits.push([]);
    commits.at(-1)?.push(event);
  }
  return commits;
}

function closing(log: Log): Log {
  onTestFinished(() => log.closeSync());
  return log;
}

function onMemory(disk: Disk, options: LogOptions = {}): Log {
  const environment = realEnvironment(disk);
  return closing(
    openLogOnSync(environment, DIRECTORY, { segmentBytes: SEGMENT_BYTES, ...options }),
  );
}

/** Commits of one event or several, with and without what may be left out. */
function fill(log: Log, commits: number, random = new SeededRandom(commits)): void {
  for (let number = 0; number < commits; number += 1) {
    const parts = Array.from({ length: 1 + random.below(3) }, (_, index) => ({
      stream: `${random.pick(['users', 'notes/ä', 'say "hi"'])}/${index}/${random.below(9)}`,
      events: Array.from({ length: 1 + random.below(2) }, () => ({
        type: random.pick(['added', 'removed', 'umbenannt/ß']),
        data: { text: 'ü'.repeat(random.below(40)), list: [1, { deep: null }, '],"m":['] },
        ...(random.chance(0.3) ? { metadata: { by: ['test'] } } : {}),
        ...(random.chance(0.3) ? { schemaVersion: 2 + random.below(3) } : {}),
      })),
    }));
    const context = random.chance(0.5)
      ? { actor: 'agent', reason: 'so "it"\nis', correlationId: 'c', causationId: 'u' }
      : {};
    const key = random.chance(0.3) ? { idempotencyKey: `key-${random.below(1e9)}` } : {};
    log.commitSync(parts, { ...context, ...key });
  }
}

/** Everything from where the feed stands to the head. */
function drain(log: Log, feed: LogFeed): Seen[] {
  const all: Seen[] = [];
  log.internals.runSync(feed.advance((commit) => all.push(seen(commit))));
  return all;
}

function expectCommits(all: readonly Seen[], log: Log, after = 0): void {
  const expected = commitsOf(log).slice(after);
  expect(all.map(({ events }) => events)).toEqual(expected);
  for (const { position, time, parts, events } of all) {
    expect(events.map((event) => event.position)).toEqual(events.map(() => position));
    expect(time).toBe(events[0]?.time);
    expect(parts).toEqual(events.map((e) => [e.stream, e.version, e.type, e.schemaVersion]));
  }
}

function expectDeeplyFrozen(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  expect(Object.isFrozen(value)).toBe(true);
  for (const item of Object.values(value)) expectDeeplyFrozen(item);
}

function damage(disk: Disk, segment: number, at: number): void {
  const file = disk.open(pathsOf(DIRECTORY).segment(segment), 'write');
  const byte = Buffer.alloc(1);
  disk.read(file, byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 1;
  writeFully(disk, file, byte, at);
  disk.close(file);
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

describe('the internal calls of a log', () => {
  test('tell every listener that the head moved, until it ends that', async () => {
    const disk = new MemoryDisk();
    const [log, other] = [onMemory(disk), onMemory(disk)];
    const heads: number[] = [];
    const { internals } = log;
    const end = internals.onAdvance(() => heads.push(internals.position));
    const alsoTold: number[] = [];
    internals.onAdvance(() => alsoTold.push(internals.position));
    await log.append('a', { type: 'noted', data: 1 });
    other.appendSync('a', { type: 'noted', data: 2 });
    internals.runSync(internals.freshen());
    expect(heads).toEqual([1, 2]);
    expect(internals.time).toBe(log.head.time);
    end();
    fill(log, 1);
    expect(heads).toEqual([1, 2]);
    expect(alsoTold).toEqual([1, 2, 3]);
  });

  test('know versions without looking for what others wrote', async () => {
    const disk = new MemoryDisk();
    const [log, other] = [onMemory(disk), onMemory(disk)];
    other.appendSync('a', { type: 'noted', data: 1 });
    const { internals } = log;
    expect(await internals.run(internals.version('a'))).toBe(0);
    await internals.run(internals.look());
    expect(await internals.run(internals.version('a'))).toBe(1);
  });

  test('say whether it is time to look for what others wrote', () => {
    const disk = new MemoryDisk();
    let now = 1000;
    const open = (freshnessMs: number) => {
      const environment = { ...realEnvironment(disk), monotonic: () => now };
      return closing(openLogOnSync(environment, DIRECTORY, { freshnessMs })).internals;
    };
    const writer = onMemory(disk);
    const [never, always, seldom] = [open(Number.POSITIVE_INFINITY), open(0), open(500)];
    const freshenAll = () => {
      for (const internals of [never, always, seldom]) internals.runSync(internals.freshen());
      return [never.position, always.position, seldom.position];
    };
    expect([never.isFresh, always.isFresh, seldom.isFresh]).toEqual([true, false, false]);
    writer.appendSync('a', { type: 'noted', data: 1 });
    expect(freshenAll()).toEqual([0, 1, 1]);
    expect([never.isFresh, always.isFresh, seldom.isFresh]).toEqual([true, false, true]);
    writer.appendSync('a', { type: 'noted', data: 2 });
    expect(freshenAll()).toEqual([0, 2, 1]);
    now += 500;
    expect(seldom.isFresh).toBe(false);
    expect(freshenAll()).toEqual([0, 2, 2]);
  });

  test('are refused once the log is closed', async () => {
    const log = onMemory(new MemoryDisk());
    const { internals } = log;
    log.closeSync();
    const closed = expect.objectContaining({ code: 'STORE_CLOSED' });
    expect(() => internals.feed(0)).toThrow(closed);
    expect(() => internals.runSync(internals.look())).toThrow(closed);
    await expect(internals.run(internals.look())).rejects.toEqual(closed);
  });
});
