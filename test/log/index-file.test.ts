import { describe, expect, test } from 'vitest';
import { IndexProblem, indexMemory } from '#src/log/index-directory.js';
import { encodeIndex } from '#src/log/index-encode.js';
import { closingFactsOf, type IndexFile, indexPath, openIndexFile } from '#src/log/index-file.js';
import { removeLeftovers, writeIndexFile } from '#src/log/index-write.js';
import { type Io, runSync, writeFully } from '#src/log/io.js';
import { OpenFiles } from '#src/log/open-files.js';
import { SegmentFiles } from '#src/log/segment-files.js';
import type { TailIndex } from '#src/log/segment-index.js';
import { seededChooser } from '../support/chooser.js';
import { SeededRandom } from '../support/random.js';
import { SegmentWriter, writeRandomLog } from '../support/segment-writer.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { CrashError, type SimulatedProcess } from '../support/simulated-process.js';

const SEED = 20_240_601;

/** A store whose first segment is closed; its index is not written yet. */
function closedSegment(groups = 30, seed = SEED) {
  const disk = new SimulatedDisk({ seed });
  const process = disk.process('a');
  const writer = new SegmentWriter(process);
  writeRandomLog(writer, new SeededRandom(seed), 1, groups);
  writer.close();
  const tail = writer.closed[0]?.tail as TailIndex;
  return { disk, process, writer, tail };
}

function run<T>(process: SimulatedProcess, work: Io<T>): T {
  return runSync(process, work);
}

function write(process: SimulatedProcess, writer: SegmentWriter, tail: TailIndex): void {
  const files = new OpenFiles();
  const closing = run(
    process,
    closingFactsOf(new SegmentFiles(writer.paths, files), tail.first, tail.last),
  );
  run(process, files.close());
  if (!closing) throw new Error('the segment is not closed');
  run(process, writeIndexFile(writer.paths, tail, closing));
}

function open(process: SimulatedProcess, writer: SegmentWriter, first = 1) {
  const memory = indexMemory();
  const files = new OpenFiles();
  const segments = new SegmentFiles(writer.paths, files);
  return run(process, openIndexFile(writer.paths, first, { files, segments }, memory));
}

function mustOpen(process: SimulatedProcess, writer: SegmentWriter): IndexFile {
  const index = open(process, writer);
  if (!index) throw new Error('the index file was not accepted');
  return index;
}

function contentOf(process: SimulatedProcess, path: string): Buffer {
  const file = process.open(path, 'read');
  const bytes = Buffer.alloc(process.size(file));
  process.read(file, bytes, 0, bytes.length, 0);
  process.close(file);
  return bytes;
}

function replace(process: SimulatedProcess, path: string, bytes: Buffer): void {
  const file = process.open(path, 'write');
  process.truncate(file, 0);
  writeFully(process, file, bytes, 0);
  process.close(file);
}

/** Asks both indexes the same questions; a broken one may refuse to answer, but never answers something else. */
function compare(process: SimulatedProcess, index: IndexFile, tail: TailIndex, may = false): void {
  const same = <T>(ask: (of: IndexFile | TailIndex) => Io<T>) => {
    const expected = run(process, ask(tail));
    try {
      expect(run(process, ask(index))).toEqual(expected);
    } catch (error) {
      if (!may || !(error instanceof IndexProblem)) throw error;
    }
  };
  for (const stream of [...tail.streams(), 'absent', 'users/', '\u{1f600}']) {
    const last = tail.versionNow(stream);
    same((of) => of.version(stream));
    same((of) => of.commitsOf(stream, 1, Number.MAX_SAFE_INTEGER));
    same((of) => of.commitsOf(stream, Math.ceil(last / 3), Math.ceil(last / 2)));
    same((of) => of.commitsOf(stream, last, last));
  }
  for (const key of [...tail.keyNames(), 'absent', 'key-']) {
    same((of) => of.key(key));
  }
  for (let position = tail.first - 1; position <= tail.last + 100; position += 7) {
    same((of) => of.commitBefore(position));
  }
}

