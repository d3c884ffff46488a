import {
  atLeast,
  atMostExactly,
  count,
  microseconds,
  milliseconds,
  nanoseconds,
  ratio,
} from './report.mjs';
import { interleave } from './rounds.mjs';
import { median } from './statistics.mjs';

export const title =
  'Locks: one acquisition and release that nobody disputes, and 100 readers with 50 writers';

const within = ['ReadWriteLock', 'LockManager', 'async-mutex'];
const between = ['FileLock', 'FileLock, fencing', 'FileLock, synchronous', 'proper-lockfile'];
const forms = { lease: 'lease', work: 'with a function' };

export async function measure({ rounds, warmUpMs, measureMs, contenderTurns }) {
  const results = await interleave({
    variants: [...within, ...between],
    cases: [
      ...Object.keys(forms).map((form) => ({ name: form, input: { form, measureMs } })),
      { name: 'statistics', variants: ['LockManager'], input: { form: 'statistics', measureMs } },
      { name: 'contended', variants: within, input: { form: 'contended', turns: contenderTurns } },
    ],
    rounds,
    module: './locking.mjs',
    task: 'lock',
    warmUp: { form: 'lease', measureMs: warmUpMs },
  });
  const fastest = (peer, ours, form) =>
    results.median(form, peer, 'cpuNanoseconds') / results.median(form, ours, 'cpuNanoseconds');
  const table = (variants, peer) => ({
    head: ['CPU time of one', ...Object.values(forms), `x ${peer}`, ''],
    rows: variants.map((variant) => [
      variant,
      ...Object.keys(forms).map((form) =>
        nanoseconds(results.median(form, variant, 'cpuNanoseconds')),
      ),
      ...Object.keys(forms).map((form) => ratio(fastest(peer, variant, form))),
    ]),
  });
  const contended = {
    head: [
      '100 readers, 50 writers',
      'turns per second',
      'CPU',
      'longest wait of a writer',
      'of a reader',
    ],
    rows: within.map((variant) => [
      variant,
      count(results.median('contended', variant, 'perSecond')),
      microseconds(results.median('contended', variant, 'cpuMicroseconds')),
      milliseconds(results.median('contended', variant, 'writerMsMax')),
      milliseconds(results.median('contended', variant, 'readerMsMax')),
    ]),
  };
  const statistics = median(results.all('statistics', 'LockManager', 'cpuNanoseconds')) / 1000;
  return {
    tables: [table(within, 'async-mutex'), table(between, 'proper-lockfile'), contended],
    checks: [
      atLeast(
        'ReadWriteLock.write x async-mutex',
        fastest('async-mutex', 'ReadWriteLock', 'lease'),
        1,
      ),
      atLeast(
        'ReadWriteLock.withWrite x async-mutex',
        fastest('async-mutex', 'ReadWriteLock', 'work'),
        1,
      ),
      atLeast('LockManager.write x async-mutex', fastest('async-mutex', 'LockManager', 'lease'), 1),
      atLeast(
        'FileLock.exclusive x proper-lockfile',
        fastest('proper-lockfile', 'FileLock', 'lease'),
        10,
      ),
      atMostExactly('statistics of one acquisition and release, µs', statistics, 1),
    ],
    raw: results,
  };
}
