import { beforeEach, describe, expect, test } from 'vitest';
import { StoreDamagedError } from '#src/errors.js';
import { indexPath } from '#src/log/index-file.js';
import { type Io, runSync, writeFully } from '#src/log/io.js';
import { Segments, type SegmentsOptions } from '#src/log/segments.js';
import { SeededRandom } from '../support/random.js';
import { SegmentWriter, STORE_ID, writeRandomLog } from '../support/segment-writer.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import type { SimulatedProcess } from '../support/simulated-process.js';
import { step } from '../support/stepping.js';

const SEED = 77;
const WINDOW = 60;

let disk: SimulatedDisk;
let process: SimulatedProcess;
let writer: SegmentWriter;

beforeEach(() => {
  disk = new SimulatedDisk({ seed: SEED });
  process = disk.process('a');
  writer = new SegmentWriter(process);
});

function fill(segments = 6, groupsInEach = 12, seed = SEED): void {
  writeRandomLog(writer, new SeededRandom(seed), segments, groupsInEach);
}

function openSegments(options: Partial<SegmentsOptions> = {}): Segments {
  return new Segments({
    paths: writer.paths,
    storeId: STORE_ID,
    tail: writer.tail,
    writable: true,
    idempotencyWindow: WINDOW,
    ...options,
  });
}

function run<T>(work: Io<T>): T {
  return runSync(process, work);
}

function streams(): string[] {
  return [...writer.versions.keys(), 'absent', 'users/', '\u{1f600}'];
}

/** The last commit with that key among the last keyed ones, in the model. */
function modelKey(key: string, window = WINDOW) {
  const keyed = writer.records.filter((record) => record.key !== undefined);
  return keyed.slice(-window).findLast((record) => record.key === key);
}

function allKeys(): string[] {
  return [...new Set(writer.records.flatMap(({ key }) => key ?? [])), 'absent', 'key-'];
}

function checkAll(segments: Segments): void {
  for (const stream of streams()) {
    const version = writer.versions.get(stream) ?? 0;
    expect(run(segments.version(stream))).toBe(version);
    expect(segments.versionNow(stream)).toBe(version);
  }
  for (const key of allKeys()) {
    const expected = modelKey(key);
    const found = run(segments.findKey(key));
    expect(found?.position).toBe(expected?.position);
    expect(found?.offset).toBe(expected?.offset);
    expect(found?.segment).toBe(expected?.segment);
    if (expected) expect(segments.mayHaveKeyNow(key)).toBe(true);
  }
}

