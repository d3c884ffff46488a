import { describe, expect, test } from 'vitest';
import { ask } from '#src/log/io.js';
import type { RecordedEvent } from '#src/log/types.js';
import { counting, FakeLog, listed, ReadFailure, routeAll, run, world } from './fakes.js';

/** Of each ten commits one is the key's, in segments of a thousand commits. */
function longLog(commits: number): FakeLog {
  const log = new FakeLog(1000);
  for (let n = 1; n <= commits; n += 1) {
    log.append({ stream: n % 10 === 0 ? 'mine' : `other/${n}`, type: 'added' });
  }
  return log;
}

describe('the events of a key', () => {
  test('cost one disk call for each portion and segment, however long the log is', () => {
    const log = longLog(10_000);
    const runtime = world(log, 0, 0).projection({ on: counting });
    routeAll(log, runtime);
    log.atHandFrom = Number.POSITIVE_INFINITY;
    const wanted: number[] = [];
    log.commitsAt = function* (segment, offsets) {
      wanted.push(offsets.length);
      yield* ask('size', 0);
      return offsets.map((offset) => log.commit(segment + offset / 100).events());
    };
    const { items } = listed(log, runtime.events('mine', 1, 10_000));
    expect(items.map(({ position }) => position)).toEqual(
      Array.from({ length: 1000 }, (_, n) => 10 * (n + 1)),
    );
    // Portions of 256 events that 10 segments with 100 each are cut into.
    expect(wanted.reduce((sum, count) => sum + count)).toBe(1000);
    expect(wanted.length).toBeLessThanOrEqual(10 + 4);
  });

  test('come in portions of whole commits', () => {
    const log = new FakeLog();
    const three = { stream: 'mine', type: 'added' };
    for (let n = 0; n < 200; n += 1) log.append(three, three, three);
    const runtime = world(log).projection({ on: counting });
    routeAll(log, runtime);
    const portions: RecordedEvent[][] = [];
    const work = runtime.events('mine', 2, 199);
    for (let step = work.next(); !step.done; ) {
      if (Array.isArray(step.value)) {
        portions.push([...(step.value as readonly RecordedEvent[])]);
        step = work.next();
      } else step = work.next(log.disk.size(0));
    }
    expect(portions.map(({ length }) => length)).toEqual([258, 258, 78]);
    for (const portion of portions) {
      expect([portion[0]?.index, portion.at(-1)?.last]).toEqual([0, true]);
    }
  });

  test('end where the projection stopped as a whole, behind the commits before', () => {
    const log = new FakeLog();
    const runtime = world(log).projection({
      on: counting,
      keysOf: ({ data }) => {
        if (data === 'broken') throw new Error('no key');
        return ['mine'];
      },
    });
    log.append({ stream: 's', type: 'added' });
    log.append({ stream: 's', type: 'added' }, { stream: 's', type: 'added', data: 'broken' });
    log.append({ stream: 's', type: 'added' });
    routeAll(log, runtime);
    const { items, error } = listed(log, runtime.events('mine', 1, 3));
    expect(items.map(({ id }) => id)).toEqual(['1.0']);
    expect(error).toBeInstanceOf(ReadFailure);
    expect(error).toMatchObject({ position: 2, event: '2.1' });
    expect(runtime.stopped).toMatchObject({ position: 2 });
    expect(listed(log, runtime.events('mine', 1, 1)).error).toBeUndefined();
  });

  test('are none of a runtime that was closed, also in the middle', () => {
    const log = longLog(3000);
    const runtime = world(log).projection({ on: counting });
    routeAll(log, runtime);
    const work = runtime.events('mine', 1, 3000);
    let step = work.next();
    while (!step.done && !Array.isArray(step.value)) step = work.next(log.disk.size(0));
    runtime.close();
    expect(() => work.next()).toThrow(expect.objectContaining({ code: 'STORE_CLOSED' }) as Error);
  });
});

test('what is known of several keys tells failures as well as states', () => {
  const log = new FakeLog();
  const runtime = world(log).projection({ on: counting });
  log.append({ stream: 'a', type: 'added' }, { stream: 'b', type: 'broken' });
  log.append({ stream: 'a', type: 'added' });
  routeAll(log, runtime);
  expect(run(log, runtime.outcomes(['a', 'b'], 2))).toMatchObject([
    { state: 2 },
    { failure: { position: 1, event: '1.1' } },
  ]);
  expect(run(log, runtime.outcomes(['a'], 1))).toMatchObject([{ state: 1 }]);
});
