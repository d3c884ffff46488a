/** Lanes: turns for transactions that lost over the same key. */
import { describe, expect, test } from 'vitest';
import { Lanes } from '#src/transaction/lanes.js';

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
