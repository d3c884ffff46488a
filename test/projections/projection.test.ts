import { describe, expect, test } from 'vitest';
import { StoreClosedError } from '#src/errors.js';
import type { RecordedEvent } from '#src/log/types.js';
import { NEEDS_IO } from '#src/projections/key-reader.js';
import { step } from '../support/stepping.js';
import {
  ABSENT,
  counting,
  FakeLog,
  listed,
  type PlainDefinition,
  type PlainEvent,
  ReadFailure,
  routeAll,
  run,
  world,
} from './fakes.js';

const added = (stream: string) => ({ stream, type: 'added' });

/** The keys of an event stand in its data; an event without them cannot be routed. */
const byData: PlainDefinition = {
  keysOf: (event: RecordedEvent) => {
    const { keys } = event.data as { keys?: string[] };
    if (!keys) throw new Error('no keys');
    return keys;
  },
  on: counting,
};
const tagged = (...keys: string[]) => ({ stream: 's', type: 'added', data: { keys } });

function failureOf(act: () => unknown): ReadFailure {
  try {
    act();
  } catch (error) {
    if (error instanceof ReadFailure) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('reading a key', () => {
  test('folds its events', () => {
    const { log, projection } = world();
    const runtime = projection({ on: counting });
    log.append(added('a'), added('b'), added('a'));
    log.append(added('a'), { stream: 'a', type: 'not handled' });
    routeAll(log, runtime);
    expect(run(log, runtime.state('a'))).toBe(3);
    expect(run(log, runtime.state('b'))).toBe(1);
    expect(run(log, runtime.state('c'))).toBe(ABSENT);
  });

  test('again needs no I/O and takes the state that is hot', () => {
    const { log, projection } = world();
    const runtime = projection({ on: counting });
    log.append(added('a'));
    log.atHandFrom = 10;
    routeAll(log, runtime);
    expect(runtime.stateNow('a')).toBe(NEEDS_IO);
    run(log, runtime.state('a'));
    expect(runtime.stateNow('a')).toBe(1);
    expect(runtime.hot.get('a')).toBe(1);
    expect(log.calls()).toBe(1);
  });

  test('folds only the events behind the state it knows', () => {
    const { log, projection } = world();
    const seen: number[] = [];
    const added = (state: unknown, { position }: RecordedEvent) => {
      seen.push(position);
      return (state as number) + 1;
    };
    const runtime = projection({ on: { added } });
    log.append({ stream: 'a', type: 'added' });
    log.append({ stream: 'a', type: 'added' });
    routeAll(log, runtime);
    run(log, runtime.state('a'));
    log.append({ stream: 'a', type: 'added' });
    routeAll(log, runtime);
    expect(runtime.hot.size).toBe(0);
    expect(run(log, runtime.state('a'))).toBe(3);
    expect(seen).toEqual([1, 2, 3]);
  });

  test('folds a long history in portions that end with a commit', () => {
    const { log, projection } = world(new FakeLog(100));
    const runtime = projection({ on: counting });
    for (let commit = 0; commit < 700; commit += 1) {
      log.append(added('a'), added('a'), added('b'), added('a'));
    }
    routeAll(log, runtime);
    expect(run(log, runtime.state('a'))).toBe(2100);
    expect(run(log, runtime.stateAt('a', 500))).toBe(1500);
    expect(listed(log, runtime.entries()).items).toEqual([
      ['a', 2100],
      ['b', 700],
    ]);
  });

  test('a key removed is absent, and begins again with its next event', () => {
    const { log, projection } = world();
    const runtime = projection({ on: counting, initial: 10 });
    log.append(added('a'));
    log.append({ stream: 'a', type: 'dropped' });
    log.append(added('a'));
    routeAll(log, runtime);
    expect(run(log, runtime.stateAt('a', 2))).toBe(ABSENT);
    expect(run(log, runtime.state('a'))).toBe(11);
  });

  test('keys named like members of objects are keys like others', () => {
    const { log, projection } = world();
    const runtime = projection({ on: counting });
    log.append(added('__proto__'), added('constructor'), added('__proto__'));
    routeAll(log, runtime);
    expect(run(log, runtime.state('__proto__'))).toBe(2);
    expect(run(log, runtime.state('constructor'))).toBe(1);
    expect(run(log, runtime.state('toString'))).toBe(ABSENT);
  });

  test('events of an older version are upcast before they are folded', () => {
    const { log, projection } = world();
    const runtime = projection({ on: { added: (_, { data }) => data } });
    log.append({ stream: 'a', type: 'added', data: 1, schemaVersion: 2 });
    routeAll(log, runtime);
    expect(run(log, runtime.state('a'))).toEqual({ upcast: 1 });
  });

  test('as of a position is right before and after the newest state is known', () => {
    const { log, projection } = world();
    const runtime = projection({ on: counting });
    for (let commit = 0; commit < 10; commit += 1) log.append(added('a'));
    routeAll(log, runtime);
    expect(run(log, runtime.stateAt('a', 4))).toBe(4);
    expect(run(log, runtime.state('a'))).toBe(10);
    expect(run(log, runtime.stateAt('a', 7))).toBe(7);
    expect(run(log, runtime.stateAt('a', 0))).toBe(ABSENT);
    expect(runtime.stateNow('a')).toBe(10);
  });

  test('as of a position that is not routed is a mistake of the caller', () => {
    const { log, projection } = world();
    const runtime = projection({ on: counting });
    log.append(added('a'));
    expect(() => run(log, runtime.stateAt('a', 1))).toThrow(RangeError);
  });

  test('two readings at once are both right, and the older one does not win', () => {
    const { log, projection } = world();
    const runtime = projection({ on: counting });
    log.append(added('a'));
    log.atHandFrom = 100;
    routeAll(log, runtime);
    const old = runtime.state('a');
    let last = step(log.disk, old);
    log.append(added('a'));
    routeAll(log, runtime);
    expect(run(log, runtime.state('a'))).toBe(2);
    while (!last.done) last = step(log.disk, old, last);
    expect(last.answer).toBe(1);
    expect(runtime.stateNow('a')).toBe(2);
  });

  test('is right without any cache', () => {
    const { log, projection } = world(new FakeLog(), 0, 0);
    const runtime = projection({ on: counting });
    log.append(added('a'));
    log.append(added('a'));
    routeAll(log, runtime);
    expect(run(log, runtime.state('a'))).toBe(2);
    expect(run(log, runtime.state('a'))).toBe(2);
    expect(runtime.hot.size).toBe(0);
  });

  test('a closed projection is not read', () => {
    const { log, projection } = world();
    const runtime = projection({ on: counting });
    log.append(added('a'));
    routeAll(log, runtime);
    run(log, runtime.state('a'));
    runtime.close();
    expect(() => runtime.stateNow('a')).toThrow(StoreClosedError);
    expect(() => run(log, runtime.stateAt('a', 1))).toThrow(StoreClosedError);
  });
});

describe('a projection with keys of its own', () => {
  test('gives an event to each of its keys once, and to none', () => {
    const { log, projection } = world();
    const runtime = projection(byData);
    log.append(tagged('x', 'y', 'x'), tagged(), tagged('y'));
    routeAll(log, runtime);
    expect(run(log, runtime.state('x'))).toBe(1);
    expect(run(log, runtime.state('y'))).toBe(2);
    expect(run(log, runtime.state('s'))).toBe(ABSENT);
  });

  test('folds what routing decoded without reading it again', () => {
    const { log, projection } = world();
    const runtime = projection(byData);
    log.append(tagged('x'));
    log.atHandFrom = 10;
    routeAll(log, runtime);
    expect(runtime.stateNow('x')).toBe(1);
    expect(log.calls()).toBe(0);
  });

  test('reads again what routing decoded when it was too much to keep', () => {
    const { log, projection } = world(new FakeLog(), 100_000, 2000);
    const runtime = projection(byData);
    for (let number = 0; number < 50; number += 1) log.append(tagged(`k${number % 5}`));
    log.atHandFrom = 100;
    routeAll(log, runtime);
    expect(runtime.stateNow('k0')).toBe(NEEDS_IO);
    expect(run(log, runtime.state('k0'))).toBe(10);
    expect(runtime.stateNow('k1')).toBe(NEEDS_IO);
  });

  test('asks for the keys of events of the newest shape', () => {
    const { log, projection } = world();
    const keysOf = ({ data }: RecordedEvent) => [(data as { upcast: string }).upcast];
    const runtime = projection({ keysOf, on: counting });
    log.append({ stream: 's', type: 'added', data: 'x', schemaVersion: 2 });
    routeAll(log, runtime);
    expect(run(log, runtime.state('x'))).toBe(1);
  });

  test('says which keys an event would touch', () => {
    const { log, projection } = world();
    const [byKeys, byStream] = [projection(byData), projection({ on: counting })];
    const [event, other] = log.append(tagged('x', 'y', 'x'), { stream: 's', type: 'other' });
    expect([...byKeys.keysTouched(event as RecordedEvent)]).toEqual(['x', 'y']);
    expect([...byStream.keysTouched(event as RecordedEvent)]).toEqual(['s']);
    expect([...byKeys.keysTouched(other as RecordedEvent)]).toEqual([]);
    const [keyless] = log.append({ stream: 's', type: 'added', data: {} });
    expect(() => byKeys.keysTouched(keyless as RecordedEvent)).toThrow(ReadFailure);
  });
});

describe('a handler that throws', () => {
  function broken() {
    const { log, projection } = world();
    const runtime = projection({ on: counting });
    log.append(added('a'), added('b'));
    log.append(added('a'), { stream: 'a', type: 'broken' });
    log.append(added('a'), added('b'));
    log.append(added('c'));
    routeAll(log, runtime);
    return { log, runtime };
  }

  test('stops its key, and says where and why', () => {
    const { log, runtime } = broken();
    for (const turn of [1, 2]) {
      const error = failureOf(() => run(log, runtime.state('a')));
      expect(error).toMatchObject({ projection: 'counts', key: 'a', position: 2, event: '2.1' });
      expect((error.cause as Error).message).toBe('cannot be folded');
      expect(turn).toBeGreaterThan(0);
    }
    expect(failureOf(() => runtime.stateNow('a')).position).toBe(2);
  });

  test('stops no other key', () => {
    const { log, runtime } = broken();
    expect(() => run(log, runtime.state('a'))).toThrow(ReadFailure);
    expect(run(log, runtime.state('b'))).toBe(2);
  });

  test('leaves the key as of earlier positions readable', () => {
    for (const readFirst of [true, false]) {
      const { log, runtime } = broken();
      if (readFirst) expect(() => run(log, runtime.state('a'))).toThrow(ReadFailure);
      expect(run(log, runtime.stateAt('a', 1))).toBe(1);
      expect(failureOf(() => run(log, runtime.stateAt('a', 2))).position).toBe(2);
      expect(failureOf(() => run(log, runtime.stateAt('a', 3))).position).toBe(2);
    }
  });

  test('stops its key when more is appended, too', () => {
    const { log, runtime } = broken();
    expect(() => run(log, runtime.state('a'))).toThrow(ReadFailure);
    log.append(added('a'));
    routeAll(log, runtime);
    expect(failureOf(() => runtime.stateNow('a')).position).toBe(2);
  });

  test('makes a listing throw at the key, behind the entries before it', () => {
    const { log, runtime } = broken();
    log.append(added('B'));
    routeAll(log, runtime);
    const { items, error } = listed(log, runtime.entries());
    expect(items).toEqual([['B', 1]]);
    expect(error).toMatchObject({ key: 'a', position: 2 });
    expect(listed(log, runtime.entries({}, 1)).items).toEqual([
      ['a', 1],
      ['b', 1],
    ]);
  });

  test('with an event of an unknown version stops its stream alone', () => {
    const { log, projection } = world();
    const runtime = projection({ on: counting });
    log.append(added('a'), added('b'));
    log.append({ stream: 'a', type: 'added', schemaVersion: 9 });
    routeAll(log, runtime);
    expect(failureOf(() => run(log, runtime.state('a')))).toMatchObject({ key: 'a', position: 2 });
    expect(run(log, runtime.state('b'))).toBe(1);
    expect(run(log, runtime.stateAt('a', 1))).toBe(1);
  });
});

describe('a key function that throws', () => {
  function stopped(event: PlainEvent) {
    const { log, projection } = world();
    const runtime = projection(byData);
    log.append(tagged('x'));
    routeAll(log, runtime);
    run(log, runtime.state('x'));
    log.append(event);
    log.append(tagged('x'));
    routeAll(log, runtime);
    return { log, runtime };
  }
  const keyless = { stream: 's', type: 'added', data: {} };
  const tooNew = { stream: 's', type: 'added', data: { keys: ['x'] }, schemaVersion: 9 };

  test.each([
    ['no keys', keyless],
    ['version 9 is not known', tooNew],
  ])('stops all of its projection from there on: %s', (reason, event) => {
    const { log, runtime } = stopped(event);
    const error = failureOf(() => runtime.stateNow('x'));
    expect(error).toMatchObject({ projection: 'counts', position: 2, event: '2.0' });
    expect(error.key).toBeUndefined();
    expect((error.cause as Error).message).toBe(reason);
    expect(() => run(log, runtime.stateAt('never written', 2))).toThrow(ReadFailure);
    expect(listed(log, runtime.entries()).error).toBeInstanceOf(ReadFailure);
  });

  test('leaves earlier positions readable, and makes none of their states hot', () => {
    const { log, runtime } = stopped(keyless);
    expect(run(log, runtime.stateAt('x', 1))).toBe(1);
    expect(listed(log, runtime.entries({}, 1)).items).toEqual([['x', 1]]);
    expect(() => runtime.stateNow('x')).toThrow(ReadFailure);
  });
});

describe('a listing', () => {
  const names = ['a', 'b/1', 'b/2', 'b/3', 'b', 'c', '\u{1f600}', '\uffee'];

  function filled() {
    const { log, projection } = world();
    const runtime = projection({ on: counting });
    for (const name of names) log.append(added(name));
    log.append({ stream: 'b/2', type: 'dropped' });
    routeAll(log, runtime);
    return { log, runtime };
  }

  test('is sorted by UTF-16 code units and leaves out what is absent', () => {
    const { log, runtime } = filled();
    expect(listed(log, runtime.entries()).items.map(([key]) => key)).toEqual([
      'a',
      'b',
      'b/1',
      'b/3',
      'c',
      '\u{1f600}',
      '\uffee',
    ]);
  });

  test('can be had by prefix and in pages', () => {
    const { log, runtime } = filled();
    const keys = (range: Parameters<typeof runtime.entries>[0]) =>
      listed(log, runtime.entries(range)).items.map(([key]) => key);
    expect(keys({ prefix: 'b/' })).toEqual(['b/1', 'b/3']);
    expect(keys({ prefix: 'b', limit: 3 })).toEqual(['b', 'b/1', 'b/3']);
    expect(keys({ prefix: 'b', after: 'b/1' })).toEqual(['b/3']);
    expect(keys({ limit: 0 })).toEqual([]);
  });

  test('counts towards its limit only what it gives', () => {
    const { log, projection } = world();
    const runtime = projection({ on: counting });
    for (let number = 100; number < 200; number += 1) log.append(added(`k${number}`));
    for (let number = 100; number < 190; number += 1) {
      log.append({ stream: `k${number}`, type: 'dropped' });
    }
    routeAll(log, runtime);
    const { items } = listed(log, runtime.entries({ limit: 7 }));
    expect(items.map(([key]) => key)).toEqual(
      Array.from({ length: 7 }, (_, index) => `k${190 + index}`),
    );
  });

  test('costs nothing for keys that it found absent before, without any cache', () => {
    const { log, projection } = world(new FakeLog(), 0, 0);
    const runtime = projection({ on: counting });
    for (let number = 0; number < 50; number += 1) {
      log.append(added(`k${number}`), { stream: `k${number}`, type: 'dropped' });
    }
    routeAll(log, runtime);
    const listing = (position?: number) => {
      const before = log.calls();
      const { items } = listed(log, runtime.entries({}, position));
      return { keys: items.map(([key]) => key), calls: log.calls() - before };
    };
    expect(listing().calls).toBeGreaterThan(0);
    expect(listing()).toEqual({ keys: [], calls: 0 });
    log.append(added('k7'));
    routeAll(log, runtime);
    expect(listing().keys).toEqual(['k7']);
    expect(listing(log.position - 1).keys).toEqual([]);
    log.append({ stream: 'k7', type: 'dropped' });
    routeAll(log, runtime);
    expect(listing().keys).toEqual([]);
    expect(listing(log.position - 1).keys).toEqual(['k7']);
  });

  test('is as of one position, whatever is appended while it runs', () => {
    const { log, projection } = world(new FakeLog(), 1000);
    const runtime = projection({ on: counting });
    for (let number = 0; number < 100; number += 1) log.append(added(`k${number}`));
    log.atHandFrom = 10_000;
    routeAll(log, runtime);
    const work = runtime.entries();
    const found: unknown[] = [];
    for (let next = work.next(); !next.done; next = work.next()) {
      if (Array.isArray(next.value)) found.push(...next.value);
      log.append(added('k1'), added(`k${found.length}x`), added('k99'));
      routeAll(log, runtime);
    }
    expect(found).toHaveLength(100);
    expect(new Set(found.map((entry) => (entry as [string, number])[1]))).toEqual(new Set([1]));
  });

  test('reads commits in the order in which they stand, whatever the order of its keys', () => {
    const { log, projection } = world(new FakeLog(4));
    const runtime = projection({ on: counting });
    for (let number = 16; number > 0; number -= 1) log.append(added(`k${number}`));
    routeAll(log, runtime);
    const { items, error } = listed(log, runtime.entries());
    expect(error).toBeUndefined();
    expect(items).toHaveLength(16);
    expect(log.calls()).toBe(4);
  });

  test('reads the commits that its keys need together', () => {
    const { log, projection } = world(new FakeLog(1000));
    const runtime = projection({ on: counting });
    for (let number = 0; number < 16; number += 1) log.append(added(`k${number}`));
    routeAll(log, runtime);
    expect(listed(log, runtime.entries()).items).toHaveLength(16);
    expect(log.calls()).toBe(1);
  });
});

test('places and positions of a key are those of its events', () => {
  const { log, projection } = world(new FakeLog(3));
  const runtime = projection({ on: counting });
  for (let number = 0; number < 4; number += 1) log.append(added('b'), added('a'));
  routeAll(log, runtime);
  expect([...runtime.places('a', 3)]).toEqual([
    { position: 3, segment: 1, offset: 200, index: 1 },
    { position: 4, segment: 4, offset: 0, index: 1 },
  ]);
  expect(runtime.lastPosition('a')).toBe(4);
  expect(runtime.lastPosition('a', 2)).toBe(2);
  expect(runtime.lastPosition('none')).toBe(0);
  expect([...runtime.keys('', 'a')]).toEqual(['b']);
  expect(runtime.keyCount).toBe(2);
});
