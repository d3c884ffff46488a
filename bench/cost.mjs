import { count, microseconds } from './report.mjs';
import { interleave } from './rounds.mjs';
import { median } from './statistics.mjs';

export const title = 'What the format costs: bytes and CPU time per commit of one event';

const bare = 'bare group commit';
const measured = 'recollect, conditions';
const groupSizes = [1, 16, 256];

export async function measure({ rounds, warmUpMs, measureMs }) {
  const results = await interleave({
    variants: [bare, measured],
    cases: groupSizes.flatMap((callers) => [
      { name: String(callers), variants: [bare], input: { callers, warmUpMs, measureMs } },
      {
        name: String(callers),
        variants: [measured],
        input: { callers, warmUpMs, measureMs, inspect: true },
      },
    ]),
    rounds,
    module: './load.mjs',
    task: 'closedLoop',
    warmUp: { callers: 64, warmUpMs, measureMs: warmUpMs },
  });
  if (results.missing.has(measured))
    return {
      tables: [],
      checks: [],
      raw: results,
      note: `recollect: not built (${results.missing.get(measured)})`,
    };
  const head = [
    'callers',
    'commits per group',
    'bytes per line',
    'bytes per seal',
    'bytes per commit',
    'in groups of just that size',
    'CPU',
    'CPU of bare',
  ];
  const rows = groupSizes.map((size) => {
    const lines = results.all(String(size), measured, 'lines');
    const of = (figure) => median(lines.map(figure));
    const perLine = of((each) => each.commitBytes / each.commits);
    const perSeal = of((each) => each.sealBytes / each.seals);
    return [
      String(size),
      of((each) => each.commits / each.seals).toFixed(1),
      perLine.toFixed(1),
      perSeal.toFixed(1),
      of((each) => (each.commitBytes + each.sealBytes + each.otherBytes) / each.commits).toFixed(1),
      count(perLine + perSeal / size),
      microseconds(results.median(String(size), measured, 'cpuMicroseconds')),
      microseconds(results.median(String(size), bare, 'cpuMicroseconds')),
    ];
  });
  return { tables: [{ head, rows }], checks: [], raw: results };
}
