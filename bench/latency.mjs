import { atMost, atMostExactly, microseconds, milliseconds, percent } from './report.mjs';
import { interleave } from './rounds.mjs';

export const title = 'Latency, CPU time and event-loop delay of an append';

const bare = 'bare group commit';
const measured = 'recollect, conditions';
/** sqlite in single transactions never comes back to the event loop while callers go on, so there is no delay to measure. */
const variants = [
  bare,
  'bare, synchronous',
  'recollect',
  measured,
  'lmdb, flushed',
  'classic-level, sync',
  'sqlite, grouped',
];
const callersOfCases = [1, 256];
const p99RatioMax = 1.2;
/** A caller's thread that waits for the disk itself is busy all the time; one that is free to do other work is mostly idle. */
const loopBusyMax = 0.5;

export async function measure({ rounds, warmUpMs, measureMs }) {
  const results = await interleave({
    variants,
    cases: callersOfCases.map((callers) => ({
      name: String(callers),
      input: { callers, warmUpMs, measureMs, watchDelay: true },
    })),
    rounds,
    module: './load.mjs',
    task: 'closedLoop',
    warmUp: { callers: 64, warmUpMs, measureMs: warmUpMs, watchDelay: true },
  });
  const tables = callersOfCases.map((callers) => ({
    head: [
      callers === 1 ? '1 caller' : `${callers} callers`,
      'p50',
      'p99',
      'max',
      'CPU',
      'loop p99',
      'loop max',
      'loop busy',
    ],
    rows: variants.map((variant) => {
      if (results.missing.has(variant)) return [variant, 'not built'];
      const figure = (name) => results.median(String(callers), variant, name);
      return [
        variant,
        ...['p50Ms', 'p99Ms', 'maxMs'].map((name) => milliseconds(figure(name))),
        microseconds(figure('cpuMicroseconds')),
        ...['delayP99Ms', 'delayMaxMs'].map((name) => milliseconds(figure(name))),
        percent(figure('loopBusy')),
      ];
    }),
  }));
  const checks = [
    atMost(
      `256 callers: p99 of ${measured} / bare`,
      results.ratio('256', measured, bare, 'p99Ms'),
      p99RatioMax,
    ),
    atMostExactly(
      `1 caller: busy share of the caller's thread, ${measured}`,
      results.median('1', measured, 'loopBusy'),
      loopBusyMax,
    ),
  ];
  return { tables, checks, raw: results };
}