describe('an index file', () => {
  test.each([1, 2, 3, 4, 5, 6])('answers what the index in memory answers (seed %i)', (seed) => {
    const { process, writer, tail } = closedSegment(10 * seed, seed);
    write(process, writer, tail);
    const index = mustOpen(process, writer);
    const { first, last, commits, events, keyed, firstTime, lastTime } = tail;
    expect(index).toMatchObject({ first, last, commits, events, keyed, firstTime, lastTime });
    compare(process, index, tail);
  });

  test('is NDJSON, sorted by UTF-16 code units', () => {
    const { process, writer, tail } = closedSegment();
    write(process, writer, tail);
    const text = contentOf(process, indexPath(writer.paths, 1)).toString();
    expect(text.endsWith('\n')).toBe(true);
    const lines = text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
    const names = lines.flatMap(({ s }) => (s === undefined ? [] : [s]));
    expect(new Set(names)).toEqual(new Set(tail.streams()));
    expect(names).toEqual([...names].sort());
    const beyond = names.findIndex((name) => name.startsWith('\u{1f600}'));
    expect(names.indexOf('\uffee/0')).toBeGreaterThan(beyond);
    expect(beyond).toBeGreaterThan(0);
    const keys = lines.flatMap(({ k }) => (k === undefined ? [] : [k]));
    expect(keys).toEqual([...keys].sort());
    expect(keys.length).toBeGreaterThan(10);
  });

  test('breaks long lists of postings and keeps blocks small', () => {
    const disk = new SimulatedDisk();
    const process = disk.process('a');
    const writer = new SegmentWriter(process);
    for (let group = 0; group < 30; group += 1) {
      const events =
        group % 3 === 0 ? [{ stream: 'busy' }, { stream: 'busy' }] : [{ stream: 'busy' }];
      writer.group(Array.from({ length: 100 }, () => ({ events })));
    }
    writer.close();
    const tail = writer.closed[0]?.tail as TailIndex;
    write(process, writer, tail);
    const index = mustOpen(process, writer);
    compare(process, index, tail);
    const versions = writer.versions.get('busy') ?? 0;
    for (let from = 1; from <= versions; from += 111) {
      for (const length of [1, 2, 700]) {
        const range = [from, from + length - 1] as const;
        const expected = run(process, tail.commitsOf('busy', ...range));
        expect(run(process, index.commitsOf('busy', ...range))).toEqual(expected);
      }
    }
    const lines = contentOf(process, indexPath(writer.paths, 1)).toString().split('\n');
    const directory = lines.filter((line) => line.startsWith('{"blocks":"streams"'));
    const blocks: [number, number][] = JSON.parse(directory[0] ?? '').at;
    expect(blocks.length).toBeGreaterThan(2);
    for (const [, bytes] of blocks) expect(bytes).toBeLessThan(8192);
    for (const line of lines)
      expect(JSON.parse(line || '{}').o?.length ?? 0).toBeLessThanOrEqual(512);
  });

  test('says of almost all absent names that they are absent, without a read', () => {
    const { process, writer, tail } = closedSegment(60);
    write(process, writer, tail);
    const index = mustOpen(process, writer);
    expect(index.mayHaveStream('certainly not here')).toBe(true);
    run(process, index.load('streams'));
    run(process, index.load('keys'));
    const { calls } = process;
    const names = Array.from({ length: 10_000 }, (_, number) => `absent/${number}`);
    expect(names.filter((name) => index.mayHaveStream(name)).length).toBeLessThan(200);
    expect(names.filter((name) => index.mayHaveKey(name)).length).toBeLessThan(200);
    for (const stream of tail.streams()) expect(index.mayHaveStream(stream)).toBe(true);
    for (const key of tail.keyNames()) expect(index.mayHaveKey(key)).toBe(true);
    expect(process.calls).toBe(calls);
  });

  test('takes one small read for a look-up once its directory is there, and none the next time', () => {
    const { disk, process, writer, tail } = closedSegment(100);
    write(process, writer, tail);
    const index = mustOpen(process, writer);
    run(process, index.load('streams'));
    run(process, index.load('keys'));
    const [stream] = tail.streams();
    const [key = ''] = tail.keyNames();
    for (const look of [() => index.version(stream ?? ''), () => index.key(key)]) {
      const before = disk.trace.length;
      run<unknown>(process, look());
      const calls = disk.trace.slice(before);
      expect(calls.map(({ method }) => method)).toEqual(['read']);
      expect(Number(calls[0]?.detail.split('+')[1])).toBeLessThanOrEqual(4096);
      run<unknown>(process, look());
      expect(disk.trace.length).toBe(before + 1);
    }
  });

  test('has the same bytes whoever writes it', () => {
    const { process, writer, tail } = closedSegment();
    write(process, writer, tail);
    const written = contentOf(process, indexPath(writer.paths, 1));
    write(process, writer, tail);
    expect(contentOf(process, indexPath(writer.paths, 1))).toEqual(written);
    const index = mustOpen(process, writer);
    expect(Buffer.concat([...encodeIndex(tail, index)])).toEqual(written);
  });

  test('is as specified: hash, bits and trailer worked out from the text of docs/FORMAT.md', () => {
    const { process, writer, tail } = closedSegment(5);
    write(process, writer, tail);
    const bytes = contentOf(process, indexPath(writer.paths, 1));
    const trailer = JSON.parse(bytes.subarray(-256).toString());
    expect(bytes.at(-256)).toBe('{'.charCodeAt(0));
    const [offset, length] = trailer.streams;
    const directory = JSON.parse(bytes.subarray(offset, offset + length).toString());
    const bits = Buffer.from(directory.filter, 'base64');
    expect(bits.length).toBe(Math.ceil((10 * tail.streamCount) / 8));
    const low = 2n ** 32n - 1n;
    const finish = (start: bigint) => {
      const first = ((start ^ (start >> 16n)) * 0x85ebca6bn) & low;
      const second = ((first ^ (first >> 13n)) * 0xc2b2ae35n) & low;
      return second ^ (second >> 16n);
    };
    const expected = Buffer.alloc(bits.length);
    for (const stream of tail.streams()) {
      let a = 0x9e3779b9n;
      let b = 0x85ebca6bn;
      for (let index = 0; index < stream.length; index += 1) {
        const unit = BigInt(stream.charCodeAt(index));
        a = ((a ^ unit) * 0xcc9e2d51n) & low;
        a ^= a >> 15n;
        b = ((b ^ unit) * 0x1b873593n) & low;
        b ^= b >> 13n;
      }
      const [first, step] = [finish(a ^ BigInt(stream.length)), finish(b ^ a) | 1n];
      for (let i = 0n; i < 7n; i += 1n) {
        const bit = Number(((first + i * step) & low) % BigInt(8 * bits.length));
        expected[bit >> 3] = (expected[bit >> 3] ?? 0) | (1 << (bit & 7));
      }
    }
    expect(bits).toEqual(expected);
  });
});

