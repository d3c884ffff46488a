/** Turns of the event loop between portions of work that wait for nothing. */
import { describe, expect, test, vi } from 'vitest';
import { Turns } from '#src/log/turns.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('work that waits for nothing', () => {
  test('rests when it went on for long, and whoever shares the turn rests with it', async () => {
    let now = 0;
    const turns = new Turns(() => now);
    expect(turns.rest()).toBeUndefined();
    now = 4;
    expect(turns.rest()).toBeUndefined();
    now = 5;
    const resting = turns.rest();
    expect(resting).toBeInstanceOf(Promise);
    expect(turns.rest()).toBe(resting);
    let others = 0;
    setImmediate(() => {
      others += 1;
    });
    await resting;
    await turn();
    expect(others).toBe(1);
    expect(turns.rest()).toBeUndefined();
  });

  test('goes on when the event loop had a turn meanwhile', async () => {
    let now = 0;
    const turns = new Turns(() => now);
    expect(turns.rest()).toBeUndefined();
    await turn();
    now = 100;
    expect(turns.rest()).toBeUndefined();
    now = 105;
    await turns.rest();
    expect(turns.rest()).toBeUndefined();
  });

  test('goes on when a mock of the timers that it met was never called', async () => {
    let now = 0;
    const turns = new Turns(() => now);
    vi.useFakeTimers({ toFake: ['setImmediate'] });
    expect(turns.rest()).toBeUndefined();
    now = 5;
    const resting = turns.rest();
    vi.useRealTimers();
    await resting;
    expect(turns.rest()).toBeUndefined();
  });

  test('goes on side by side', async () => {
    let now = 0;
    const turns = new Turns(() => now);
    const order: string[] = [];
    const work = async (name: string) => {
      for (let portion = 0; portion < 3; portion += 1) {
        order.push(name);
        now += 5;
        await turns.rest();
      }
    };
    await Promise.all([work('a'), work('b'), work('c')]);
    expect(order.slice(-3).sort()).toEqual(['a', 'b', 'c']);
  });
});
