import { atLeast, count, microseconds, milliseconds, ratio } from './report.mjs';
import { interleave } from './rounds.mjs';

export const title = 'Synchronous durable appends, one after the other';

const bare = 'bare, synchronous';
const lmdb = 'lmdb, flushed';
const measured = 'recollect, conditions';
const variants = [bare, 'recollect', measured, lmdb, 'sqlite, single'];
const name = 'appendSync';

export async function measure({ rounds, warmUpMs, measureMs }) {
  const input = { warmUpMs, measureMs };
  const results = await interleave({
    variants,
    cases: [{ name, input }],
    rounds,
    module: './load.mjs',
    task: 'synchronousLoop',
    warmUp: { warmUpMs, measureMs: warmUpMs },
  });
  const rows = variants.map((variant) => {
    if (results.missing.has(variant)) return [variant, 'not built'];
    return [
      variant,
      count(results.median(name, variant, 'perSecond')),
      ratio(results.ratio(name, variant, bare, 'perSecond')),
      milliseconds(results.median(name, variant, 'p50Ms')),
      milliseconds(results.median(name, variant, 'p99Ms')),
      microseconds(results.median(name, variant, 'cpuMicroseconds')),
    ];
  });
  const checks = [
    atLeast(
      'appendSync / bare writeSync + fdatasyncSync',
      results.ratio(name, measured, bare, 'perSecond'),
      0.85,
    ),
    atLeast('appendSync / lmdb putSync', results.ratio(name, measured, lmdb, 'perSecond'), 1.5),
  ];
  return {
    tables: [{ head: ['', 'per second', 'x bare', 'p50', 'p99', 'CPU'], rows }],
    checks,
    raw: results,
  };
}