describe('an index file that is not right', () => {
  test('is not opened when it is missing, cut, empty, or a directory stands there', () => {
    const { process, writer, tail } = closedSegment(4);
    expect(open(process, writer)).toBeUndefined();
    write(process, writer, tail);
    const path = indexPath(writer.paths, 1);
    const whole = contentOf(process, path);
    for (let bytes = 0; bytes < whole.length; bytes += 97) {
      replace(process, path, whole.subarray(0, bytes));
      expect(open(process, writer)).toBeUndefined();
    }
    replace(process, path, Buffer.concat([whole, Buffer.from('\n')]));
    expect(open(process, writer)).toBeUndefined();
    process.remove(path);
    process.makeDirectory(path);
    expect(open(process, writer)).toBeUndefined();
  });

  test('never gives a wrong answer, whichever byte is changed', () => {
    const { process, writer, tail } = closedSegment(3);
    write(process, writer, tail);
    const path = indexPath(writer.paths, 1);
    const whole = contentOf(process, path);
    const random = new SeededRandom(SEED);
    for (let at = 0; at < whole.length; at += 1 + random.below(23)) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
      replace(process, path, changed);
      const index = open(process, writer);
      if (index) compare(process, index, tail, true);
    }
  });

  test('is not opened for another segment, nor once the segment is not the same any more', () => {
    const { process, writer, tail } = closedSegment(4);
    writeRandomLog(writer, new SeededRandom(7), 1, 4);
    writer.close();
    write(process, writer, tail);
    const second = writer.closed[1]?.tail as TailIndex;
    const paths = [indexPath(writer.paths, 1), indexPath(writer.paths, second.first)] as const;
    const copy = process.open(paths[1], 'create');
    writeFully(process, copy, contentOf(process, paths[0]), 0);
    process.close(copy);
    expect(open(process, writer, second.first)).toBeUndefined();
    expect(open(process, writer)).toBeDefined();

    const segment = writer.paths.segment(1);
    const bytes = contentOf(process, segment);
    replace(process, segment, bytes.subarray(0, -1));
    expect(open(process, writer)).toBeUndefined();
    const resealed = Buffer.from(bytes);
    resealed[bytes.length - 40] = 'x'.charCodeAt(0);
    replace(process, segment, resealed);
    expect(open(process, writer)).toBeUndefined();
    const line = bytes.indexOf('\n') + 1;
    replace(process, segment, Buffer.concat([bytes.subarray(0, line), bytes]));
    expect(open(process, writer)).toBeUndefined();
    replace(process, segment, bytes);
    expect(open(process, writer)).toBeDefined();
  });

  test('that cannot be opened for want of descriptors is no broken one: the error is told', () => {
    const { process, writer, tail } = closedSegment(4);
    write(process, writer, tail);
    process.inject({ method: 'open', code: 'EMFILE' });
    expect(() => open(process, writer)).toThrow(expect.objectContaining({ code: 'EMFILE' }));
    expect(open(process, writer)).toBeDefined();
  });
});

