import { describe, expect, test } from 'vitest';
import { finishedLine } from '#src/log/encode.js';
import { runSync } from '#src/log/io.js';
import { PositionSet } from '#src/log/position-set.js';
import { salvageLog } from '#src/log/salvage.js';
import { linesWithin, SalvageLines } from '#src/log/salvage-lines.js';
import { BuiltStore, type Line } from '../support/built-store.js';
import { COMMITS, GROUPS, inSegments, lostPositions } from '../support/damage.js';
import { SeededRandom } from '../support/random.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

describe('salvage, of what the disk hardly gives', () => {
  test('counts sectors that cannot be read as lost, and goes on behind them', () => {
    const disk = new SimulatedDisk();
    const process = disk.process();
    const built = new BuiltStore({ groups: Array(40).fill(5), disk: process });
    const path = built.paths.segment(1);
    const lines = built.lines(1);
    const bad = { from: 8192, to: 12288 };
    const target = '/salvaged';
    // A read that touches the sector fails; what the disk reads ahead of it does not help.
    const read = process.read.bind(process);
    const files = new Map<number, string>();
    const open = process.open.bind(process);
    process.open = (opened, mode) => {
      const file = open(opened, mode);
      files.set(file, opened);
      return file;
    };
    process.read = (file, buffer, offset, length, position) => {
      const touches = position < bad.to && bad.from < position + length;
      if (files.get(file) === path && touches) {
        throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
      }
      return read(file, buffer, offset, length, position);
    };
    const report = built.run(salvageLog(built.environment, built.paths, target));
    const hit = lines.filter(({ start, end }) => start < bad.to && bad.from < end);
    const commits = hit.filter(({ text }) => text.startsWith('{"p":')).length;
    expect(lostPositions(report)).toHaveLength(commits);
    expect(report.commits).toBe(200 - commits);
    const [first, last] = [hit[0] as Line, hit.at(-1) as Line];
    expect(report.lost).toMatchObject([
      { file: path, offset: first.start, bytes: last.end - first.start, problem: /cannot read/ },
    ]);
  });

  test('skips a line without an end in bounded memory, and finds the line behind it', () => {
    const disk = new SimulatedDisk().process();
    const file = disk.open('/segment', 'create');
    const longest = 4096;
    const line = finishedLine('{"p":1,"g":"1-abcd","t":"2026-01-01T00:00:00.000Z"').toString();
    const junk = 'x'.repeat(50_000);
    const content = Buffer.from(`${line}${junk}{"p":2,"g":"${junk}${line}${line}${junk}`);
    disk.write(file, content, 0, content.length, 0);
    const lines = new SalvageLines(file, content.length, longest);
    const whole: number[] = [];
    let lost = 0;
    let largest = 0;
    for (;;) {
      const next = runSync(disk, lines.next());
      if (!next) break;
      const { stretch, broken, skipped } = next;
      largest = Math.max(largest, stretch.buffer.length);
      lost += skipped;
      if (!broken) whole.push(stretch.offset);
      else for (const found of linesWithin(stretch)) whole.push(found.offset);
      if (broken && stretch.offset + stretch.end - stretch.start === content.length)
        lost += longest;
    }
    const second = content.indexOf(line, 10);
    expect(whole).toEqual([0, second, second + line.length]);
    expect(largest).toBeLessThanOrEqual(longest);
    expect(lost).toBeGreaterThan(3 * junk.length - 2 * longest);
  });

  test('tells when the source changes while it is read', () => {
    const built = inSegments();
    const work = salvageLog(built.environment, built.paths, '/salvaged');
    const path = built.paths.segment(1);
    const changed = built.bytes(path);
    changed[500] = 0x20;
    const opened: string[] = [];
    let step = work.next();
    const run = () => {
      while (!step.done) {
        const { method, args } = step.value;
        if (method === 'open' && args[0] === path && args[1] === 'read') {
          opened.push(path);
          // Once for the store's id, once for the search, then to copy.
          if (opened.length === 3) built.put(path, changed);
        }
        const call = built.disk[method as 'read'] as unknown as (
          ...values: readonly unknown[]
        ) => unknown;
        let answer: unknown;
        try {
          answer = call.apply(built.disk, [...args]);
        } catch (error) {
          step = work.throw(error);
          continue;
        }
        step = work.next(answer);
      }
    };
    expect(run).toThrow(expect.objectContaining({ code: 'STORE_ACCESS' }));
    expect(built.disk.list('/').sort()).toEqual(['store']);
  });

  test('leaves nothing at the target when the disk is full', () => {
    const disk = new SimulatedDisk();
    const built = new BuiltStore({ groups: GROUPS, segmentBytes: 2048, disk: disk.process() });
    disk.freeBytes = 4000;
    const work = () => built.run(salvageLog(built.environment, built.paths, '/salvaged'));
    expect(work).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
    expect(disk.process().list('/')).toEqual(['store']);
    disk.freeBytes = undefined;
    expect(work().commits).toBe(COMMITS);
  });
});

describe('a set of positions', () => {
  test('holds what was added, and knows what is missing, in any order', () => {
    const random = new SeededRandom(3);
    for (let round = 0; round < 50; round += 1) {
      const set = new PositionSet();
      const model = new Set<number>();
      for (let count = random.below(60); count > 0; count -= 1) {
        const position = 1 + random.below(80);
        set.add(position);
        model.add(position);
      }
      const [from, to] = [1 + random.below(40), 20 + random.below(70)];
      const missing: number[] = [];
      for (const range of set.missing(from, to)) {
        for (let position = range.from; position <= range.to; position += 1) missing.push(position);
      }
      const expected: number[] = [];
      for (let position = 1; position <= 90; position += 1) {
        expect(set.has(position)).toBe(model.has(position));
        if (position >= from && position <= to && !model.has(position)) expected.push(position);
      }
      expect(missing).toEqual(expected);
    }
  });
});
