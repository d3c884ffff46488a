import { describe, expect, test } from 'vitest';
import { everyChoice, seededChooser } from '../support/chooser.js';
import { ManualClock } from '../support/clock.js';
import { SeededRandom } from '../support/random.js';

describe('seeded randomness', () => {
  test('repeats itself by its seed alone', () => {
    const draw = (seed: number) => {
      const random = new SeededRandom(seed);
      return Array.from({ length: 20 }, () => random.below(1_000_000));
    };
    expect(draw(5)).toEqual(draw(5));
    expect(draw(5)).not.toEqual(draw(6));
    expect(draw(5)).not.toEqual(draw(5 + 2 ** 32));
  });

  test('gives every number below its bound, and no other', () => {
    const random = new SeededRandom(1);
    const found = new Set(Array.from({ length: 500 }, () => random.below(7)));
    expect([...found].toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test('a fork does not change what its origin gives', () => {
    const [one, other] = [new SeededRandom(3), new SeededRandom(3)];
    one.fork().bytes(100);
    other.fork();
    expect(one.below(1000)).toBe(other.below(1000));
  });
});

describe('choosers', () => {
  test('by chance stay in their bounds and repeat themselves', () => {
    for (let seed = 0; seed < 50; seed += 1) {
      const draw = () => {
        const choose = seededChooser(seed);
        return [2, 3, 500].map((count) => choose(count));
      };
      const [two, three, many] = draw();
      expect(draw()).toEqual([two, three, many]);
      expect(two).toBeLessThan(2);
      expect(three).toBeLessThan(3);
      expect(many).toBeLessThan(500);
    }
  });

  test('every choice is made once, also where one decides what comes next', () => {
    const made = [...everyChoice((choose) => (choose(2) === 0 ? 'a' : `b${choose(3)}`))];
    expect(made).toEqual(['a', 'b0', 'b1', 'b2']);
    expect([...everyChoice(() => 'nothing to choose')]).toEqual(['nothing to choose']);
  });
});

test('a clock stands still until it is told otherwise', () => {
  const clock = new ManualClock(100);
  const { now } = clock;
  clock.advance(0.5);
  expect(now()).toBe(100.5);
  clock.set(new Date(50));
  expect(now()).toBe(50);
});
