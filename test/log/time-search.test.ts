/** The last commit at a moment, compared with a look at every commit. */
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LogOptions, RecordedEvent } from '#src/index.js';
import type { DiskCalls } from '#src/log/disk.js';
import { realEnvironment } from '#src/log/environment.js';
import { writeFully } from '#src/log/io.js';
import type { Log } from '#src/log/log.js';
import { MemoryDisk } from '#src/log/memory-disk.js';
import { openLogOnSync } from '#src/log/open-log.js';
import { pathsOf } from '#src/log/paths.js';
import { SeededRandom } from '../support/random.js';
import { type Stepped, step } from '../support/stepping.js';

const DIRECTORY = '/log';

class Story {
  readonly disk = new MemoryDisk();
  now = Date.UTC(2026, 0, 1);

  open(options: LogOptions = {}): Log {
    const environment = realEnvironment(this.disk, () => this.now);
    const log = openLogOnSync(environment, DIRECTORY, { segmentBytes: 4096, ...options });
    onTestFinished(() => log.closeSync());
    return log;
  }

  /** Appends while the clock stands, goes on, jumps or goes back. */
  fill(log: Log, commits: number, random: SeededRandom): void {
    for (let number = 0; number < commits; number += 1) {
      if (random.chance(0.4)) this.now += random.pick([1, 10, 1000, 86_400_000, -500, -5000]);
      const data = 'x'.repeat(random.below(60));
      log.appendSync('a', { type: 'noted', data });
    }
  }
}

/** By the definition. */
function modelAt(events: readonly RecordedEvent[], time: string, bound: number): number {
  return events.filter((event) => event.position <= bound && event.time <= time).length;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function search(log: Log, time: string, bound: number): number {
  return log.internals.runSync(log.internals.positionAt(time, bound));
}

describe('the position at a time', () => {
  test.each([1, 2, 3, 4, 5, 6])('is that of the last commit until then (seed %i)', (seed) => {
    const random = new SeededRandom(seed);
    const story = new Story();
    const writer = story.open();
    story.fill(writer, 100 + random.below(400), random);
    const events = writer.readAllSync().toArray();
    expect(writer.stats().segments).toBeGreaterThan(3);
    const again = () => {
      writer.closeSync();
      return story.open();
    };
    const log = random.pick([() => writer, again, () => story.open({ readOnly: true })])();
    for (let round = 0; round < 300; round += 1) {
      const near = Date.parse(random.pick(events).time);
      const time = iso(near + random.pick([0, 0, -1, 1, 400, -86_400_000]));
      const bound = random.chance(0.5) ? events.length + random.below(3) : random.below(600);
      expect(search(log, time, bound)).toBe(modelAt(events, time, bound));
    }
  });

  test('is 0 before the first commit and in an empty log, and the bound after the last', () => {
    const story = new Story();
    const log = story.open();
    const late = '9999-12-31T23:59:59.999Z';
    expect(search(log, late, Number.MAX_SAFE_INTEGER)).toBe(0);
    story.fill(log, 200, new SeededRandom(9));
    expect(search(log, '0000-01-01T00:00:00.000Z', 200)).toBe(0);
    expect(search(log, iso(Date.UTC(2026, 0, 1) - 1), 200)).toBe(0);
    expect(search(log, late, Number.MAX_SAFE_INTEGER)).toBe(200);
    expect(search(log, late, 77)).toBe(77);
    expect(search(log, late, 0)).toBe(0);
  });

  test('is found among many commits of one moment', () => {
    const story = new Story();
    const log = story.open();
    const append = (count: number) => {
      for (let number = 0; number < count; number += 1) {
        log.appendSync('a', { type: 'noted', data: number });
      }
    };
    const begun = story.now;
    append(300);
    story.now += 5;
    append(300);
    story.now += 5;
    append(300);
    expect([0, 4, 5, 9, 10].map((ms) => search(log, iso(begun + ms), 900))).toEqual([
      300, 300, 600, 600, 900,
    ]);
  });

  test('is exact for every commit and every bound', () => {
    const story = new Story();
    const log = story.open({ segmentBytes: 80_000 });
    const begun = story.now;
    for (let number = 0; number < 330; number += 1) {
      story.now = begun + 10 * number;
      log.appendSync('a', { type: 'noted', data: number });
    }
    expect(log.stats().segments).toBeGreaterThan(1);
    for (let position = 1; position <= 330; position += 1) {
      const time = begun + 10 * (position - 1);
      expect(search(log, iso(time), 330)).toBe(position);
      expect(search(log, iso(time - 1), 330)).toBe(position - 1);
      expect(search(log, iso(begun + 1100), position)).toBe(Math.min(position, 111));
    }
  });

  test('takes few reads, however many commits there are', async () => {
    const story = new Story();
    const writer = story.open({ segmentBytes: 65_536 });
    for (let number = 0; number < 6000; number += 1) {
      story.now += 10;
      writer.appendSync('a', { type: 'noted', data: number });
    }
    // Which writes the indexes that are still missing.
    await writer.close();
    const log = story.open({ segmentBytes: 65_536 });
    const work = log.internals.positionAt(iso(Date.UTC(2026, 0, 1) + 20_005), 6000);
    let bytes = 0;
    let state: Stepped = { done: false };
    const counting: Pick<DiskCalls, 'read'> = {
      read: (...args) => {
        const count = story.disk.read(...args);
        bytes += count;
        return count;
      },
    };
    const disk = new Proxy(story.disk, {
      get: (target, name) =>
        name === 'read' ? counting.read : (Reflect.get(target, name) as () => unknown).bind(target),
    });
    while (!state.done) state = step(disk, work, state);
    expect(state.answer).toBe(2000);
    expect(log.stats().segments).toBeGreaterThan(10);
    expect(bytes).toBeLessThan(100_000);
  });

  test('is refused with the place of what is damaged', () => {
    const story = new Story();
    const log = story.open();
    story.fill(log, 40, new SeededRandom(4));
    const path = pathsOf(DIRECTORY).segment(1);
    const [, second] = log.readAllSync().toArray();
    const bytes = Buffer.alloc(4096);
    const file = story.disk.open(path, 'write');
    story.disk.read(file, bytes, 0, bytes.length, 0);
    const at = bytes.indexOf('{"p":2,');
    writeFully(story.disk, file, Buffer.from('#'), at + 30);
    expect(() => search(log, second?.time ?? '', 3)).toThrow(
      expect.objectContaining({ code: 'STORE_DAMAGED', file: path, offset: at, position: 2 }),
    );
  });
});
