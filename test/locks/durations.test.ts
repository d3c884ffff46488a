import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DurationHistogram } from '#src/locks/durations.js';
import { seed, times } from '../support/runs.js';

test('quantiles are at most an eighth above the true ones, all else is exact', () => {
  const lists = fc.array(fc.double({ min: 0, max: 1e10, noNaN: true }), {
    minLength: 1,
    maxLength: 200,
  });
  fc.assert(
    fc.property(lists, (list) => {
      const histogram = new DurationHistogram();
      for (const milliseconds of list) histogram.add(milliseconds);
      const { count, minMs, meanMs, p50Ms, p99Ms, maxMs } = histogram.durations;
      const sorted = [...list].sort((one, other) => one - other);
      expect([count, minMs, maxMs]).toEqual([list.length, sorted[0], sorted.at(-1)]);
      expect(meanMs).toBeCloseTo(list.reduce((sum, one) => sum + one, 0) / list.length, 3);
      for (const [share, told] of [
        [0.5, p50Ms],
        [0.99, p99Ms],
      ] as const) {
        const truth = sorted[Math.ceil(share * list.length) - 1] as number;
        expect(told).toBeGreaterThanOrEqual(truth);
        expect(told).toBeLessThanOrEqual(Math.max(truth * 1.126, truth + 2 ** -13));
      }
    }),
    { numRuns: times(100), seed },
  );
});

test('nothing measured is all zeros, and what takes for ever is counted', () => {
  const histogram = new DurationHistogram();
  expect(histogram.durations).toEqual({
    count: 0,
    minMs: 0,
    meanMs: 0,
    p50Ms: 0,
    p99Ms: 0,
    maxMs: 0,
  });
  histogram.add(1e12);
  expect(histogram.durations).toMatchObject({ count: 1, minMs: 1e12, maxMs: 1e12, p99Ms: 1e12 });
});
