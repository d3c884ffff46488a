/**
 * File systems that are really full: nothing acknowledged is lost, reading goes on, and writing goes on once there is room.
 * Where this machine lets nobody mount a file system, each test says so.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type Log,
  type LogOptions,
  openLog,
  openLogSync,
  StoreAccessError,
  StoreFullError,
} from '#src/index.js';
import { Program } from '../support/programs.js';
import { SeededRandom } from '../support/random.js';
import { timeoutMs, times } from '../support/runs.js';
import {
  type FileSystemKind,
  type SmallFileSystem,
  smallFileSystem,
} from '../support/small-file-system.js';
import { storm } from '../support/storm.js';
import type { WritingReport, WritingTask } from '../support/writing-process.mjs';

const MEBIBYTES = 16;
const kinds = ['ext4', 'tmpfs'] as const;

/** Runs the test's work on such a file system, or says why it cannot. */
async function on(
  kind: FileSystemKind,
  options: string,
  work: (place: SmallFileSystem) => Promise<void>,
): Promise<void> {
  const place = smallFileSystem(kind, MEBIBYTES, options);
  if (typeof place === 'string') {
    console.log(`not possible on this machine: ${place}`);
    expect(place).toContain(kind);
    return;
  }
  await work(place);
}

/** Takes all room but about so many bytes. */
class Filler {
  readonly #path: string;

  constructor(place: SmallFileSystem) {
    this.#path = join(place.directory, 'filler');
  }

