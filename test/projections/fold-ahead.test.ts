import { describe, expect, test } from 'vitest';
import {
  counting,
  FakeLog,
  listed,
  type PlainDefinition,
  ReadFailure,
  routeAll,
  run,
  world,
} from './fakes.js';

const added = (stream: string) => ({ stream, type: 'added' });

const byData: PlainDefinition = {
  keysOf: (event) => {
    const { keys } = event.data as { keys?: string[] };
    if (!keys) throw new Error('no keys');
    return keys;
  },
  on: counting,
};
const tagged = (...keys: string[]) => ({ stream: 's', type: 'added', data: { keys } });

describe('folding while routing', () => {
  test('gives the states of all keys without another read', () => {
    const { log, projection } = world();
    const runtime = projection({ on: counting });
    log.append(added('a'), added('b'), added('a'));
    log.append(added('a'), { stream: 'b', type: 'dropped' }, { stream: 'c', type: 'not handled' });
    runtime.beginAhead();
    routeAll(log, runtime);
    runtime.endAhead();
    expect(listed(log, runtime.entries()).items).toEqual([['a', 3]]);
    expect(log.calls()).toBe(0);
  });

  test('serves projections with keys of their own', () => {
    const { log, projection } = world(new FakeLog(), 1_000_000, 0);
    const runtime = projection(byData);
    log.append(tagged('a', 'b'), tagged('a'));
    log.append(tagged('b'));
    runtime.beginAhead();
    routeAll(log, runtime);
    runtime.endAhead();
    expect(listed(log, runtime.entries()).items).toEqual([
      ['a', 2],
      ['b', 2],
    ]);
    expect(log.calls()).toBe(0);
  });

  test('goes on from states that are known, and leaves alone keys that were noted but never read', () => {
    const { log, projection } = world();
    const runtime = projection({ on: counting });
    log.append(added('known'));
    log.append(added('noted'));
    routeAll(log, runtime);
    expect(run(log, runtime.state('known'))).toBe(1);
    log.append(added('known'));
    log.append(added('noted'));
    runtime.beginAhead();
    routeAll(log, runtime);
    runtime.endAhead();
    expect([...runtime.hot]).toEqual([['known', 2]]);
    expect(run(log, runtime.state('noted'))).toBe(2);
  });

  test('says the same of a key that cannot be folded as reading it does', () => {
    const failures = [false, true].map((ahead) => {
      const { log, projection } = world();
      const runtime = projection({ on: counting });
      log.append(added('a'), added('b'));
      log.append({ stream: 'a', type: 'broken' }, added('b'));
      log.append(added('a'));
      if (ahead) runtime.beginAhead();
      routeAll(log, runtime);
      runtime.endAhead();
      expect(run(log, runtime.state('b'))).toBe(2);
      expect(run(log, runtime.stateAt('a', 1))).toBe(1);
      try {
        run(log, runtime.state('a'));
      } catch (error) {
        if (error instanceof ReadFailure) return [error.key, error.position, error.event];
      }
      return undefined;
    });
    expect(failures[0]).toBeDefined();
    expect(failures[1]).toEqual(failures[0]);
  });

  test('keeps nothing of a projection that is stopped as a whole', () => {
    const { log, projection } = world();
    const runtime = projection(byData);
    log.append(tagged('a'));
    log.append({ stream: 's', type: 'added', data: {} });
    runtime.beginAhead();
    routeAll(log, runtime);
    runtime.endAhead();
    expect(runtime.hot.size).toBe(0);
    expect(() => run(log, runtime.state('a'))).toThrow(ReadFailure);
    expect(run(log, runtime.stateAt('a', 1))).toBe(1);
  });

  test('does not take the place of what was read meanwhile', () => {
    const { log, projection } = world();
    const runtime = projection({ on: { added: (state) => [...((state || []) as number[]), 1] } });
    log.append(added('a'));
    runtime.beginAhead();
    routeAll(log, runtime);
    const read = run(log, runtime.state('a'));
    runtime.endAhead();
    expect(run(log, runtime.state('a'))).toBe(read);
  });

  test('ends with the store', () => {
    const { log, projection } = world();
    const runtime = projection({ on: counting });
    log.append(added('a'));
    runtime.beginAhead();
    routeAll(log, runtime);
    runtime.close();
    runtime.endAhead();
    expect(runtime.hot.size).toBe(0);
  });
});

describe('folding along the log', () => {
  /** A projection of a log with so many commits of ten keys, routed and not read. */
  function routed(commits: number, definition: PlainDefinition = { on: counting }) {
    const made = world();
    const runtime = made.projection(definition);
    for (let number = 0; number < commits; number += 1) made.log.append(added(`k${number % 10}`));
    routeAll(made.log, runtime);
    return { ...made, runtime };
  }
  const all = (count: number) => Array.from({ length: 10 }, (_, key) => [`k${key}`, count]);

  test('gives the states of all keys without looking up an event', () => {
    const { log, runtime } = routed(2000);
    run(
      log,
      runtime.foldAlong(() => log.feed(0)),
    );
    const calls = log.calls();
    expect(listed(log, runtime.entries()).items).toEqual(all(200));
    expect(log.calls()).toBe(calls);
  });

  test('is not worth it for a short log, for keys that are known, or for few events of many', () => {
    const never = () => {
      throw new Error('walked');
    };
    const short = routed(100);
    run(short.log, short.runtime.foldAlong(never));
    const known = routed(2000);
    listed(known.log, known.runtime.entries());
    run(known.log, known.runtime.foldAlong(never));
    const few = routed(1, { on: counting });
    for (let number = 0; number < 20_000; number += 1) {
      few.log.append({ stream: 's', type: 'not handled' });
    }
    routeAll(few.log, few.runtime);
    run(few.log, few.runtime.foldAlong(never));
    expect(few.runtime.position).toBe(20_001);
  });

  test('goes on from the cache after a pause, and leaves alone what is read or routed meanwhile', () => {
    const { log, runtime } = routed(2000);
    log.atHandFrom = 100_000;
    const work = runtime.foldAlong(() => log.feed(0));
    let step = work.next();
    log.atHandFrom = 0;
    expect(step.done).toBe(false);
    log.append(added('k0'));
    routeAll(log, runtime);
    const read = run(log, runtime.state('k1'));
    while (!step.done) step = work.next();
    expect(runtime.hot.has('k0')).toBe(false);
    expect(run(log, runtime.state('k0'))).toBe(201);
    expect(run(log, runtime.state('k1'))).toBe(read);
    expect(runtime.hot.get('k2')).toBe(200);
  });

  test('leaves a key that cannot be folded to who reads it', () => {
    const { log, runtime } = routed(2000);
    log.append({ stream: 'k3', type: 'broken' });
    routeAll(log, runtime);
    run(
      log,
      runtime.foldAlong(() => log.feed(0)),
    );
    expect(runtime.hot.get('k2')).toBe(200);
    expect(() => run(log, runtime.state('k3'))).toThrow(ReadFailure);
    expect(run(log, runtime.stateAt('k3', 2000))).toBe(200);
  });

  test('says nothing of damage: whoever comes to it does', () => {
    const { log, runtime } = routed(2000);
    log.atHandFrom = 100_000;
    log.damagedAt = 1;
    run(
      log,
      runtime.foldAlong(() => log.feed(0)),
    );
    log.atHandFrom = 0;
    expect(run(log, runtime.state('k0'))).toBe(200);
  });
});
