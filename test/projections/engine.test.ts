import { describe, expect, test } from 'vitest';
import { HistoryPrunedError, StoreClosedError } from '#src/errors.js';
import { type Io, runAsync } from '#src/log/io.js';
import { Engine, type EngineOptions } from '#src/projections/engine.js';
import { NEEDS_IO } from '#src/projections/key-reader.js';
import type { Consume, Feed, Runtime } from '#src/projections/ports.js';
import { step } from '../support/stepping.js';
import { counting, errors, FakeLog, NotReady, ReadFailure, run, world } from './fakes.js';

const added = { stream: 'a', type: 'added' };

function filledLog(commits: number, segmentCommits = 7): FakeLog {
  const log = new FakeLog(segmentCommits);
  for (let number = 0; number < commits; number += 1) log.append(added);
  return log;
}

function engineOn(log: FakeLog, options?: EngineOptions) {
  const all = world(log);
  const engine = new Engine(log, errors, options);
  return { ...all, engine };
}

/** Notes what is routed to it. */
class Recorder implements Runtime {
  readonly name = 'recorder';
  readonly seen: number[] = [];
  position: number;
  closed = false;
  onRoute: (position: number) => void = () => {};

  constructor(position = 0) {
    this.position = position;
  }

  route({ position }: { position: number }): boolean {
    this.seen.push(position);
    this.position = position;
    this.onRoute(position);
    return false;
  }

  /** Resolves in the midst of the work that brings it there. */
  at(position: number): Promise<void> {
    return new Promise((resolve) => {
      this.onRoute = (routed) => {
        if (routed === position) resolve();
      };
    });
  }

  close(): void {
    this.closed = true;
  }
}

/** A log whose commits up to 20 were dropped. */
class PrunedLog extends FakeLog {
  override feed(after: number): Feed {
    const feed = super.feed(after);
    const check = () => {
      if (feed.position < 20) throw new HistoryPrunedError(21);
    };
    return {
      get position() {
        return feed.position;
      },
      *advance(consume: Consume, to?: number): Io<void> {
        check();
        yield* feed.advance(consume, to);
      },
      advanceNow(consume: Consume, to?: number) {
        check();
        return feed.advanceNow(consume, to);
      },
      pause: () => feed.pause(),
    };
  }
}

