import { count, microseconds, milliseconds, ratio } from './report.mjs';
import { interleave } from './rounds.mjs';

export const title =
  'The memory: calls per second of ten agents at once, and the delay of their event loop';

/** The yardstick: a durable append by the same store. */
const plain = 'engine.append';
const variants = [
  plain,
  'records.store',
  'records.update',
  'records.get',
  'records.storeMany of 100',
  'conversations.store',
  'conversations.update',
  'conversations.retrieve',
  'users.updateContext',
  'users.changeContext',
  'users.getContext',
  'episodes.record',
  'sites.recordVisit',
  'skills.recordOutcome',
  'graph.addObservations',
  'all that write',
];

export async function measure({ rounds, warmUpMs, measureMs }) {
  const name = 'ten agents';
  const results = await interleave({
    variants,
    cases: [{ name, input: { agents: 10, warmUpMs, measureMs } }],
    rounds,
    module: './remembering.mjs',
    task: 'closedLoop',
    warmUp: { agents: 10, warmUpMs, measureMs: warmUpMs },
  });
  const rows = variants.map((variant) => {
    if (results.missing.has(variant)) return [variant, 'not built'];
    const figure = (of) => results.median(name, variant, of);
    return [
      variant,
      count(figure('perSecond')),
      ratio(results.ratio(name, variant, plain, 'perSecond')),
      microseconds(figure('cpuMicroseconds')),
      ...['delayP50Ms', 'delayP99Ms', 'delayMaxMs'].map((of) => milliseconds(figure(of))),
    ];
  });
  const head = [name, 'per second', 'x append', 'CPU', 'loop p50', 'loop p99', 'loop max'];
  return { tables: [{ head, rows }], checks: [], raw: results };
}
