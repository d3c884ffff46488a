import { count, microseconds, ratio } from './report.mjs';
import { interleave } from './rounds.mjs';

export const title = 'Transactions per second: read a state, append to its stream (closed loop)';

const plain = 'append';
const variants = [plain, 'transaction', 'command'];

const nameOf = ({ callers, contended }) =>
  `${callers} in flight${contended ? ', all on one key' : ''}`;

export async function measure({ rounds, warmUpMs, measureMs, inFlight }) {
  const kinds = [
    ...inFlight.map((callers) => ({ callers, contended: false })),
    ...inFlight.filter((callers) => callers > 1).map((callers) => ({ callers, contended: true })),
  ];
  const results = await interleave({
    variants,
    cases: kinds.map((kind) => ({
      name: nameOf(kind),
      input: { ...kind, warmUpMs, measureMs },
    })),
    rounds,
    module: './transacting.mjs',
    task: 'closedLoop',
    warmUp: { callers: 16, contended: false, warmUpMs, measureMs: warmUpMs },
  });
  const tables = kinds.map((kind) => ({
    head: [nameOf(kind), 'per second', 'x append', 'CPU', 'retries each'],
    rows: variants.map((variant) => {
      if (results.missing.has(variant)) return [variant, 'not built'];
      const name = nameOf(kind);
      return [
        variant,
        count(results.median(name, variant, 'perSecond')),
        ratio(results.ratio(name, variant, plain, 'perSecond')),
        microseconds(results.median(name, variant, 'cpuMicroseconds')),
        ratio(results.median(name, variant, 'retriesEach')),
      ];
    }),
  }));
  return { tables, checks: [], raw: results };
}
