import { variants } from './projecting.mjs';
import { atLeast, count, microseconds, milliseconds, ratio } from './report.mjs';
import { interleave } from './rounds.mjs';

export const title = 'Appending with projections attached';

const none = 'no projections';
const measured = 'two projections';
const ratioMin = 0.8;

export async function measure({ rounds, warmUpMs, measureMs, appendCallers: callers }) {
  const name = `${callers} callers`;
  const results = await interleave({
    variants,
    cases: [{ name, input: { callers, warmUpMs, measureMs } }],
    rounds,
    module: './projecting.mjs',
    task: 'closedLoop',
    warmUp: { callers, warmUpMs, measureMs: warmUpMs },
  });
  const head = [
    name,
    'per second',
    'x none',
    'CPU',
    'with the later fold',
    'x none',
    'CPU',
    'time of the fold',
  ];
  const rows = variants.map((variant) => {
    if (results.missing.has(variant)) return [variant, 'not built'];
    return [
      variant,
      count(results.median(name, variant, 'perSecond')),
      ratio(results.ratio(name, variant, none, 'perSecond')),
      microseconds(results.median(name, variant, 'cpuMicroseconds')),
      count(results.median(name, variant, 'perSecondFolded')),
      ratio(results.ratio(name, variant, none, 'perSecondFolded')),
      microseconds(results.median(name, variant, 'cpuMicrosecondsFolded')),
      milliseconds(results.median(name, variant, 'foldMs')),
    ];
  });
  const checks = [
    atLeast(
      `${name}: append with ${measured} / ${none}`,
      results.ratio(name, measured, none, 'perSecond'),
      ratioMin,
    ),
  ];
  return { tables: [{ head, rows }], checks, raw: results };
}