function corrupt(path: string, at: number): void {
  const file = process.open(path, 'write');
  const byte = Buffer.alloc(1);
  process.read(file, byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 1;
  writeFully(process, file, byte, at);
  process.close(file);
}

function indexNames(): string[] {
  return process.list(writer.paths.index);
}

describe('segments', () => {
  test.each([1, 2, 3, 4])('know versions and keys of the whole log (seed %i)', (seed) => {
    fill(2 + seed, 4 * seed, seed);
    checkAll(openSegments());
    checkAll(openSegments());
  });

  test('find what they are asked by position and by version', () => {
    fill();
    const segments = openSegments();
    for (const { position, segment, offset } of writer.records) {
      expect(run(segments.segmentOf(position))).toBe(segment);
      const before = run(segments.commitBefore(segment, position));
      expect(before.position).toBeLessThanOrEqual(position);
      expect(position - before.position).toBeLessThan(64);
      const known = writer.records[before.position - 1];
      if (before.offset > 0) expect(before.offset).toBe(known?.offset);
      else expect(before.position).toBe(segment);
      expect(offset).toBeGreaterThanOrEqual(before.offset);
      expect(run(segments.lastOf(segment))).toBe(
        writer.records.findLast((record) => record.segment === segment)?.position,
      );
    }
    const random = new SeededRandom(SEED);
    for (const stream of writer.versions.keys()) {
      const holding = writer.records.filter(({ events }) =>
        events.some((e) => e.stream === stream),
      );
      const names = [...new Set(holding.map(({ segment }) => segment))];
      const version = 1 + random.below(writer.versions.get(stream) ?? 1);
      const at = writer.records.find(({ events }) =>
        events.some((e) => e.stream === stream && e.version === version),
      );
      for (const wanted of [1, version, writer.versions.get(stream) ?? 1]) {
        const found = run(segments.holding(stream, wanted)) ?? 0;
        expect(run(segments.commitsIn(found, stream, wanted, wanted))).toHaveLength(1);
      }
      expect(run(segments.holding(stream, version))).toBe(at?.segment);
      names.forEach((name, index) => {
        expect(run(segments.nextHolding(name, stream, 1))).toBe(names[index + 1]);
        expect(run(segments.nextHolding(name, stream, -1))).toBe(names[index - 1]);
        const offsets = holding.filter((r) => r.segment === name).map(({ offset: o }) => o);
        expect(run(segments.commitsIn(name, stream, 1, 1e9))).toEqual(offsets);
      });
    }
  });

  test('sum up', () => {
    fill();
    expect(run(openSegments().facts())).toEqual({
      segments: 6,
      commits: writer.records.length,
      events: writer.events.length,
      keyed: writer.records.filter(({ key }) => key !== undefined).length,
      closedBytes: writer.closed
        .map(({ tail }) => process.facts(writer.paths.segment(tail.first))?.size ?? 0)
        .reduce((sum, size) => sum + size),
    });
  });

  test('need no file at all while there is one segment', () => {
    fill(1);
    const segments = openSegments();
    const { calls } = process;
    checkAll(segments);
    expect(process.calls).toBe(calls);
  });

  test('keep few files open and give all back', () => {
    fill(12, 2);
    const own = process.openFiles.length;
    const segments = openSegments({ openFilesMax: 3, blockBytesMax: 1, directoryBytesMax: 1 });
    checkAll(segments);
    expect(process.openFiles.length - own).toBeLessThanOrEqual(3);
    run(segments.close());
    expect(process.openFiles.length).toBe(own);
    expect(() => run(segments.read(1, Buffer.alloc(10), 0, 10, 0))).toThrow(
      expect.objectContaining({ code: 'STORE_CLOSED' }),
    );
  });

  test('answer within very little memory', () => {
    fill();
    checkAll(openSegments({ blockBytesMax: 1, directoryBytesMax: 1, versionsMax: 2 }));
  });
});

describe('index files', () => {
  test('are made from the segments when they are missing, once', () => {
    fill();
    expect(indexNames()).toEqual([]);
    checkAll(openSegments());
    expect(indexNames()).toHaveLength(5);
    const writes = process.count('write');
    checkAll(openSegments());
    expect(process.count('write')).toBe(writes);
  });

  test('are not made by a reader, who answers all the same', () => {
    fill();
    const { calls } = process;
    const changing = ['write', 'sync', 'rename', 'remove', 'makeDirectory'] as const;
    const before = changing.map((method) => process.count(method));
    const segments = openSegments({ writable: false });
    checkAll(segments);
    expect(changing.map((method) => process.count(method))).toEqual(before);
    expect(process.calls).toBeGreaterThan(calls);
    checkAll(openSegments({ writable: false, imageBytesMax: 1, blockBytesMax: 1 }));
  });

  test('are built again when a piece turns out to be broken while it is used', () => {
    fill();
    checkAll(openSegments());
    for (const { tail } of writer.closed) {
      const path = indexPath(writer.paths, tail.first);
      // Inside the first block of streams: header, directories and trailer stay right.
      corrupt(path, 600);
    }
    const renames = process.count('rename');
    const segments = openSegments({ blockBytesMax: 1 });
    checkAll(segments);
    checkAll(segments);
    checkAll(openSegments());
    expect(process.count('rename') - renames).toBe(5);
  });

  test('may vanish at any time', () => {
    fill();
    const segments = openSegments({ blockBytesMax: 1, openFilesMax: 1, versionsMax: 2 });
    checkAll(segments);
    for (const name of indexNames()) process.remove(`${writer.paths.index}/${name}`);
    checkAll(segments);
    expect(indexNames()).toHaveLength(5);
  });

  test('written by another process relieve a reader of scanning', () => {
    fill();
    const limits = { imageBytesMax: 1, blockBytesMax: 1, directoryBytesMax: 1, versionsMax: 2 };
    const reader = openSegments({ writable: false, ...limits });
    checkAll(reader);
    checkAll(openSegments());
    checkAll(reader);
    const before = disk.trace.length;
    checkAll(reader);
    const reads = disk.trace
      .slice(before)
      .filter(({ method, path }) => method === 'read' && path.includes('/log/'));
    expect(reads).toEqual([]);
  });

  test.each(['ENOSPC', 'EACCES', 'EROFS', 'EIO', 'EDQUOT'])(
    'that cannot be written (%s) stop nobody',
    (code) => {
      fill();
      const stop = process.inject({
        method: ['open', 'write', 'rename', 'sync', 'makeDirectory', 'syncDirectory'],
        path: /index.*(tmp|index)$/,
        code,
        lasting: true,
      });
      const segments = openSegments();
      checkAll(segments);
      run(segments.writePendingIndexes());
      stop();
      checkAll(openSegments());
      expect(indexNames()).toHaveLength(5);
    },
  );

  test('are asked for without a scan when another process has written them', () => {
    fill(2);
    checkAll(openSegments());
    writeRandomLog(writer, new SeededRandom(5), 1, 3);
    const segments = openSegments();
    const old = writer.tail;
    writer.close();
    segments.rotate(writer.tail, { seal: writer.closed.at(-1)?.seal ?? '' });
    const other = openSegments();
    checkAll(other);
    expect(indexNames()).toHaveLength(2);
    const writes = process.count('write');
    run(segments.writePendingIndexes());
    expect(process.count('write')).toBe(writes);
    expect(old.last).toBe(writer.place.position);
    checkAll(segments);
  });
});

describe('a rotation', () => {
  function rotate(segments: Segments): void {
    writer.close();
    segments.rotate(writer.tail, { seal: writer.closed.at(-1)?.seal ?? '' });
  }

  test('changes no answer, with any cache, written or not', () => {
    for (const versionsMax of [2, 20, 100_000]) {
      const fresh = new SimulatedDisk({ seed: versionsMax });
      process = fresh.process('a');
      writer = new SegmentWriter(process);
      const random = new SeededRandom(versionsMax);
      fill(3, 3, versionsMax);
      const segments = openSegments({ versionsMax });
      checkAll(segments);
      for (let round = 0; round < 5; round += 1) {
        writeRandomLog(writer, random, 1, 3);
        checkAll(segments);
        rotate(segments);
        checkAll(segments);
        if (random.chance(0.5)) run(segments.writePendingIndexes());
        checkAll(segments);
      }
      expect(segments.count).toBe(8);
      expect(segments.keyed - segments.tail.keyed).toBe(
        writer.records.filter(
          (r) => r.segment > (writer.closed[1]?.tail.first ?? 0) && r.key !== undefined,
        ).length - segments.tail.keyed,
      );
      run(segments.close());
    }
  });

  test('takes no read: what was closed answers from memory, and from its filters once it is written', () => {
    fill(1);
    const segments = openSegments();
    rotate(segments);
    const { calls } = process;
    for (const stream of streams()) {
      expect(segments.versionNow(stream)).toBe(writer.versions.get(stream) ?? 0);
    }
    for (const key of allKeys()) {
      expect(segments.mayHaveKeyNow(key)).toBe(modelKey(key, 1e9) !== undefined);
    }
    expect(process.calls).toBe(calls);
    run(segments.writePendingIndexes());
    expect(indexNames()).toHaveLength(1);
    const written = process.calls;
    for (const stream of writer.versions.keys()) {
      expect(segments.versionNow(stream)).toBe(writer.versions.get(stream));
    }
    const unknown = Array.from({ length: 1000 }, (_, number) => `unknown/${number}`);
    expect(unknown.filter((name) => segments.versionNow(name) !== 0).length).toBeLessThan(40);
    expect(unknown.filter((name) => segments.mayHaveKeyNow(name)).length).toBeLessThan(40);
    expect(process.calls).toBe(written);
  });

  test('in the middle of a look-up is seen by it, after whichever call', () => {
    for (let before = 0, early = false; !early; before += 1) {
      process = new SimulatedDisk({ seed: before }).process('a');
      writer = new SegmentWriter(process);
      fill(3, 2);
      const segments = openSegments();
      const version = segments.version('late');
      const found = segments.findKey('late');
      let [a, b] = [step(process, version), step(process, found)];
      for (let calls = 0; calls < before; calls += 1) {
        if (!a.done) a = step(process, version, a);
        if (!b.done) b = step(process, found, b);
      }
      early = a.done && b.done;
      const open = { version: !a.done, found: !b.done };
      const late = { stream: 'late' };
      writer.group([{ events: [late, late], idempotencyKey: 'late' }]);
      rotate(segments);
      if (before % 2 === 0) writer.group([{ events: [late] }]);
      const [last, position] =
        before % 2 === 0 ? [3, writer.place.position - 1] : [2, writer.place.position];
      while (!a.done) a = step(process, version, a);
      while (!b.done) b = step(process, found, b);
      if (open.version) expect(a.answer).toBe(last);
      if (open.found) expect(b.answer).toMatchObject({ position });
      expect(run(segments.version('late'))).toBe(last);
      expect(segments.versionNow('late')).toBe(last);
      expect(run(segments.findKey('late'))).toMatchObject({ position });
    }
  });

  test('leaves one index to write, however many calls write what is pending', () => {
    fill(1, 5);
    const segments = openSegments();
    rotate(segments);
    const works = [segments.writePendingIndexes(), segments.writePendingIndexes()];
    const states = works.map((work) => step(process, work));
    while (states.some(({ done }) => !done)) {
      works.forEach((work, at) => {
        const state = states[at];
        if (state && !state.done) states[at] = step(process, work, state);
      });
    }
    expect(process.count('rename')).toBe(1);
    expect(indexNames()).toHaveLength(1);
    checkAll(segments);
  });

  test('with another seal than the one in the closing line is damage', () => {
    fill(1, 2);
    const segments = openSegments();
    writer.close();
    segments.rotate(writer.tail, { seal: 'f'.repeat(64) });
    expect(() => run(segments.writePendingIndexes())).toThrow(StoreDamagedError);
  });
});

describe('the idempotency window', () => {
  test('forgets keys once enough others came after them, across segments', () => {
    for (let number = 1; number <= 40; number += 1) {
      writer.group([{ events: [{ stream: 's' }], idempotencyKey: `key-${number}` }]);
      writer.group([{ events: [{ stream: 's' }] }]);
      if (number % 7 === 0) writer.close();
    }
    for (const window of [1, 5, 6, 20, 40, 100]) {
      const segments = openSegments({ idempotencyWindow: window });
      for (let number = 1; number <= 40; number += 1) {
        const inside = number > 40 - window;
        const found = run(segments.findKey(`key-${number}`));
        expect(found?.position).toBe(inside ? 2 * number - 1 : undefined);
        if (found) expect(segments.keyed - found.ordinal).toBe(40 - number);
        if (inside) expect(segments.mayHaveKeyNow(`key-${number}`)).toBe(true);
      }
      expect(segments.keyed).toBe(5);
      expect(segments.mayHaveKeyNow('absent')).toBe(false);
    }
    expect(run(openSegments({ keyedBeforeTail: 35 }).findKey('key-12'))?.ordinal).toBe(12);
  });
});

describe('building an index again', () => {
  test('parses the segment once, however many readers need it at the same time', () => {
    fill(2, 40);
    const segments = openSegments();
    const names = [...writer.versions.keys()].slice(0, 8);
    const works = names.map((stream) => segments.version(stream));
    const states = works.map((work) => step(process, work));
    const random = new SeededRandom(3);
    while (states.some(({ done }) => !done)) {
      const at = random.below(works.length);
      const state = states[at];
      const work = works[at];
      if (state && work && !state.done) states[at] = step(process, work, state);
    }
    expect(states.map(({ answer }) => answer)).toEqual(
      names.map((name) => writer.versions.get(name)),
    );
    expect(indexNames()).toHaveLength(1);
    expect(process.count('rename')).toBe(1);
    checkAll(segments);
  });

  test('can be ended by a synchronous caller while an asynchronous one waits for the disk', () => {
    fill(2, 40);
    const segments = openSegments();
    const [name = ''] = writer.versions.keys();
    for (let calls = 0; calls < 12; calls += 1) {
      const waiting = segments.version(name);
      let state = step(process, waiting);
      for (let made = 0; made < calls && !state.done; made += 1)
        state = step(process, waiting, state);
      expect(run(segments.version(name))).toBe(writer.versions.get(name));
      while (!state.done) state = step(process, waiting, state);
      expect(state.answer).toBe(writer.versions.get(name));
    }
  });

  test('finds damage, and says where', () => {
    fill(4);
    const second = writer.closed[1]?.tail.first ?? 0;
    const record = writer.records.find(({ position }) => position === second + 5);
    corrupt(writer.paths.segment(second), (record?.offset ?? 0) + 40);
    const segments = openSegments();
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const error = caught(() => run(segments.version('absent')));
      expect(error).toBeInstanceOf(StoreDamagedError);
      expect(error).toMatchObject({
        file: writer.paths.segment(second),
        offset: record?.offset,
        position: second + 5,
        problem: 'a wrong checksum',
      });
    }
  });

  test.each([
    ['has lost its end', (bytes: Buffer) => bytes.subarray(0, -1)],
    [
      'has lost its closing line',
      (bytes: Buffer) => bytes.subarray(0, bytes.lastIndexOf('{"close"')),
    ],
    [
      'goes on behind its closing line',
      (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('x')]),
    ],
    ['has another line behind it', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('{}\n')])],
    ['is empty', () => Buffer.alloc(0)],
    ['has no header', (bytes: Buffer) => bytes.subarray(bytes.indexOf('\n') + 1)],
  ])('calls a segment damaged that %s', (_, change) => {
    fill(3, 3);
    const path = writer.paths.segment(1);
    const file = process.open(path, 'write');
    const bytes = Buffer.alloc(process.size(file));
    process.read(file, bytes, 0, bytes.length, 0);
    process.truncate(file, 0);
    writeFully(process, file, change(bytes), 0);
    process.close(file);
    expect(() => run(openSegments().version('absent'))).toThrow(StoreDamagedError);
  });

  test.each([
    [0, false],
    [1, false],
    [0, true],
    [1, true],
  ])('calls a missing segment damage (number %i, others indexed: %s)', (number, indexed) => {
    fill(4);
    if (indexed) checkAll(openSegments());
    const first = writer.closed[number]?.tail.first ?? 0;
    process.remove(writer.paths.segment(first));
    expect(caught(() => run(openSegments().version('absent')))).toMatchObject({
      code: 'STORE_DAMAGED',
      file: writer.paths.segment(first),
      position: first,
      problem: 'the segment is missing',
    });
  });

  test('calls a segment that vanished while it was known damage, too', () => {
    fill(4);
    const segments = openSegments({ openFilesMax: 1 });
    checkAll(segments);
    const buffer = Buffer.alloc(10);
    expect(run(segments.read(1, buffer, 0, 10, 0))).toBe(10);
    run(segments.read(writer.tail.first, buffer, 0, 10, 0));
    process.remove(writer.paths.segment(1));
    expect(caught(() => run(segments.read(1, buffer, 0, 10, 0)))).toMatchObject({
      code: 'STORE_DAMAGED',
      position: 1,
    });
  });

  test('tells a want of descriptors, and works the next time', () => {
    fill(3);
    const segments = openSegments();
    for (let call = 1; call < 12; call += 1) {
      const stop = process.inject({ method: 'open', code: 'EMFILE', call });
      try {
        run(segments.version('absent'));
      } catch (error) {
        expect(error).toMatchObject({ code: 'EMFILE' });
      }
      stop();
    }
    checkAll(segments);
  });
});

function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