describe('writing an index file', () => {
  test('leaves a whole file or none and nothing beside it, whichever call fails', () => {
    for (let call = 1; ; call += 1) {
      const { disk, process, writer, tail } = closedSegment(4);
      const files = new OpenFiles();
      const closing = run(
        process,
        closingFactsOf(new SegmentFiles(writer.paths, files), 1, tail.last),
      );
      if (!closing) throw new Error('the segment is not closed');
      const stop = process.inject({ path: /index/, code: call % 2 ? 'ENOSPC' : 'EIO', call });
      let failed = false;
      try {
        run(process, writeIndexFile(writer.paths, tail, closing));
      } catch (error) {
        failed = true;
        expect(['ENOSPC', 'EIO']).toContain((error as { code?: string }).code);
      }
      stop();
      run(process, files.close());
      const closeFailed = disk.trace.some((traced) => {
        return traced.method === 'close' && ['ENOSPC', 'EIO'].includes(traced.outcome);
      });
      const left = process.openFiles.filter((path) => path.includes('index'));
      expect(left.length).toBe(closeFailed ? 1 : 0);
      const names = process.list(writer.paths.index);
      expect(names.filter((name) => name.endsWith('.tmp'))).toEqual([]);
      if (names.length > 0) compare(process, mustOpen(process, writer), tail);
      if (!failed) break;
      expect(call).toBeLessThan(30);
    }
  });

  test('goes on after a short write and makes the directory when it is gone', () => {
    const { process, writer, tail } = closedSegment(30);
    process.remove(writer.paths.index);
    process.inject({ method: 'write', path: /index/ });
    write(process, writer, tail);
    compare(process, mustOpen(process, writer), tail);
  });

  test('takes another temporary name when one is in use, and left-overs can be removed', () => {
    const { process, writer, tail } = closedSegment(4);
    const taken = `${indexPath(writer.paths, 1)}.0.tmp`;
    process.close(process.open(taken, 'create'));
    write(process, writer, tail);
    expect(process.facts(taken)?.size).toBe(0);
    compare(process, mustOpen(process, writer), tail);
    run(process, removeLeftovers(writer.paths));
    expect(process.list(writer.paths.index)).toEqual(['00000000000000000001.ndjson']);
    process.remove(indexPath(writer.paths, 1));
    process.remove(writer.paths.index);
    run(process, removeLeftovers(writer.paths));
  });

  test('leaves a whole file or none after a power loss at any call', () => {
    for (let call = 1, done = false; !done; call += 1) {
      const { disk, process, writer, tail } = closedSegment(4);
      const segment = process.open(writer.paths.segment(1), 'read');
      process.sync(segment);
      for (const path of ['/', writer.paths.directory, writer.paths.log]) {
        process.syncDirectory(path);
      }
      const files = new OpenFiles();
      const closing = run(
        process,
        closingFactsOf(new SegmentFiles(writer.paths, files), 1, tail.last),
      );
      if (!closing) throw new Error('the segment is not closed');
      process.crashAt(process.calls + call, 'after');
      try {
        run(process, writeIndexFile(writer.paths, tail, closing));
        done = true;
      } catch (error) {
        if (!(error instanceof CrashError)) throw error;
      }
      for (let seed = 0; seed < 8; seed += 1) {
        const survivor = disk.powerLoss(seededChooser(1000 * call + seed)).process('b');
        const index = open(survivor, writer);
        if (index) compare(survivor, index, tail);
        if (done) expect(index).toBeDefined();
      }
      expect(call).toBeLessThan(40);
    }
  });
});
