/** A line that never ends is an error that says where, in bounded memory. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openLogSync } from '#src/index.js';
import { lineBytesMax } from '#src/log/format.js';
import type { Io } from '#src/log/io.js';
import { LineReader } from '#src/log/line-reader.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const GIB = 2 ** 30;
/** A process with the library takes 60 MB; a reader may keep one line of the largest size, and half of one while it grows. */
const MEGABYTES_MAX = 300;

const script = fileURLToPath(new URL('../support/long-line-reader.mjs', import.meta.url));

interface Told {
  readonly answer: Record<string, unknown>;
  readonly megabytes: number;
}

/** Asks in a process of its own, so that its memory can be measured. */
function ask(directory: string, question: 'write' | 'read' | 'verify'): Told {
  const output = execFileSync(process.execPath, [script, directory, question]);
  return JSON.parse(output.toString('utf8')) as Told;
}

/** A store whose segment goes on with 1 GiB without an LF; sparse, so that it takes no room. Gives where that begins. */
function endless(segment: number): { directory: string; path: string; offset: number } {
  const directory = join(temporaryDirectory(), 'store');
  const log = openLogSync(directory, { segmentBytes: 4096 });
  while (log.stats().segments < 3) log.appendSync('a/1', { type: 'x', data: 'x'.repeat(1000) });
  log.closeSync();
  const names = readdirSync(join(directory, 'log')).sort();
  const path = join(directory, 'log', names[segment] ?? '');
  const offset = statSync(path).size;
  const file = openSync(path, 'r+');
  writeSync(file, '{"p":99,"g":"99-', offset);
  closeSync(file);
  truncateSync(path, offset + GIB);
  return { directory, path, offset };
}

describe('a line of 1 GiB without an end', () => {
  test('at the end of the log is refused by writers, told by readers, and found by verify', () => {
    const { directory, path, offset } = endless(2);
    const write = ask(directory, 'write');
    expect(write.answer).toMatchObject({ code: 'STORE_DAMAGED', file: path, offset });
    expect(write.megabytes).toBeLessThan(MEGABYTES_MAX);

    const read = ask(directory, 'read');
    expect(read.answer).toMatchObject({
      recovery: { state: 'damaged', file: path, offset },
      end: { code: 'end' },
    });
    expect(read.answer['events']).toBeGreaterThan(8);
    expect(read.megabytes).toBeLessThan(MEGABYTES_MAX);

    const verify = ask(directory, 'verify');
    expect(verify.answer).toMatchObject({ ok: false, damage: { file: path, offset } });
    expect(verify.megabytes).toBeLessThan(MEGABYTES_MAX);
    expect(statSync(path).size).toBe(offset + GIB);
  });

  test('in a closed segment is told by readers and found by verify', () => {
    const { directory, path, offset } = endless(0);
    const read = ask(directory, 'read');
    expect(read.answer).toMatchObject({ recovery: { state: 'damaged', file: path } });
    expect(read.megabytes).toBeLessThan(MEGABYTES_MAX);
    const verify = ask(directory, 'verify');
    expect(verify.answer).toMatchObject({ ok: false, damage: { file: path, offset } });
    expect(verify.megabytes).toBeLessThan(MEGABYTES_MAX);
  });
});

/** Answers the reads of a file that holds nothing but this byte. Gives the largest span that was asked for. */
function readAll(work: Io<unknown>, byte: number): { result: unknown; largest: number } {
  let largest = 0;
  let step = work.next();
  while (!step.done) {
    const [, buffer, offset, length] = step.value.args as [number, Buffer, number, number];
    buffer.fill(byte, offset, offset + length);
    largest = Math.max(largest, buffer.length);
    step = work.next(length);
  }
  return { result: step.value, largest };
}

describe('a reader of lines', () => {
  test('stops at the longest line there may be, and says where it began', () => {
    const reader = new LineReader(0, 1000, 1000 + GIB);
    const { result, largest } = readAll(reader.next(), 0x61);
    expect(result).toBeUndefined();
    expect(reader.rest).toEqual({ offset: 1000, bytes: lineBytesMax, tooLong: true });
    expect(largest).toBe(lineBytesMax);
  });

  test('tells a line that is only not ended yet from one that is too long', () => {
    const reader = new LineReader(0, 10, 5000);
    const { result } = readAll(reader.next(), 0x61);
    expect(result).toBeUndefined();
    expect(reader.rest).toEqual({ offset: 10, bytes: 4990, tooLong: false });
  });
});
