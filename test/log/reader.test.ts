import { beforeEach, describe, expect, test } from 'vitest';
import { StoreDamagedError } from '#src/errors.js';
import { commitAt } from '#src/log/commits-at.js';
import type { AsyncDiskCalls, Disk } from '#src/log/disk.js';
import { type Io, runAsync, runSync, writeFully } from '#src/log/io.js';
import { type ReadSource, readAll, readStream } from '#src/log/reader.js';
import { Segments, type SegmentsOptions } from '#src/log/segments.js';
import type {
  AsyncEvents,
  ReadAllOptions,
  ReadStreamOptions,
  RecordedEvent,
  SyncEvents,
} from '#src/log/types.js';
import { SeededRandom } from '../support/random.js';
import {
  randomStream,
  SegmentWriter,
  STORE_ID,
  writeRandomLog,
} from '../support/segment-writer.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import type { SimulatedProcess } from '../support/simulated-process.js';

const SEED = 4711;

let disk: SimulatedDisk;
let process: SimulatedProcess;
let writer: SegmentWriter;

beforeEach(() => {
  disk = new SimulatedDisk({ seed: SEED });
  process = disk.process('a');
  writer = new SegmentWriter(process);
});

function fill(segments = 5, groupsInEach = 20, seed = SEED): void {
  writeRandomLog(writer, new SeededRandom(seed), segments, groupsInEach);
}

function openSegments(options: Partial<SegmentsOptions> = {}): Segments {
  return new Segments({
    paths: writer.paths,
    storeId: STORE_ID,
    tail: writer.tail,
    writable: true,
    idempotencyWindow: 100,
    ...options,
  });
}

function* fresh(): Io<void> {}

function openSource(
  segments = openSegments(),
  on: Disk = process,
): ReadSource & { segments: Segments } {
  const { place } = writer;
  return { disk: on, segments, place: () => place, freshen: fresh, told: (error) => error };
}