/** Has a snapshot behind what was dropped. */
class Jumping extends Recorder {
  // biome-ignore lint/correctness/useYield: what it jumps to is in memory
  *jump(): Io<boolean> {
    this.position = 20;
    return true;
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** Gives the background its turns until that holds. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Far from the head whatever its size. */
const ALL_LARGE: EngineOptions = { smallCommits: 0 };

describe('a store with a small history', () => {
  test('is caught up by the first read', () => {
    const log = filledLog(50);
    const { engine, projection } = engineOn(log);
    const runtime = projection({ on: counting });
    engine.add(runtime);
    expect(engine.isReady(runtime)).toBe(true);
    expect(runtime.position).toBe(0);
    run(log, engine.catchUp());
    expect(engine.getNow(runtime, 'a')).toBe(NEEDS_IO);
    expect(run(log, runtime.state('a'))).toBe(50);
    expect(engine.getNow(runtime, 'a')).toBe(50);
  });

  test('is read without I/O when all is at hand', () => {
    const log = new FakeLog();
    const { engine, projection } = engineOn(log);
    const keysOf = ({ stream }: { stream: string }) => [stream];
    const runtime = projection({ keysOf, on: counting });
    engine.add(runtime);
    for (let number = 1; number < 5; number += 1) {
      log.append(added);
      expect(engine.getNow(runtime, 'a')).toBe(number);
    }
    expect(log.calls()).toBe(0);
  });

  test('says when I/O is needed to catch up', () => {
    const log = filledLog(5);
    log.atHandFrom = 10;
    const { engine, projection } = engineOn(log);
    const runtime = projection({ on: counting });
    engine.add(runtime);
    expect(engine.catchUpNow()).toBe(false);
    expect(engine.getNow(runtime, 'a')).toBe(NEEDS_IO);
    run(log, engine.catchUp());
    expect(engine.catchUpNow()).toBe(true);
  });

  test('counts as small when all of it stands in the segment that is being written', () => {
    const log = filledLog(60, 100);
    const { engine } = engineOn(log, ALL_LARGE);
    const recorder = new Recorder();
    engine.add(recorder);
    expect(engine.isReady(recorder)).toBe(true);
  });
});

describe('catching up', () => {
  test('routes each commit once, in order, whoever else does it meanwhile', () => {
    const log = filledLog(45);
    log.atHandFrom = 1000;
    const { engine } = engineOn(log);
    const recorder = new Recorder();
    engine.add(recorder);
    const works = [engine.catchUp(), engine.catchUp()];
    let steps = works.map((work) => step(log.disk, work));
    for (let turn = 0; !steps.every(({ done }) => done); turn += 1) {
      if (turn === 1) log.append(added);
      if (turn === 2) run(log, engine.catchUp());
      steps = works.map((work, at) => {
        const last = steps[at] as (typeof steps)[0];
        return last.done ? last : step(log.disk, work, last);
      });
    }
    run(log, engine.catchUp());
    expect(recorder.seen).toEqual(range(1, 46));
  });

  test('routes each commit once to runtimes that began at different positions', () => {
    const log = filledLog(30);
    const { engine } = engineOn(log);
    const recorders = [new Recorder(0), new Recorder(20), new Recorder(0), new Recorder(30)];
    for (const recorder of recorders) engine.add(recorder);
    run(log, engine.catchUp());
    log.append(added);
    expect(engine.catchUpNow()).toBe(true);
    expect(recorders.map(({ seen }) => seen)).toEqual([
      range(1, 31),
      range(21, 31),
      range(1, 31),
      range(31, 31),
    ]);
  });

  test('goes on where it was after the log could not be read', () => {
    const log = filledLog(30);
    log.atHandFrom = 1000;
    log.damagedAt = 11;
    const { engine } = engineOn(log);
    const recorder = new Recorder();
    engine.add(recorder);
    expect(() => run(log, engine.catchUp())).toThrow('damaged');
    run(log, engine.catchUp());
    expect(recorder.seen).toEqual(range(1, 30));
  });

  test('routes each commit once also when one of them could not be read half-way', () => {
    const log = filledLog(30);
    log.unreadableAt = 11;
    const { engine, projection } = engineOn(log);
    const recorders = [new Recorder(), new Recorder()] as const;
    const runtime = projection({ keysOf: ({ stream }) => [stream], on: counting });
    for (const one of [recorders[0], runtime, recorders[1]]) engine.add(one);
    expect(() => run(log, engine.catchUp())).toThrow('damaged');
    expect(recorders.map(({ position }) => position)).toEqual([11, 10]);
    run(log, engine.catchUp());
    for (const { seen } of recorders) expect(seen).toEqual(range(1, 30));
    expect(engine.getNow(runtime, 'a')).toBe(30);
  });

  test('reads the log once for all that stand at the same position', () => {
    const log = filledLog(30);
    const { engine } = engineOn(log);
    for (const position of [0, 10, 20]) engine.add(new Recorder(position));
    run(log, engine.catchUp());
    log.append(added);
    log.atHandFrom = 100;
    run(log, engine.catchUp());
    expect(log.calls()).toBe(1);
  });

  test('from inside a key function stops that projection alone', () => {
    const log = filledLog(3);
    const { engine, projection } = engineOn(log);
    const keysOf = () => {
      engine.catchUpNow();
      return ['x'];
    };
    const runtime = projection({ keysOf, on: counting });
    const recorder = new Recorder();
    for (const one of [runtime, recorder]) engine.add(one);
    run(log, engine.catchUp());
    expect(() => engine.getNow(runtime, 'x')).toThrow(ReadFailure);
    expect(recorder.seen).toEqual([1, 2, 3]);
  });
});

describe('a projection added to a store with a long history', () => {
  test('is built in the background, and asynchronous readers wait', async () => {
    const log = filledLog(3000);
    log.atHandFrom = 2900;
    const { engine, projection } = engineOn(log, ALL_LARGE);
    const runtime = projection({ on: counting });
    engine.add(runtime);
    expect(engine.isReady(runtime)).toBe(false);
    await engine.whenReady(runtime);
    expect(engine.whenReady(runtime)).toBeUndefined();
    await runAsync(log.disk, engine.catchUp());
    expect(await runAsync(log.disk, runtime.state('a'))).toBe(3000);
    engine.close();
  });

  test('is built when nobody waits for it, too', async () => {
    const log = filledLog(3000);
    const { engine } = engineOn(log, ALL_LARGE);
    const recorder = new Recorder();
    engine.add(recorder);
    await until(() => engine.isReady(recorder));
    engine.close();
  });

  test('tells synchronous readers how far it is', async () => {
    const log = filledLog(4000);
    const { engine, projection } = engineOn(log, ALL_LARGE);
    const runtime = projection({ on: counting });
    const recorder = new Recorder();
    for (const one of [runtime, recorder]) engine.add(one);
    expect(() => engine.requireReady(runtime)).toThrow(new NotReady('counts', 0));
    expect(engine.getNow(runtime, 'a')).toBe(NEEDS_IO);
    const seen: number[] = [];
    recorder.onRoute = () => seen.push(engine.progress(runtime));
    await until(() => engine.isReady(runtime));
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen).toContain(0.25);
    expect(engine.progress(runtime)).toBe(1);
    engine.requireReady(runtime);
    engine.close();
  });

  test('is built at once on demand, also in the midst of the background', async () => {
    const log = filledLog(3000);
    log.atHandFrom = 5000;
    const { engine } = engineOn(log, ALL_LARGE);
    const recorder = new Recorder();
    engine.add(recorder);
    const waiting = engine.whenReady(recorder);
    await recorder.at(300);
    engine.buildSync();
    expect(recorder.seen).toEqual(range(1, 3000));
    recorder.onRoute = () => {};
    await waiting;
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(recorder.seen).toEqual(range(1, 3000));
    engine.close();
  });

  test('joins those that are up to date, and none is routed anything twice', async () => {
    const log = filledLog(3000);
    const { engine } = engineOn(log, ALL_LARGE);
    const [old, late] = [new Recorder(3000), new Recorder(0)];
    for (const recorder of [old, late]) engine.add(recorder);
    expect(engine.isReady(old)).toBe(true);
    log.append(added);
    await engine.whenReady(late);
    expect(old.seen).toEqual([]);
    log.append(added);
    expect(engine.catchUpNow()).toBe(true);
    expect(old.seen).toEqual([3001, 3002]);
    expect(late.seen).toEqual(range(1, 3002));
    engine.close();
  });

  test('returns to the event loop between slices, which shrink when they take long', async () => {
    const log = filledLog(3000);
    let now = 0;
    const { engine } = engineOn(log, { ...ALL_LARGE, sliceMs: 5, clock: () => now });
    const recorder = new Recorder();
    const route = recorder.route.bind(recorder);
    const slices: number[] = [];
    let turn = 0;
    let turnOf = -1;
    recorder.route = (commit) => {
      // Each commit takes a tenth of a millisecond.
      now += 0.1;
      if (turn !== turnOf) slices.push(0);
      turnOf = turn;
      slices.push((slices.pop() ?? 0) + 1);
      return route(commit);
    };
    const ticking = setInterval(() => {
      turn += 1;
    }, 0);
    engine.add(recorder);
    await until(() => engine.isReady(recorder));
    clearInterval(ticking);
    expect(slices.length).toBeGreaterThan(10);
    expect(slices.slice(2).every((commits) => commits <= 100)).toBe(true);
    engine.close();
  });

  test('tells who waits what stopped the building, and is tried again', async () => {
    const log = filledLog(3000);
    log.atHandFrom = 5000;
    log.damagedAt = 101;
    const { engine } = engineOn(log, ALL_LARGE);
    const recorder = new Recorder();
    engine.add(recorder);
    await expect(engine.whenReady(recorder)).rejects.toThrow('damaged');
    await engine.whenReady(recorder);
    engine.buildSync();
    expect(recorder.seen).toEqual(range(1, 3000));
    engine.close();
  });
});

describe('projections that wait together for history that was dropped', () => {
  test('each go on from a snapshot, or fail: none is taken for ready because another is', async () => {
    const log = new PrunedLog();
    for (let number = 0; number < 45; number += 1) log.append(added);
    const { engine } = engineOn(log, ALL_LARGE);
    const jumping = new Jumping();
    const staying = new Recorder();
    engine.add(jumping);
    engine.add(staying);
    const [stays, jumps] = await Promise.allSettled([
      engine.whenReady(staying),
      engine.whenReady(jumping),
    ]);
    expect(jumps).toMatchObject({ status: 'fulfilled' });
    expect(jumping.seen).toEqual(range(21, 45));
    expect(stays).toMatchObject({ status: 'rejected', reason: expect.any(HistoryPrunedError) });
    expect(staying.seen).toEqual([]);
    engine.close();
  });
});

describe('a backlog', () => {
  test('is left to the reader while it is small', async () => {
    const log = new FakeLog();
    const { engine } = engineOn(log, { backlogCommits: 100 });
    const recorder = new Recorder();
    engine.add(recorder);
    for (let number = 0; number < 100; number += 1) {
      log.append(added);
      engine.onAdvance();
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(recorder.seen).toEqual([]);
  });

  test('is routed while nobody reads once it is large, but in no turn of an append', async () => {
    const log = new FakeLog();
    const { engine } = engineOn(log, { backlogCommits: 100 });
    const recorder = new Recorder();
    engine.add(recorder);
    for (let number = 0; number < 1000; number += 1) {
      log.append(added);
      engine.onAdvance();
    }
    expect(recorder.seen).toEqual([]);
    await until(() => recorder.position >= 990);
    expect(recorder.seen).toEqual(range(1, recorder.position));
    engine.close();
  });
});

describe('a burst', () => {
  async function appended(burstCommits: number): Promise<number> {
    const log = new FakeLog();
    const now = 0;
    const { engine } = engineOn(log, { backlogCommits: 10, burstCommits, clock: () => now });
    const recorder = new Recorder();
    engine.add(recorder);
    for (let number = 0; number < 200; number += 1) {
      log.append(added);
      engine.onAdvance();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    engine.close();
    return recorder.seen.length;
  }

  test('is not slowed by routing what nobody reads yet', async () => {
    expect(await appended(1000)).toBe(0);
  });

  test('is, when too much would be left to the next reader', async () => {
    expect(await appended(100)).toBeGreaterThan(0);
  });

  test('is routed when it is over', async () => {
    const log = new FakeLog();
    let now = 0;
    const { engine } = engineOn(log, { backlogCommits: 10, clock: () => now });
    const recorder = new Recorder();
    engine.add(recorder);
    for (let number = 0; number < 200; number += 1) log.append(added);
    engine.onAdvance();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(recorder.seen).toEqual([]);
    now = 100;
    await until(() => recorder.position === 200);
    engine.close();
  });
});

describe('closing', () => {
  test('ends the building, and readers that wait are told', async () => {
    const log = filledLog(3000);
    log.atHandFrom = 5000;
    const { engine } = engineOn(log, ALL_LARGE);
    const recorder = new Recorder();
    engine.add(recorder);
    const waiting = engine.whenReady(recorder);
    await recorder.at(300);
    engine.close();
    await expect(waiting).rejects.toThrow(StoreClosedError);
    const { length } = recorder.seen;
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(recorder.seen).toHaveLength(length);
    expect(recorder.closed).toBe(true);
    engine.close();
  });

  test('ends a reading that is catching up', () => {
    const log = filledLog(45);
    log.atHandFrom = 1000;
    const { engine } = engineOn(log);
    const recorder = new Recorder();
    engine.add(recorder);
    const work = engine.catchUp();
    const last = step(log.disk, work);
    engine.close();
    expect(() => step(log.disk, work, last)).toThrow(StoreClosedError);
  });

  test('makes every call fail, also for states that were hot', () => {
    const log = filledLog(3);
    const { engine, projection } = engineOn(log);
    const runtime = projection({ on: counting });
    engine.add(runtime);
    run(log, engine.catchUp());
    run(log, runtime.state('a'));
    expect(engine.getNow(runtime, 'a')).toBe(3);
    engine.close();
    const calls = [
      () => engine.getNow(runtime, 'a'),
      () => engine.catchUpNow(),
      () => run(log, engine.catchUp()),
      () => engine.requireReady(runtime),
      () => engine.whenReady(runtime),
      () => engine.buildSync(),
      () => engine.add(new Recorder()),
    ];
    for (const call of calls) expect(call).toThrow(StoreClosedError);
  });
});
