import { values } from './peers/values.mjs';
import { atMost, atMostExactly, count, microseconds, nanoseconds, ratio } from './report.mjs';
import { interleave } from './rounds.mjs';

export const title = 'Reading states by key';

const module = './looking.mjs';
const map = 'Map.get';
const measured = 'recollect getSync, freshness Infinity';
const lmdb = 'lmdb get';
const hotVariants = Object.keys(values);
const coldVariants = ['recollect get', 'recollect getSync', 'sqlite select + JSON.parse + fold'];
const mapRatioMax = 4;
const lmdbRatioMax = 0.1;

export async function measure({ rounds, measureMs, keys, coldKeys }) {
  const hot = await interleave({
    variants: hotVariants,
    cases: [{ name: 'hot', input: { keys, measureMs } }],
    rounds,
    module,
    task: 'hot',
    warmUp: { keys, measureMs: measureMs / 4 },
  });
  const cold = await interleave({
    variants: coldVariants,
    cases: [{ name: 'cold', input: { keys: coldKeys } }],
    rounds,
    module,
    task: 'first',
    warmUp: { keys: coldKeys },
  });
  return {
    tables: [hotTable(hot, keys), coldTable(cold, coldKeys)],
    checks: [
      atMost(
        `hot: ${measured} / ${map}, time`,
        hot.ratio('hot', measured, map, 'nanoseconds'),
        mapRatioMax,
      ),
      atMostExactly(
        `hot: ${measured} / ${lmdb}, time`,
        hot.ratio('hot', measured, lmdb, 'nanoseconds'),
        lmdbRatioMax,
      ),
    ],
    raw: { hot, cold },
  };
}

function hotTable(results, keys) {
  const head = [`hot, ${count(keys)} keys`, 'time', 'per second', 'x Map.get', 'x lmdb get'];
  const rows = hotVariants.map((variant) => {
    if (results.missing.has(variant)) return [variant, 'not built'];
    return [
      variant,
      nanoseconds(results.median('hot', variant, 'nanoseconds')),
      count(results.median('hot', variant, 'perSecond')),
      ratio(results.ratio('hot', variant, map, 'nanoseconds')),
      ratio(results.ratio('hot', variant, lmdb, 'nanoseconds')),
    ];
  });
  return { head, rows };
}

function coldTable(results, keys) {
  const head = [`cold, ${count(keys)} keys of 10 events`, 'time', 'per second', 'CPU'];
  const rows = coldVariants.map((variant) => {
    if (results.missing.has(variant)) return [variant, 'not built'];
    return [
      variant,
      microseconds(results.median('cold', variant, 'nanoseconds') / 1_000),
      count(results.median('cold', variant, 'perSecond')),
      microseconds(results.median('cold', variant, 'cpuMicroseconds')),
    ];
  });
  return { head, rows };
}
