/** Sorted files: what is written is found, in order, and no changed byte ever leads to a wrong answer. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hashName } from '#src/log/bloom-filter.js';
import { type Io, runSync } from '#src/log/io.js';
import { RealDisk } from '#src/log/real-disk.js';
import { SortedProblem } from '#src/log/sorted-format.js';
import { type SortedFile, SortedFiles } from '#src/log/sorted-read.js';
import { SortedWriter } from '#src/log/sorted-write.js';
import { SeededRandom } from '../support/random.js';
import { type Stepped, step } from '../support/stepping.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const disk = new RealDisk();
const run = <T>(work: Io<T>): T => runSync(disk, work);
const header = {
  snapshot: 'log',
  store: 'id',
  position: 7,
  time: '',
  seal: 'ab',
  events: 9,
  keyed: 0,
} as const;

interface Line {
  readonly k: string;
  readonly v: number;
  readonly x: string;
}

function lineOf(k: string, v: number, length: number): Line {
  return { k, v, x: 'x'.repeat(length) };
}

/** A file with these lines, in two sections, one of them empty. */
function written(directory: string, lines: readonly Line[], namesMax = lines.length): string {
  mkdirSync(directory, { recursive: true });
  const random = new SeededRandom(1);
  const writer = run(
    SortedWriter.begin(directory, 'file.ndjson', (count) => random.bytes(count), header),
  );
  writer.beginSection('empty', 0);
  run(writer.endSection());
  writer.beginSection('lines', namesMax);
  for (const line of lines) {
    if (writer.add(line.k, `${JSON.stringify(line)}\n`)) run(writer.flush());
  }
  run(writer.endSection());
  run(writer.publish());
  return join(directory, 'file.ndjson');
}

function all(file: SortedFile, from?: string): Line[] {
  const found: Line[] = [];
  const cursor = file.cursor('lines', from);
  for (let lines = run(cursor.next()); lines; lines = run(cursor.next())) {
    for (const { block, index } of lines) found.push(block.line<Line>(index));
  }
  return found;
}

function linesBy(random: SeededRandom, count: number, length: number): Line[] {
  const keys = new Set<string>();
  while (keys.size < count) {
    keys.add(`${random.pick(['a/', 'b"/', 'ü/', '\\', '😀'])}${random.below(10 * count)}`);
  }
  return [...keys].sort().map((k, v) => lineOf(k, v, random.below(length)));
}

describe('a sorted file', () => {
  test.each([
    [0, 10],
    [1, 10],
    [40, 10],
    [700, 60],
    [5000, 300],
    [60, 9000],
  ])('of %i lines gives each by its key, and all in order', (count, length) => {
    const lines = linesBy(new SeededRandom(count), count, length);
    const directory = temporaryDirectory();
    const path = written(directory, lines);
    const files = new SortedFiles();
    const file = run(files.open(path));
    expect(file.header).toMatchObject(header);
    expect(file.count('lines')).toBe(count);
    expect(file.count('empty')).toBe(0);
    expect(all(file)).toEqual(lines);
    for (const line of lines) expect(run(file.find<Line>('lines', line.k))).toEqual(line);
    for (const key of ['', 'a', 'a/', 'zz', '\uffff', 'b"/-']) {
      expect(run(file.find('lines', key))).toBeUndefined();
      expect(all(file, key)).toEqual(lines.filter(({ k }) => k >= key));
    }
    const middle = lines[count >> 1]?.k ?? 'm';
    expect(all(file, middle)).toEqual(lines.filter(({ k }) => k >= middle));
    run(files.close());
  });

  test('is NDJSON: every line is one JSON object', () => {
    const path = written(temporaryDirectory(), linesBy(new SeededRandom(2), 300, 40));
    const text = readFileSync(path, 'utf8');
    expect(text.endsWith('\n')).toBe(true);
    const lines = text.split('\n').slice(0, -1);
    expect(lines.length).toBeGreaterThan(300);
    for (const line of lines) expect(typeof JSON.parse(line)).toBe('object');
  });

  test('has a filter that passes over names that are not there', () => {
    const lines = linesBy(new SeededRandom(3), 3000, 10);
    const file = run(new SortedFiles().open(written(temporaryDirectory(), lines)));
    const maybe = () => {
      let passed = 0;
      for (let n = 0; n < 2000; n += 1) {
        if (file.mayHaveNow('lines', hashName(`none/${n}`)) !== false) passed += 1;
      }
      return passed;
    };
    // Before a page of it was read nothing is certain.
    expect(maybe()).toBe(2000);
    for (const { k } of lines) expect(run(file.find('lines', k))).toBeDefined();
    for (const { k } of lines) expect(file.mayHaveNow('lines', hashName(k))).toBe(true);
    expect(maybe()).toBeLessThan(60);
  });

  test('never gives a wrong answer, whichever byte is changed or missing', () => {
    const lines = linesBy(new SeededRandom(4), 25, 12);
    const directory = temporaryDirectory();
    const path = written(directory, lines);
    const bytes = readFileSync(path);
    let refused = 0;
    const ask = (changed: Buffer) => {
      writeFileSync(path, changed);
      const files = new SortedFiles();
      try {
        const file = run(files.open(path));
        expect(file.header).toMatchObject(header);
        for (const line of lines) expect(run(file.find<Line>('lines', line.k))).toEqual(line);
        expect(run(file.find('lines', 'nobody'))).toBeUndefined();
        expect(all(file)).toEqual(lines);
      } catch (error) {
        if (!(error instanceof SortedProblem)) throw error;
        refused += 1;
      }
      run(files.close());
    };
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ (1 << (at % 7));
      ask(changed);
    }
    // All but the spaces that fill up the trailer.
    expect(refused).toBeGreaterThan(bytes.length - 512);
    for (let length = 0; length < bytes.length; length += 7) ask(bytes.subarray(0, length));
    ask(Buffer.concat([bytes, Buffer.from('\n')]));
  });

  test('gives the right line to each of many readers whose blocks take the place of one another', () => {
    const random = new SeededRandom(5);
    const lines = linesBy(random, 400, 120);
    const path = written(temporaryDirectory(), lines);
    // Room for one block: each that is read pushes another one out.
    const files = new SortedFiles(16, { blockBytesMax: 1 });
    const file = run(files.open(path));
    type Reading = { readonly line: Line; readonly work: Io<unknown>; last: Stepped };
    const readings: Reading[] = [];
    let found = 0;
    for (let asked = 0; asked < 3000 || readings.length > 0; ) {
      if (asked < 3000 && (readings.length === 0 || random.below(3) === 0)) {
        const line = random.pick(lines);
        readings.push({ line, work: file.find<Line>('lines', line.k), last: { done: false } });
        asked += 1;
      }
      const at = random.below(readings.length);
      const reading = readings[at] as Reading;
      reading.last = step(disk, reading.work, reading.last);
      if (!reading.last.done) continue;
      expect(reading.last.answer).toEqual(reading.line);
      readings.splice(at, 1);
      found += 1;
    }
    expect(found).toBe(3000);
    run(files.close());
  });
});
