import { describe, expect, test } from 'vitest';
import { StateCache } from '#src/projections/states.js';

const ENTRY = 300;

describe('the cache of states', () => {
  test('keeps the newer of two states of a key, whichever came first', () => {
    const states = new StateCache(10_000).view();
    states.keep('a', { state: 'new', position: 5 }, 10, true);
    states.keep('a', { state: 'old', position: 3 }, 10, false);
    expect(states.get('a')).toEqual({ state: 'new', position: 5 });
    expect(states.hot.get('a')).toBe('new');
  });

  test('keeps what is known of a failure', () => {
    const states = new StateCache(10_000).view();
    const failure = { position: 6, event: '6.0', cause: 'bad' };
    states.keep('a', { state: 1, position: 5, failure }, 10, false);
    states.keep('a', { state: 1, position: 5 }, 10, false);
    expect(states.get('a')?.failure).toBe(failure);
  });

  test('stays within its budget and lets go of what was used least recently', () => {
    const cache = new StateCache(10 * ENTRY);
    const states = cache.view();
    for (let number = 0; number < 100; number += 1) {
      states.keep(`k${number}`, { state: number, position: 1 }, 20, true);
      states.get('k0');
      expect(cache.bytes).toBeLessThanOrEqual(10 * ENTRY);
    }
    expect(states.get('k0')?.state).toBe(0);
    expect(states.get('k99')?.state).toBe(99);
    expect(states.get('k1')).toBeUndefined();
  });

  test('has one budget for all projections', () => {
    const cache = new StateCache(10 * ENTRY);
    const [one, other] = [cache.view(), cache.view()];
    one.keep('a', { state: 1, position: 1 }, 20, true);
    for (let number = 0; number < 20; number += 1) {
      other.keep(`k${number}`, { state: number, position: 1 }, 20, true);
    }
    expect(one.get('a')).toBeUndefined();
    expect(one.hot.size).toBe(0);
  });

  test('has nothing hot that it does not hold', () => {
    const cache = new StateCache(10 * ENTRY);
    const views = [cache.view(), cache.view()];
    for (let number = 0; number < 500; number += 1) {
      const view = views[number % 2] as (typeof views)[0];
      view.keep(`k${number % 37}`, { state: number, position: number }, number % 400, true);
      for (const { hot, get } of views.map((states) => ({
        hot: states.hot,
        get: (key: string) => states.get(key),
      }))) {
        for (const [key, state] of hot) expect(get(key)?.state).toBe(state);
      }
    }
  });

  test('does not keep a state larger than the whole budget, nor the one before it', () => {
    const cache = new StateCache(1000);
    const states = cache.view();
    states.keep('a', { state: 'small', position: 1 }, 10, true);
    states.keep('a', { state: 'large', position: 2 }, 5000, true);
    expect(states.get('a')).toBeUndefined();
    expect(states.hot.has('a')).toBe(false);
    expect(cache.bytes).toBe(0);
  });

  test('keeps nothing without a budget', () => {
    const cache = new StateCache(0);
    const states = cache.view();
    states.keep('a', { state: 1, position: 1 }, 10, true);
    expect(states.get('a')).toBeUndefined();
    expect(states.hot.size).toBe(0);
    expect(cache.count).toBe(0);
  });
});
