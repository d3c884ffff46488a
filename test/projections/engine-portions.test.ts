/** What wide commits leave to an index, for readers of anything: a part of it at a time. */
import { describe, expect, test } from 'vitest';
import type { Io } from '#src/log/io.js';
import { Engine } from '#src/projections/engine.js';
import { IndexRuntime } from '#src/projections/index-runtime.js';
import { NEEDS_IO } from '#src/projections/key-reader.js';
import type { RuntimeIndexDefinition } from '#src/projections/ports.js';
import { counting, errors, FakeLog, interpreter, plainFold, run, world } from './fakes.js';

const added = { stream: 'a', type: 'added' };
const PORTION = 64;
/** So many may wait for whoever reads the index. */
const LEFT_MAX = 1024;

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

/** A projection, and an index that notes how many events it is given at once. */
function wide() {
  const log = new FakeLog();
  const { projection } = world(log);
  const engine = new Engine(log, errors);
  const runtime = projection({ on: counting });
  engine.add(runtime);
  const groups: number[] = [];
  const definition: RuntimeIndexDefinition<number[], never, never> = {
    name: 'tags',
    version: 1,
    create: () => groups,
    apply: (index, { length }) => void index.push(length),
    load: () => groups,
    *saving() {},
    *loading() {
      yield;
      return groups;
    },
    bytes: () => 0,
  };
  const { bytesOf } = plainFold;
  engine.add(new IndexRuntime({ definition, interpreter, bytesOf, errors }));
  const append = (events: number) => log.append(...Array.from({ length: events }, () => added));
  return { log, engine, runtime, groups, append };
}

/** How many events were worked on between two rests. */
function portions(work: Io<unknown>, groups: readonly number[]): number[] {
  const all: number[] = [];
  let known = groups.length;
  while (!work.next().done) {
    all.push(sum(groups.slice(known)));
    known = groups.length;
  }
  return all;
}

describe('a reader who can wait', () => {
  test('works on a part of what waits, and lets others have their turn before the next', () => {
    const { log, engine, runtime, groups, append } = wide();
    for (let number = 0; number < 10; number += 1) append(200);
    const read = () => engine.getSoon(runtime, 'a');
    while (groups.length === 0) expect(read()).toBe(NEEDS_IO);
    expect(groups).toEqual([PORTION]);
    const found = portions(engine.catchUp(runtime), groups);
    expect(runtime.position).toBe(log.position);
    expect(Math.max(...found)).toBeLessThanOrEqual(2 * PORTION);
    expect(sum(groups)).toBeGreaterThan(2000 - LEFT_MAX);
    expect(sum(groups)).toBeLessThan(2000 - LEFT_MAX + 2 * PORTION);
    expect(run(log, runtime.state('a'))).toBe(2000);
  });

  test('takes a commit of very many events whole, and works on it in parts', () => {
    const { engine, runtime, groups, append } = wide();
    append(9000);
    const found = portions(engine.catchUp(runtime), groups);
    expect(Math.max(...found)).toBeLessThanOrEqual(2 * PORTION);
    expect(sum(groups)).toBeGreaterThan(9000 - LEFT_MAX);
  });

  test('of one commit after the other has next to nothing to wait for', () => {
    const { engine, runtime, groups, append } = wide();
    for (let number = 0; number < 2000; number += 1) {
      append(1);
      expect(engine.getSoon(runtime, 'a')).not.toBeUndefined();
      expect(runtime.position).toBe(number + 1);
    }
    expect(Math.max(...groups)).toBe(PORTION);
  });
});
