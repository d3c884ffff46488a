/** Lanes: turns for transactions that lost over the same key. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Lanes } from '#src/transaction/lanes.js';
import type { Turns } from '#src/transaction/source.js';

const { signal } = new AbortController();

/** Everything that is ready to go on has gone on. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a lane', () => {
  test('gives one turn after the other: who lost more often first, then who came first', async () => {
    const lanes = new Lanes();
    const order: string[] = [];
    const enter = async (name: string, priority: number) => {
      const leave = await lanes.enter('lane', priority, signal);
      order.push(name);
      await settled();
      leave();
    };
    await Promise.all([
      enter('first', 1),
      enter('a', 1),
      enter('b', 3),
      enter('c', 1),
      enter('d', 3),
    ]);
    expect(order).toEqual(['first', 'b', 'd', 'a', 'c']);
    expect(lanes.isEmpty).toBe(true);
  });

  test('is no other lane', async () => {
    const lanes = new Lanes();
    const leave = await lanes.enter('one', 1, signal);
    expect(lanes.isBusy('one')).toBe(true);
    expect(lanes.isBusy('other')).toBe(false);
    (await lanes.enter('other', 1, signal))();
    leave();
    leave();
    expect(lanes.isEmpty).toBe(true);
  });

  test('is left by who is aborted while waiting, and those behind go on', async () => {
    const lanes = new Lanes();
    const controller = new AbortController();
    const leave = await lanes.enter('lane', 1, signal);
    const aborted = lanes.enter('lane', 1, controller.signal);
    const behind = lanes.enter('lane', 1, signal);
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    await expect(lanes.enter('lane', 1, controller.signal)).rejects.toThrow('enough');
    leave();
    (await behind)();
    expect(lanes.isEmpty).toBe(true);
  });

  test('is passed on after a while by who does not leave it', async () => {
    const lanes = new Lanes();
    const late = await lanes.enter('lane', 1, signal);
    const next = await lanes.enter('lane', 1, signal);
    late();
    expect(lanes.isBusy('lane')).toBe(true);
    next();
    expect(lanes.isEmpty).toBe(true);
  });
});

/** Turns among processes that are there for the asking. */
class GivenTurns implements Turns {
  areContested = false;
  taken = 0;
  ended = 0;

  isBusy(name: string): boolean {
    return name === 'elsewhere';
  }

  async take(name: string): Promise<() => void> {
    if (name === 'broken') throw new Error('no turn');
    this.taken += 1;
    return () => {
      this.ended += 1;
    };
  }
}

describe('a lane that is not left', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each([
    { tookMs: 0, heldMs: 500 },
    { tookMs: 1500, heldMs: 3000 },
    { tookMs: 60_000, heldMs: 10_000 },
  ])('is kept for $heldMs ms to one that took $tookMs ms before', async ({ tookMs, heldMs }) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const lanes = new Lanes();
    await lanes.enter('lane', 1, signal, tookMs);
    let entered = false;
    const next = lanes.enter('lane', 1, signal).then((leave) => {
      entered = true;
      leave();
    });
    vi.advanceTimersByTime(heldMs - 1);
    await settled();
    expect(entered).toBe(false);
    vi.advanceTimersByTime(1);
    await next;
  });
});

describe('a lane among processes', () => {
  function among() {
    const turns = new GivenTurns();
    const clock = { now: 0 };
    return { turns, clock, lanes: new Lanes(turns, () => clock.now) };
  }

  test('is busy, or may be, where another process says so', () => {
    const { turns, lanes } = among();
    expect([lanes.isEmpty, lanes.isBusy('elsewhere'), lanes.isBusy('lane')]).toEqual([
      true,
      true,
      false,
    ]);
    turns.areContested = true;
    expect(lanes.isEmpty).toBe(false);
  });

  test('is passed on within the process for a while, and then given back', async () => {
    const { turns, clock, lanes } = among();
    const leave = await lanes.enter('lane', 2, signal);
    const [second, third] = [lanes.enter('lane', 2, signal), lanes.enter('lane', 2, signal)];
    clock.now += 9;
    leave();
    const leaveSecond = await second;
    expect(turns).toMatchObject({ taken: 1, ended: 0 });
    clock.now += 1;
    leaveSecond();
    (await third)();
    expect(turns).toMatchObject({ taken: 2, ended: 1 });
  });

  test('is kept for who comes again at once, and for nobody else', async () => {
    const { turns, lanes } = among();
    (await lanes.enter('lane', 2, signal))();
    (await lanes.enter('lane', 0, signal))();
    expect(turns).toMatchObject({ taken: 1, ended: 0 });
    expect(lanes.isBusy('lane')).toBe(true);
    await settled();
    expect(turns).toMatchObject({ taken: 1, ended: 1 });
    expect(lanes.isEmpty).toBe(true);
    (await lanes.enter('lane', 2, signal))();
    expect(turns.taken).toBe(2);
  });

  test('is asked for by who lost in the lane, or when others queue', async () => {
    const { turns, lanes } = among();
    (await lanes.enter('lane', 1, signal))();
    expect(turns.taken).toBe(0);
    turns.areContested = true;
    (await lanes.enter('lane', 0, signal))();
    expect(turns.taken).toBe(1);
  });

  test('is left by who cannot have the turn, and those behind go on', async () => {
    const { lanes } = among();
    const failed = lanes.enter('broken', 2, signal);
    const behind = lanes.enter('broken', 2, signal);
    await expect(failed).rejects.toThrow('no turn');
    await expect(behind).rejects.toThrow('no turn');
    expect(lanes.isEmpty).toBe(true);
  });
});