  fill(spareBytes: number): void {
    const file = openSync(this.#path, 'w');
    let size = 0;
    for (let bytes = 1024 * 1024; bytes >= 512; ) {
      try {
        const count = writeSync(file, Buffer.alloc(bytes, 'x'), 0, bytes, size);
        size += count;
        if (count < bytes) bytes /= 2;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        bytes /= 2;
      }
    }
    ftruncateSync(file, Math.max(0, size - spareBytes));
    fsyncSync(file);
    closeSync(file);
  }

  free(): void {
    rmSync(this.#path, { force: true });
  }
}

const STREAM = 'notes/full';

/** Appends until the disk is full, and a few times more; every answer is remembered. */
class Appender {
  /** Number of the note in each version that was acknowledged. */
  readonly acknowledged = new Map<number, number>();
  refused = 0;
  #next = 1;
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  async append(log: Log, sync = false): Promise<boolean> {
    const number = this.#next;
    this.#next += 1;
    const text = 'x'.repeat(this.#random.pick([10, 300, 700, 5000, 40_000]));
    const event = { type: 'note.taken', data: { number, text } };
    try {
      const { version } = sync ? log.appendSync(STREAM, event) : await log.append(STREAM, event);
      this.acknowledged.set(version, number);
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(StoreFullError);
      this.refused += 1;
      return false;
    }
  }

  async untilFull(log: Log): Promise<void> {
    const callers = async () => {
      while (await this.append(log)) {}
    };
    await Promise.all(Array.from({ length: this.#random.pick([1, 4, 32]) }, callers));
    await this.append(log, true);
    await this.append(log);
  }

  /** What stands is exactly what was acknowledged. */
  async check(log: Log): Promise<void> {
    const events = await log.readStream(STREAM).toArray();
    const standing = events.map(({ version, data }) => [
      version,
      (data as { number: number }).number,
    ]);
    expect(standing).toEqual([...this.acknowledged].sort(([a], [b]) => a - b));
  }
}

const variants = kinds.flatMap((kind) =>
  [true, false].map((writerThread) => ({ kind, writerThread })),
);

describe('a full file system', { timeout: timeoutMs }, () => {
  test.each(variants)(
    'loses nothing, and writing goes on in the same log and in others once there is room: $kind, writer thread: $writerThread',
    async ({ kind, writerThread }) => {
      await on(kind, '', async (place) => {
        const random = new SeededRandom(5);
        const directory = join(place.directory, 'store');
        const filler = new Filler(place);
        const options: LogOptions = { writerThread, segmentBytes: 32 * 1024 };
        const appender = new Appender(random);
        let log = await openLog(directory, options);
        for (let number = 0; number < 20; number += 1) await appender.append(log);

        for (let round = 0; round < times(12); round += 1) {
          filler.fill(random.below(80 * 1024));
          await appender.untilFull(log);

          // Full as it is: it can be read, by this log, by new readers, and opened for writing.
          await appender.check(log);
          const reader = await openLog(directory, { readOnly: true });
          await appender.check(reader);
          await reader.close();
          expect((await log.verify()).ok).toBe(true);
          const failure = await openLog(directory, options).then(
            async (other) => {
              await appender.check(other);
              await other.close();
            },
            (error: unknown) => error,
          );
          if (failure !== undefined) expect(failure).toBeInstanceOf(StoreFullError);
          if (random.chance(0.3)) {
            await log.close();
            filler.free();
            log = random.chance(0.5)
              ? await openLog(directory, options)
              : openLogSync(directory, options);
          }

          filler.free();
          expect(await appender.append(log)).toBe(true);
          expect(await appender.append(log, true)).toBe(true);
          const other = await openLog(directory, options);
          expect(await appender.append(other)).toBe(true);
          await appender.check(other);
          await other.close();
          await appender.check(log);
        }
        expect(appender.refused).toBeGreaterThan(0);
        expect(log.stats().segments).toBeGreaterThan(3);
        await log.close();
        await openInAnotherProcess(directory);
      });
    },
  );

  test.each(kinds)(
    'lets no store be made, and does not keep the next attempt from making it: %s',
    async (kind) => {
      await on(kind, '', async (place) => {
        const filler = new Filler(place);
        const refused: unknown[] = [];
        for (let spare = 0; spare <= 24 * 1024; spare += 1024) {
          const directory = join(place.directory, `store-${spare}`);
          filler.fill(spare);
          const log = await openLog(directory).catch((error: unknown) => {
            refused.push(error);
            return undefined;
          });
          await log?.close();
          filler.free();
          const again = await openLog(directory);
          expect((await again.append(STREAM, { type: 'note.taken', data: spare })).position).toBe(
            1,
          );
          expect((await again.verify()).ok).toBe(true);
          await again.close();
          rmSync(directory, { recursive: true });
        }
        expect(refused.length).toBeGreaterThan(0);
        for (const error of refused) expect(error).toBeInstanceOf(StoreFullError);
      });
    },
  );

  test('without room for another file loses nothing, and goes on when there is: tmpfs', async () => {
    // The root, the store's folders and files, and two more.
    await on('tmpfs', 'nr_inodes=10', async (place) => {
      const directory = join(place.directory, 'store');
      const log = await openLog(directory, { segmentBytes: 4096 });
      const appender = new Appender(new SeededRandom(8));
      await appender.untilFull(log);
      await appender.check(log);
      expect((await log.verify()).ok).toBe(true);

      place.remount('nr_inodes=1000');
      for (let number = 0; number < 20; number += 1) {
        expect(await appender.append(log, number % 2 === 0)).toBe(true);
      }
      await appender.check(log);
      await log.close();
      const again = await openLog(directory);
      await appender.check(again);
      await again.close();
    });
  });

  test.each(kinds)(
    'costs none of several processes anything that was acknowledged, while some are killed: %s',
    async (kind) => {
      await on(kind, '', async (place) => {
        const directory = join(place.directory, 'store');
        await (await openLog(directory)).close();
        const filler = new Filler(place);
        let full = false;
        const toggling = setInterval(() => {
          if (full) filler.free();
          else filler.fill(20 * 1024);
          full = !full;
        }, 400);
        try {
          const report = await storm({
            directory,
            writers: 3,
            commits: times(600),
            kills: times(6),
            readers: ['follow', 'lines'],
            seed: 21,
            tolerated: ['STORE_FULL'],
          });
          expect(report.problems).toEqual([]);
          expect(report.tolerated).toBeGreaterThan(0);
        } finally {
          clearInterval(toggling);
        }
      });
    },
  );
});

describe('a file system that was mounted for reading only', () => {
  test.each(kinds)('is read, and refuses to be written: %s', async (kind) => {
    await on(kind, '', async (place) => {
      const directory = join(place.directory, 'store');
      const log = await openLog(directory);
      await log.append(STREAM, { type: 'note.taken', data: 1 });
      await log.close();
      place.remount('ro');

      for (const work of [
        () => openLog(directory),
        () => openLog(join(place.directory, 'other')),
        async () => openLogSync(directory),
      ]) {
        const failure = await work().catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(StoreAccessError);
        expect((failure as Error).cause).toMatchObject({ code: 'EROFS' });
      }
      expect(existsSync(join(place.directory, 'other'))).toBe(false);
      const reader = await openLog(directory, { readOnly: true });
      expect(await reader.readAll().toArray()).toHaveLength(1);
      expect((await reader.verify()).ok).toBe(true);
      await reader.close();

      place.remount('rw');
      const again = await openLog(directory);
      expect((await again.append(STREAM, { type: 'note.taken', data: 2 })).position).toBe(2);
      await again.close();
    });
  });
});

/** A process of its own takes the store as it is. */
async function openInAnotherProcess(directory: string): Promise<void> {
  const task: WritingTask = {
    directory,
    writer: 'another',
    first: 1,
    again: [],
    callers: 1,
    calls: 'mixed',
    options: {},
  };
  const program = new Program('./writing-process.mjs', { task });
  const reports: WritingReport[] = [];
  program.onLine((line) => reports.push(JSON.parse(line) as WritingReport));
  await program.line('acknowledged');
  program.tell('stop');
  expect(await program.ended).toMatchObject({ code: 0, errors: '' });
  expect(reports.filter(({ kind }) => kind === 'failed')).toEqual([]);
  expect(statfsSync(directory).bavail).toBeGreaterThan(0);
  expect(readdirSync(join(directory, 'log')).length).toBeGreaterThan(1);
  expect(statSync(directory).isDirectory()).toBe(true);
}
