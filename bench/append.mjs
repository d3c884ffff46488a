import { atLeast, count, ratio } from './report.mjs';
import { interleave } from './rounds.mjs';

export const title = 'Durable appends per second, by number of concurrent callers (closed loop)';

const bare = 'bare group commit';
const lmdb = 'lmdb, flushed';
const measured = 'recollect, conditions';
const variants = [
  bare,
  'bare, synchronous',
  'recollect',
  measured,
  lmdb,
  'classic-level, sync',
  'sqlite, grouped',
  'sqlite, single',
];

/** Lowest ratios that count as reached, by number of callers. */
const targets = {
  1: { bare: 0.85, lmdb: 1.25 },
  16: { bare: 0.9, lmdb: 1.2 },
  256: { bare: 1, lmdb: 1.15 },
  4096: { bare: 0.9, lmdb: 0.95 },
};

const nameOf = (callers) => (callers === 1 ? '1 caller' : `${callers} callers`);

export async function measure({ rounds, warmUpMs, measureMs, callers }) {
  const results = await interleave({
    variants,
    cases: callers.map((number) => ({
      name: nameOf(number),
      input: { callers: number, warmUpMs, measureMs },
    })),
    rounds,
    module: './load.mjs',
    task: 'closedLoop',
    warmUp: { callers: 64, warmUpMs, measureMs: warmUpMs },
  });
  const head = ['', ...callers.flatMap((number) => [nameOf(number), 'x bare'])];
  const rows = variants.map((variant) => [
    variant,
    ...callers.flatMap((number) =>
      results.missing.has(variant)
        ? ['not built', '']
        : [
            count(results.median(nameOf(number), variant, 'perSecond')),
            ratio(results.ratio(nameOf(number), variant, bare, 'perSecond')),
          ],
    ),
  ]);
  const spreads = [
    'spread of bare',
    ...callers.flatMap((number) => [
      `${Math.round(100 * results.spread(nameOf(number), bare, 'perSecond'))} %`,
      '',
    ]),
  ];
  const checks = callers.flatMap((number) => [
    atLeast(
      `${nameOf(number)}: ${measured} / bare`,
      results.ratio(nameOf(number), measured, bare, 'perSecond'),
      targets[number].bare,
    ),
    atLeast(
      `${nameOf(number)}: ${measured} / lmdb`,
      results.ratio(nameOf(number), measured, lmdb, 'perSecond'),
      targets[number].lmdb,
    ),
  ]);
  return { tables: [{ head, rows: [...rows, spreads] }], checks, raw: results };
}
