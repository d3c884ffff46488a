import { Child } from './children.mjs';
import { loadRecollect } from './peers/recollect.mjs';
import { atMost, atMostExactly, count, milliseconds, ratio } from './report.mjs';
import { Results } from './rounds.mjs';

export const title = 'Compaction beside writers, and history out of the archive';

const module = './compacting.mjs';
const name = 'compaction';
const p99RatioMax = 3;
const addedSliceMsMax = 10;
const historyMsMax = 3;
const turnsHead = [
  'for',
  'longest slice, CPU',
  'by the clock',
  'longest collection',
  'slices over 10 ms',
];

export async function measure(settings) {
  const { rounds, warmUpMs, measureMs, archivedEvents, keys, coldKeys, indexTexts } = settings;
  const texts = indexTexts.at(-1);
  const results = new Results();
  try {
    await loadRecollect();
  } catch (error) {
    return {
      tables: [],
      checks: [],
      raw: results,
      note: `recollect: not built (${error.message})`,
    };
  }
  const child = new Child();
  try {
    const input = { events: archivedEvents, keys, callers: 16, measureMs, warmUpMs };
    for (let round = 0; round < rounds; round += 1) {
      const { alone, together, ...facts } = await child.call(module, 'beside', input);
      results.add(name, 'writers alone', alone);
      results.add(name, 'beside compaction', together);
      results.add(name, 'archive', { ...facts, p99Ratio: together.p99Ms / alone.p99Ms });
      const { first, next } = await child.call(module, 'alone', { events: archivedEvents, keys });
      results.add(name, 'first, alone', first);
      results.add(name, 'next, alone', next);
      const index = await child.call('./recalling.mjs', 'turns', { texts });
      results.add(name, 'index saved', index.save);
      results.add(name, 'index saved again', index.next);
      results.add(name, 'index loaded', index.load);
      const reads = Math.min(coldKeys, 500);
      const history = { events: archivedEvents, keys, reads };
      results.add(name, 'history', await child.call(module, 'history', history));
    }
  } finally {
    child.stop();
  }
  const figure = (variant, of) => results.median(name, variant, of);
  const rows = ['writers alone', 'beside compaction'].map((variant) => [
    variant,
    count(figure(variant, 'appends')),
    ...['elapsedMs', 'p50Ms', 'p99Ms', 'loopP99Ms', 'loopMaxMs'].map((of) =>
      milliseconds(figure(variant, of)),
    ),
  ]);
  const turnsOf = (variants) =>
    variants.map((variant) => [
      variant,
      ...['elapsedMs', 'cpuMs', 'wallMs', 'gcMs'].map((of) => milliseconds(figure(variant, of))),
      count(figure(variant, 'over10')),
    ]);
  const indexed = ['index saved', 'index saved again', 'index loaded'];
  const archive = [
    [
      count(figure('archive', 'segments')),
      count(figure('archive', 'bytes')),
      ratio(figure('archive', 'archiveBytes') / figure('archive', 'bytes')),
      ...['eventP50Ms', 'historyP50Ms', 'historyP99Ms'].map((of) =>
        milliseconds(figure('history', of)),
      ),
    ],
  ];
  const added = figure('beside compaction', 'loopMaxMs') - figure('writers alone', 'loopMaxMs');
  return {
    tables: [
      {
        head: ['16 writers', 'appends', 'for', 'p50', 'p99', 'loop p99', 'loop max'],
        rows,
      },
      {
        head: ['two projections, nobody writes', ...turnsHead],
        rows: turnsOf(['first, alone', 'next, alone']),
      },
      { head: [`a memory of ${count(texts)} texts`, ...turnsHead], rows: turnsOf(indexed) },
      {
        head: ['segments', 'bytes', 'of that', 'one event', 'history p50', 'history p99'],
        rows: archive,
      },
    ],
    checks: [
      atMost(
        'p99 of an append beside compaction / alone',
        figure('archive', 'p99Ratio'),
        p99RatioMax,
      ),
      atMostExactly(
        'longest slice of a compaction alone, CPU, ms',
        Math.max(figure('first, alone', 'cpuMs'), figure('next, alone', 'cpuMs')),
        addedSliceMsMax,
      ),
      atMostExactly(
        `longest slice while the index of ${count(texts)} texts is saved or loaded, CPU, ms`,
        Math.max(...indexed.map((variant) => figure(variant, 'cpuMs'))),
        addedSliceMsMax,
      ),
      atMostExactly(
        'longest wait of the event loop beside compaction, beyond that without, ms by the clock',
        added,
        addedSliceMsMax,
      ),
      atMostExactly(
        'history out of the archive, p50, ms',
        figure('history', 'historyP50Ms'),
        historyMsMax,
      ),
    ],
    raw: results,
  };
}
