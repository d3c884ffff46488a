import { beforeEach, describe, expect, test } from 'vitest';
import { ByteLru } from '#src/log/byte-lru.js';
import { ask, type Io, runSync } from '#src/log/io.js';
import { OpenFiles, readFully } from '#src/log/open-files.js';
import { VersionCache } from '#src/log/version-cache.js';
import { SeededRandom } from '../support/random.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import type { SimulatedProcess } from '../support/simulated-process.js';
import { type Stepped, step } from '../support/stepping.js';

let process: SimulatedProcess;
const paths = ['/a', '/b', '/c', '/d'];

beforeEach(() => {
  process = new SimulatedDisk().process('a');
  for (const path of paths) {
    const file = process.open(path, 'create');
    process.write(file, Buffer.from(path.repeat(100)), 0, 200, 0);
    process.close(file);
  }
});

function* content(files: OpenFiles, path: string): Io<string> {
  const bytes = Buffer.alloc(2);
  yield* files.use(path, (file) => readFully(file, bytes, 0, 2, 0));
  return bytes.toString();
}

function read(files: OpenFiles, path: string): string {
  return runSync(process, content(files, path));
}

describe('open files', () => {
  test('are opened once, and closed when others were used since', () => {
    const files = new OpenFiles(2);
    for (const path of ['/a', '/a', '/b', '/a', '/c', '/a', '/b']) {
      expect(read(files, path)).toBe(path);
    }
    expect(process.count('open') - paths.length).toBe(4);
    expect([...process.openFiles].sort()).toEqual(['/a', '/b']);
    runSync(process, files.close());
    expect(process.openFiles).toEqual([]);
    expect(() => read(files, '/a')).toThrow(expect.objectContaining({ code: 'STORE_CLOSED' }));
  });

  test('that nobody uses are let go of, and the others when their users are done', () => {
    const files = new OpenFiles(4);
    for (const path of ['/a', '/b']) read(files, path);
    const using = files.use('/a', function* (): Io<string[]> {
      yield* files.letGo();
      return [...process.openFiles];
    });
    expect(runSync(process, using)).toEqual(['/a']);
    runSync(process, files.letGo());
    expect(process.openFiles).toEqual([]);
    expect(read(files, '/a')).toBe('/a');
  });

  test('are never closed while they are used, nor left open afterwards, however uses cross', () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const random = new SeededRandom(seed);
      const files = new OpenFiles(1 + random.below(2));
      const wanted = Array.from({ length: 6 }, () => random.pick(paths));
      const works: Io<unknown>[] = wanted.map((path) => content(files, path));
      if (random.chance(0.5)) works.push(files.forget(random.pick(paths)));
      const states: (Stepped | undefined)[] = works.map(() => undefined);
      for (let at = random.below(works.length); states.some((s) => !s?.done); ) {
        const [work, state] = [works[at], states[at]];
        if (work && !state?.done) states[at] = step(process, work, state);
        at = random.below(works.length);
      }
      expect(states.slice(0, 6).map((state) => state?.answer)).toEqual(wanted);
      runSync(process, files.close());
      expect(process.openFiles).toEqual([]);
    }
  });

  test('that are used when all are closed are closed by their user', () => {
    for (let before = 0; before < 4; before += 1) {
      const files = new OpenFiles();
      const work = content(files, '/a');
      let state = step(process, work);
      for (let calls = 0; calls < before && !state.done; calls += 1) {
        state = step(process, work, state);
      }
      runSync(process, files.close());
      try {
        while (!state.done) state = step(process, work, state);
        expect(state.answer).toBe('/a');
      } catch (error) {
        expect(error).toMatchObject({ code: 'STORE_CLOSED' });
      }
      expect(process.openFiles).toEqual([]);
    }
  });

  test('show what stands at the path once they were forgotten', () => {
    const files = new OpenFiles();
    expect(read(files, '/a')).toBe('/a');
    process.rename('/b', '/a');
    expect(read(files, '/a')).toBe('/a');
    runSync(process, files.forget('/a'));
    expect(read(files, '/a')).toBe('/b');
  });

  test('survive a failing read and a failing close', () => {
    const files = new OpenFiles(1);
    process.inject({ method: 'read', code: 'EIO' });
    expect(() => read(files, '/a')).toThrow(expect.objectContaining({ code: 'EIO' }));
    process.inject({ method: 'close', code: 'EIO', applied: true });
    expect(read(files, '/b')).toBe('/b');
    expect(process.openFiles).toEqual(['/b']);
  });

  test('are read to the end through short counts', () => {
    const files = new OpenFiles();
    const bytes = Buffer.alloc(300);
    process.inject({ method: 'read' });
    const work = files.use('/a', (file) => readFully(file, bytes, 10, 290, 1));
    expect(runSync(process, work)).toBe(199);
    expect(bytes.toString('latin1', 10, 14)).toBe('a/a/');
    expect(
      runSync(
        process,
        files.use('/a', (file) => ask('size', file)),
      ),
    ).toBe(200);
  });
});

describe('a map bounded in bytes', () => {
  test('drops what was used least recently, and keeps the newest whatever its size', () => {
    const lru = new ByteLru<string, number>(100);
    for (const [number, key] of ['a', 'b', 'c', 'd'].entries()) lru.set(key, number, 25);
    expect(lru.get('a')).toBe(0);
    expect(lru.peek('b')).toBe(1);
    lru.set('e', 4, 25);
    expect(['a', 'b', 'c', 'd', 'e'].map((key) => lru.peek(key))).toEqual([0, undefined, 2, 3, 4]);
    lru.set('a', 5, 50);
    expect(['a', 'c', 'd', 'e'].map((key) => lru.peek(key))).toEqual([5, undefined, 3, 4]);
    expect(lru.bytes).toBe(100);
    lru.set('huge', 6, 1000);
    expect(lru.bytes).toBe(1000);
    expect(lru.get('huge')).toBe(6);
    lru.set('f', 7, 1);
    expect(lru.bytes).toBe(1);
    lru.delete('f');
    lru.delete('f');
    expect(lru.bytes).toBe(0);
  });
});

describe('a cache of versions', () => {
  test('never shows an older version than the last one set, and stays within its bound', () => {
    const random = new SeededRandom(9);
    const cache = new VersionCache(20);
    const model = new Map<string, number>();
    let found = 0;
    for (let round = 1; round < 5000; round += 1) {
      const stream = `s/${random.below(random.chance(0.5) ? 5 : 60)}`;
      if (random.chance(0.3)) {
        cache.set(stream, round);
        model.set(stream, round);
      } else {
        const version = cache.get(stream);
        if (version !== undefined) found += 1;
        expect([undefined, model.get(stream)]).toContain(version);
      }
      expect(cache.size).toBeLessThanOrEqual(20);
    }
    expect(found).toBeGreaterThan(1500);
  });
});