/** The same disk with asynchronous calls, whose answers come in a later turn of the event loop. */
function asynchronous(calls: SimulatedProcess): Disk {
  const promises = new Proxy(calls, {
    get: (target, name) => {
      const call: unknown = Reflect.get(target, name);
      if (typeof call !== 'function') return call;
      return async (...parameters: unknown[]) => {
        await new Promise((resolve) => setImmediate(resolve));
        return Reflect.apply(call, target, parameters);
      };
    },
  });
  return new Proxy(calls, {
    get: (target, name) => {
      if (name === 'promises') return promises as unknown as AsyncDiskCalls;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function matches(name: string, patterns: readonly string[] | undefined): boolean {
  if (patterns === undefined) return true;
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
  );
}

function modelAll(options: ReadAllOptions): RecordedEvent[] {
  const { from = 1, to = Number.POSITIVE_INFINITY, limit = Number.POSITIVE_INFINITY } = options;
  const events = writer.events.filter(
    (event) =>
      event.position >= from &&
      event.position <= to &&
      matches(event.stream, options.streams) &&
      matches(event.type, options.types),
  );
  if (options.direction === 'backward') events.reverse();
  return events.slice(0, limit);
}

function modelStream(stream: string, options: ReadStreamOptions): RecordedEvent[] {
  const { from = 1, to = Number.POSITIVE_INFINITY, limit = Number.POSITIVE_INFINITY } = options;
  const events = writer.events.filter(
    (event) => event.stream === stream && event.version >= from && event.version <= to,
  );
  if (options.direction === 'backward') events.reverse();
  return events.slice(0, limit);
}

function randomRange(random: SeededRandom, last: number): ReadStreamOptions {
  const [a, b] = [1 + random.below(last + 5), 1 + random.below(last + 5)];
  return {
    from: random.chance(0.5) ? Math.min(a, b) : undefined,
    to: random.chance(0.5) ? Math.max(a, b) : undefined,
    limit: random.chance(0.3) ? random.below(30) : undefined,
    direction: random.pick(['forward', 'backward', undefined]),
  };
}

function randomFilter(random: SeededRandom): Pick<ReadAllOptions, 'streams' | 'types'> {
  const streams = Array.from({ length: 1 + random.below(3) }, () => randomStream(random));
  const prefixes = ['users/*', 'notes/1*', '\u{1f600}*', 'nothing/*'];
  return {
    streams: random.pick([
      undefined,
      streams,
      [random.pick(prefixes)],
      [...streams, 'notes/2*'],
      [],
    ]),
    types: random.pick([undefined, undefined, ['user.*'], ['happened', 'counter.added'], ['*']]),
  };
}

function corrupt(path: string, at: number): void {
  const file = process.open(path, 'write');
  const byte = Buffer.alloc(1);
  process.read(file, byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 1;
  writeFully(process, file, byte, at);
  process.close(file);
}

/** What was handed out, and the error behind it. */
function taken(events: SyncEvents): { events: RecordedEvent[]; error: unknown } {
  const found: RecordedEvent[] = [];
  try {
    for (const event of events) found.push(event);
  } catch (error) {
    return { events: found, error };
  }
  return { events: found, error: undefined };
}

async function takenAsync(events: AsyncEvents): Promise<RecordedEvent[]> {
  const found: RecordedEvent[] = [];
  for await (const event of events) found.push(event);
  return found;
}

describe('reading all', () => {
  test.each([1, 2, 3, 4])('gives what was written, whatever is asked (seed %i)', (seed) => {
    fill(seed, 30 - 4 * seed, seed);
    const random = new SeededRandom(seed);
    const source = openSource();
    expect(readAll.sync(source, {}).toArray()).toEqual(writer.events);
    expect(readAll.sync(source, { direction: 'backward' }).toArray()).toEqual(
      writer.events.toReversed(),
    );
    for (let round = 0; round < 150; round += 1) {
      const range = randomRange(random, writer.records.length);
      const options = { ...range, ...randomFilter(random) };
      expect(readAll.sync(source, options).toArray(), JSON.stringify(options)).toEqual(
        modelAll(options),
      );
    }
  });

  test('gives the same asynchronously, event by event and at once', async () => {
    fill(3, 8);
    const random = new SeededRandom(SEED);
    const source = openSource(openSegments(), asynchronous(process));
    for (let round = 0; round < 20; round += 1) {
      const range = randomRange(random, writer.records.length);
      const options = { ...range, ...randomFilter(random) };
      const expected = modelAll(options);
      expect(await takenAsync(readAll.async(source, options))).toEqual(expected);
      expect(await readAll.async(source, options).toArray()).toEqual(expected);
    }
  });

  test('reads nothing behind the head, neither whole groups nor torn ones', () => {
    fill(2, 10);
    const { place } = writer;
    const written = writer.events;
    const source = openSource();
    writer.group([{ events: [{ stream: 'users/1' }] }]);
    corrupt(writer.paths.segment(place.segment), place.offset + 30);
    for (const direction of ['forward', 'backward'] as const) {
      const ordered = direction === 'forward' ? written : written.toReversed();
      const one = ordered.filter(({ stream }) => stream === 'users/1');
      const { segments } = source;
      const old = { ...source, segments, place: () => place };
      expect(readAll.sync(old, { direction }).toArray()).toEqual(ordered);
      expect(readAll.sync(old, { direction, streams: ['users/1'] }).toArray()).toEqual(one);
      expect(readAll.sync(old, { direction, to: 1e6 }).toArray()).toEqual(ordered);
    }
    expect(readAll.sync(source, { from: 1e6 }).toArray()).toEqual([]);
  });

  test('gives nothing from an empty log', () => {
    const source = openSource();
    expect(readAll.sync(source, {}).toArray()).toEqual([]);
    expect(readAll.sync(source, { direction: 'backward' }).toArray()).toEqual([]);
    expect(readAll.sync(source, { streams: ['a'] }).toArray()).toEqual([]);
    expect(readStream.sync(source, 'a', {}).toArray()).toEqual([]);
    writer.group([{ events: [{ stream: 'a' }] }]);
    writer.close();
    expect(readAll.sync(openSource(), {}).toArray()).toEqual(writer.events);
    expect(readAll.sync(openSource(), { direction: 'backward' }).toArray()).toEqual(writer.events);
  });

  test('reads lines of any length in either direction', () => {
    const lengths = [10, 5000, 300_000, 700_000, 20, 17_000, 16_384, 262_144, 30];
    for (const [number, length] of lengths.entries()) {
      const data = String(number).repeat(length);
      writer.group([
        { events: [{ stream: 'big', data }] },
        { events: [{ stream: `small/${number}` }] },
      ]);
      if (number === 4) writer.close();
    }
    const source = openSource();
    const big = writer.events.filter(({ stream }) => stream === 'big');
    expect(readAll.sync(source, {}).toArray()).toEqual(writer.events);
    expect(readStream.sync(source, 'big', {}).toArray()).toEqual(big);
    expect(readAll.sync(source, { streams: ['big'], direction: 'backward' }).toArray()).toEqual(
      big.toReversed(),
    );
    expect(readAll.sync(source, { direction: 'backward' }).toArray()).toEqual(
      writer.events.toReversed(),
    );
    for (const [index, event] of big.entries()) {
      const only = { from: event.position, to: event.position };
      expect(readAll.sync(source, only).toArray()).toEqual([event]);
      expect(readStream.sync(source, 'big', { from: index + 1, limit: 1 }).toArray()).toEqual([
        event,
      ]);
    }
  });
});

describe('reading a stream', () => {
  test.each([1, 2, 3])('gives its versions, whatever is asked (seed %i)', (seed) => {
    fill(2 * seed, 12, seed);
    const random = new SeededRandom(seed);
    const source = openSource();
    for (const stream of [...writer.versions.keys(), 'absent']) {
      expect(readStream.sync(source, stream, {}).toArray()).toEqual(modelStream(stream, {}));
      for (let round = 0; round < 8; round += 1) {
        const options = randomRange(random, writer.versions.get(stream) ?? 0);
        expect(
          readStream.sync(source, stream, options).toArray(),
          JSON.stringify({ stream, options }),
        ).toEqual(modelStream(stream, options));
      }
    }
  });

  test('goes through all of a long one in steps, in either direction', () => {
    for (let group = 0; group < 60; group += 1) {
      writer.group(
        Array.from({ length: 40 }, (_, index) => ({
          events: Array.from({ length: 1 + (index % 3) }, () => ({ stream: 'long' })),
        })),
      );
      if (group % 20 === 19) writer.close();
    }
    const source = openSource();
    expect(readStream.sync(source, 'long', {}).toArray()).toEqual(writer.events);
    expect(readStream.sync(source, 'long', { direction: 'backward' }).toArray()).toEqual(
      writer.events.toReversed(),
    );
  });

  test('gives the same asynchronously', async () => {
    fill(3, 10);
    const source = openSource(openSegments(), asynchronous(process));
    const random = new SeededRandom(SEED);
    for (let round = 0; round < 20; round += 1) {
      const stream = randomStream(random);
      const options = randomRange(random, writer.versions.get(stream) ?? 0);
      const expected = modelStream(stream, options);
      expect(await takenAsync(readStream.async(source, stream, options))).toEqual(expected);
      expect(await readStream.async(source, stream, options).toArray()).toEqual(expected);
    }
  });

  test('is unmoved by appends and rotations that happen while it goes on', async () => {
    fill(2, 10);
    const segments = openSegments();
    const source = openSource(segments, asynchronous(process));
    const expected = { all: writer.events, stream: modelStream('users/1', {}) };
    const reads = [
      takenAsync(readAll.async(source, {})),
      takenAsync(readStream.async(source, 'users/1', {})),
      takenAsync(readAll.async(source, { direction: 'backward' })),
      takenAsync(readStream.async(source, 'users/1', { direction: 'backward' })),
    ];
    for (let turn = 0; turn < 3; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      writer.close();
      segments.rotate(writer.tail, { seal: writer.closed.at(-1)?.seal ?? '' });
      writer.group([{ events: [{ stream: 'other' }] }]);
    }
    const [all, stream, allBack, streamBack] = await Promise.all(reads);
    expect(all).toEqual(expected.all);
    expect(stream).toEqual(expected.stream);
    expect(allBack).toEqual(expected.all.toReversed());
    expect(streamBack).toEqual(expected.stream.toReversed());
  });
});

describe('what reading costs', () => {
  /** What was read of the segments' files. */
  function readBytes(work: () => unknown): { reads: number; bytes: number; most: number } {
    const before = disk.trace.length;
    work();
    const reads = disk.trace
      .slice(before)
      .filter(({ method, path }) => method === 'read' && path.includes('/log/'));
    const bytes = reads.reduce((sum, { outcome }) => sum + Number(outcome), 0);
    const most = Math.max(0, ...reads.map(({ outcome }) => Number(outcome)));
    return { reads: reads.length, bytes, most };
  }

  test('depends on what is read, not on the log', () => {
    fill(6, 120);
    const segments = openSegments();
    const source = openSource(segments);
    const quiet = writer.events.find(({ stream }) => stream.startsWith('notes/'))?.stream ?? '';
    readStream.sync(source, quiet, {}).toArray();
    const size = process.facts(writer.paths.segment(1))?.size ?? 0;
    expect(size).toBeGreaterThan(150_000);

    const few = readBytes(() => readStream.sync(source, quiet, {}).toArray());
    const { length } = modelStream(quiet, {});
    expect(few.reads).toBeLessThanOrEqual(length);
    expect(few.bytes).toBeLessThanOrEqual(length * 24_000);

    const busy = writer.versions.get('users/1') ?? 0;
    for (const from of [1, Math.floor(busy / 2), busy - 3]) {
      const some = readBytes(() =>
        readStream.sync(source, 'users/1', { from, limit: 3 }).toArray(),
      );
      expect(some.reads).toBeLessThanOrEqual(4);
      expect(some.bytes).toBeLessThan(40_000);
    }
    const last = readBytes(() =>
      readAll.sync(source, { limit: 5, direction: 'backward' }).toArray(),
    );
    expect(last.reads).toBe(1);
    expect(last.bytes).toBeLessThan(64_000);
    const middle = Math.floor(writer.records.length / 2);
    const one = readBytes(() => readAll.sync(source, { from: middle, to: middle }).toArray());
    expect(one.bytes).toBeLessThan(64_000);
    expect(readBytes(() => readAll.sync(source, { streams: ['absent'] }).toArray()).bytes).toBe(0);
    const near = { from: middle, to: middle + 2, streams: ['users/1'] };
    expect(readBytes(() => readAll.sync(source, near).toArray()).bytes).toBeLessThan(64_000);
    const named = readBytes(() => readAll.sync(source, { streams: [quiet] }).toArray());
    expect(named.bytes).toBeLessThanOrEqual(length * 24_000);
  });

  test('comes in large reads when everything is read, but not in one', () => {
    fill(1, 700);
    const source = openSource();
    const size = process.facts(writer.paths.segment(1))?.size ?? 0;
    for (const direction of ['forward', 'backward'] as const) {
      const all = readBytes(() => readAll.sync(source, { direction }).toArray());
      expect(all.reads).toBeLessThan(30);
      expect(all.bytes).toBeLessThan(1.2 * size);
      expect(all.most).toBeLessThan(300_000);
    }
    const stream = readBytes(() => readStream.sync(source, 'users/1', {}).toArray());
    expect(stream.reads).toBeLessThan(30);
    expect(stream.bytes).toBeLessThan(1.4 * size);
    expect(stream.most).toBeLessThan(300_000);
    expect(size).toBeGreaterThan(900_000);
  });

  test('is no descriptor, whether one reads to the end, leaves, or fails', async () => {
    fill(4, 10);
    const own = process.openFiles.length;
    const segments = openSegments({ openFilesMax: 2 });
    const source = openSource(segments, asynchronous(process));
    const other = readAll.async(source, {})[Symbol.asyncIterator]();
    const seen = [(await other.next()).value];
    for (let round = 0; round < 30; round += 1) {
      for await (const event of readAll.async(source, { from: 1 + round })) {
        expect(event.position).toBe(1 + round);
        break;
      }
      for (const event of readStream.sync(openSource(segments), 'users/1', {})) {
        expect(event.version).toBe(1);
        break;
      }
      expect(process.openFiles.length - own).toBeLessThanOrEqual(2);
    }
    const stop = process.inject({ method: 'read', path: /log/, code: 'EIO' });
    await expect(readAll.async(source, {}).toArray()).rejects.toMatchObject({ code: 'EIO' });
    stop();
    for (let next = await other.next(); !next.done; next = await other.next())
      seen.push(next.value);
    expect(seen).toEqual(writer.events);
    await runAsync(source.disk, segments.close());
    expect(process.openFiles.length).toBe(own);
  });
});

describe('events', () => {
  test('are deeply frozen', () => {
    fill(1, 3);
    for (const event of readAll.sync(openSource(), {})) {
      const { list } = event.data as { list: unknown[] };
      for (const value of [event, event.data, list, list[1]]) {
        expect(Object.isFrozen(value)).toBe(true);
      }
    }
  });

  test('of one commit are read at its offset', () => {
    fill(3, 5);
    const segments = openSegments();
    for (const { segment, offset, events } of writer.records) {
      expect(runSync(process, commitAt({ segments }, segment, offset))).toEqual(events);
    }
    const [first] = writer.records;
    const beside = commitAt({ segments }, 1, (first?.offset ?? 0) + 1);
    expect(() => runSync(process, beside)).toThrow(StoreDamagedError);
  });

  test('can be iterated again, and are then read anew', () => {
    fill(2, 5);
    const events = readAll.sync(openSource(), {});
    expect([...events]).toEqual(writer.events);
    expect([...events]).toEqual(writer.events);
  });
});

describe('damage', () => {
  test.each(['tail', 'closed', 'closed, without index'])(
    'is told with file, offset and position, behind all that stands before it (%s)',
    (where) => {
      fill(3, 10);
      const segments = openSegments();
      if (where === 'closed') runSync(process, segments.version('absent'));
      const segment = where === 'tail' ? writer.tail.first : (writer.closed[1]?.tail.first ?? 0);
      const inside = writer.records.filter((record) => record.segment === segment);
      const record = inside[Math.floor(inside.length / 2)];
      if (!record) throw new Error('there is no commit');
      const { position, offset, events } = record;
      corrupt(writer.paths.segment(segment), offset + 60);
      const source = openSource(segments);
      const problem = {
        code: 'STORE_DAMAGED',
        file: writer.paths.segment(segment),
        offset,
        position,
        command: `recollect salvage ${writer.paths.directory} ${writer.paths.directory}-salvaged`,
      };

      const forward = taken(readAll.sync(source, {}));
      expect(forward.events).toEqual(modelAll({ to: position - 1 }));
      expect(forward.error).toBeInstanceOf(StoreDamagedError);
      expect(forward.error).toMatchObject(problem);
      expect(taken(readAll.sync(source, { from: position }))).toMatchObject({
        error: problem,
        events: [],
      });

      const before = { to: position - 1 } as const;
      expect(readAll.sync(source, before).toArray()).toEqual(modelAll(before));
      const back = { to: position - 1, direction: 'backward' } as const;
      expect(readAll.sync(source, back).toArray()).toEqual(modelAll(back));

      const backward = taken(readAll.sync(source, { direction: 'backward' }));
      expect(backward.error).toMatchObject(problem);
      const behind = modelAll({ from: position + 1, direction: 'backward' });
      expect(backward.events).toEqual(behind.slice(0, backward.events.length));

      const stream = events[0]?.stream ?? '';
      const named = taken(readAll.sync(source, { streams: [stream] }));
      expect(named.events).toEqual(modelAll({ streams: [stream], to: position - 1 }));
      expect(named.error).toMatchObject(problem);
      if (where !== 'closed, without index') {
        const versions = taken(readStream.sync(source, stream, {}));
        expect(versions.events).toEqual(named.events);
        expect(versions.error).toMatchObject(problem);
        const at = commitAt({ segments }, segment, offset);
        expect(() => runSync(process, at)).toThrow(expect.objectContaining(problem));
      }
    },
  );

  test('of a seal line is told, too', () => {
    fill(1, 4);
    const second = writer.records.find(({ events }) => events[0]?.time !== writer.events[0]?.time);
    corrupt(writer.paths.segment(1), (second?.offset ?? 0) - 60);
    const { events, error } = taken(readAll.sync(openSource(), {}));
    const before = writer.records[(second?.position ?? 0) - 2];
    expect(error).toMatchObject({
      code: 'STORE_DAMAGED',
      position: second?.position,
      offset: (before?.offset ?? 0) + (before?.bytes ?? 0),
    });
    expect(events).toEqual(modelAll({ to: (second?.position ?? 0) - 1 }));
    expect(taken(readAll.sync(openSource(), { direction: 'backward' })).error).toMatchObject({
      code: 'STORE_DAMAGED',
    });
  });

  test('is a commit that stands twice, though its checksum is right', () => {
    const data = 'x';
    for (let number = 0; number < 4; number += 1) {
      writer.group([{ events: [{ stream: `s/${number}`, data }] }]);
    }
    const [, second, third] = writer.records;
    if (!second || !third) throw new Error('there is no commit');
    const path = writer.paths.segment(1);
    const file = process.open(path, 'write');
    const line = Buffer.alloc(second.bytes);
    process.read(file, line, 0, line.length, second.offset);
    writeFully(process, file, line, third.offset);
    process.close(file);
    const { events, error } = taken(readAll.sync(openSource(), {}));
    expect(events).toEqual(modelAll({ to: 2 }));
    expect(error).toMatchObject({ code: 'STORE_DAMAGED', offset: third.offset, position: 3 });
    expect(taken(readStream.sync(openSource(), 's/2', {})).error).toMatchObject({
      code: 'STORE_DAMAGED',
      offset: third.offset,
      position: 3,
    });
  });

  test('is a file that ends before the head', () => {
    fill(2, 5);
    const last = writer.records.at(-1);
    const path = writer.paths.segment(writer.tail.first);
    const file = process.open(path, 'write');
    process.truncate(file, last?.offset ?? 0);
    process.close(file);
    const { events, error } = taken(readAll.sync(openSource(), {}));
    expect(events).toEqual(modelAll({ to: (last?.position ?? 0) - 1 }));
    expect(error).toMatchObject({
      code: 'STORE_DAMAGED',
      offset: last?.offset,
      position: last?.position,
    });
    const stream = last?.events[0]?.stream ?? '';
    expect(taken(readStream.sync(openSource(), stream, {})).error).toMatchObject({
      code: 'STORE_DAMAGED',
      offset: last?.offset,
    });
  });

  test('that the disk tells as an error is no damage', () => {
    fill(2, 5);
    const source = { ...openSource(), told: () => new Error('told') };
    process.inject({ method: 'read', code: 'EIO' });
    expect(() => readAll.sync(source, {}).toArray()).toThrow('told');
    expect(readAll.sync(source, {}).toArray()).toEqual(writer.events);
  });
});

describe('arguments', () => {
  const wrong: ReadAllOptions[] = [
    { from: 5, to: 4 },
    { from: 0 },
    { from: -1 },
    { from: 1.5 },
    { to: Number.NaN },
    { to: -1 },
    { limit: -1 },
    { limit: Number.POSITIVE_INFINITY },
    { from: '1' as unknown as number },
    { direction: 'up' as unknown as 'forward' },
    { streams: 'users/*' as unknown as string[] },
    { types: [1] as unknown as string[] },
  ];

  test.each(wrong)('%o are refused at once', (options) => {
    const source = openSource();
    const refused = expect.objectContaining({ name: 'TypeError', code: 'INVALID_ARGUMENT' });
    expect(() => readAll.sync(source, options)).toThrow(refused);
    expect(() => readAll.async(source, options)).toThrow(refused);
    if (options.streams || options.types) return;
    expect(() => readStream.sync(source, 'a', options)).toThrow(refused);
    expect(() => readStream.async(source, 'a', options)).toThrow(refused);
  });

  test('that are undefined count as absent', () => {
    fill(1, 3);
    const options = {
      from: undefined,
      to: undefined,
      direction: undefined,
      limit: undefined,
      streams: undefined,
      types: undefined,
    };
    expect(readAll.sync(openSource(), options).toArray()).toEqual(writer.events);
  });
});
