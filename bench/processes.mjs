import { Child } from './children.mjs';
import { inFreshDirectory } from './load.mjs';
import { loadRecollect } from './peers/recollect.mjs';
import { atLeast, atMostExactly, count, milliseconds, percent, ratio } from './report.mjs';
import { Results } from './rounds.mjs';
import { rotated } from './statistics.mjs';

export const title = 'Four processes on one directory';

const module = './shared.mjs';
const variant = 'recollect, conditions';
const processesMax = 4;
/** The last one has as many callers as four times 16, in one process: the harder comparison, told but not a target. */
const cases = [
  { name: '1 process, 1 caller', processes: 1, callers: 1 },
  { name: '4 processes, 1 caller each', processes: 4, callers: 1, alone: '1 process, 1 caller' },
  { name: '1 process, 16 callers', processes: 1, callers: 16 },
  {
    name: '4 processes, 16 callers each',
    processes: 4,
    callers: 16,
    alone: '1 process, 16 callers',
  },
  { name: '1 process, 64 callers', processes: 1, callers: 64 },
];

export async function measure(settings) {
  try {
    await loadRecollect();
  } catch (error) {
    return {
      tables: [],
      checks: checksOf(new Results()),
      raw: [],
      note: `recollect: not built (${error.message})`,
    };
  }
  const children = Array.from({ length: processesMax }, () => new Child());
  const results = new Results();
  try {
    await runCase(children, cases[0], settings);
    for (let round = 0; round < settings.rounds; round += 1) {
      for (const each of rotated(cases, round)) {
        const members = rotated(children, round).slice(0, each.processes);
        results.add(each.name, variant, await runCase(members, each, settings));
      }
    }
  } finally {
    for (const child of children) child.stop();
  }
  const head = [
    '',
    'per second',
    'x alone',
    'smallest share',
    'p50',
    'longest wait',
    'longest of all rounds',
  ];
  const rows = cases.map(({ name, alone }) => [
    name,
    count(results.median(name, variant, 'perSecond')),
    alone === undefined ? '' : ratio(together(results, name, alone)),
    percent(results.median(name, variant, 'smallestShare')),
    milliseconds(results.median(name, variant, 'p50Ms')),
    milliseconds(results.median(name, variant, 'longestMs')),
    milliseconds(results.max(name, variant, 'longestMs')),
  ]);
  return { tables: [{ head, rows }], checks: checksOf(results), raw: results };
}

function runCase(members, { processes, callers }, { warmUpMs, measureMs }) {
  return inFreshDirectory(async (directory) => {
    for (const [label, member] of members.entries())
      await member.call(module, 'join', { directory, variant, callers, label });
    const startAt = Date.now() + warmUpMs + 150;
    const measured = await Promise.all(
      members.map((member) => member.call(module, 'write', { warmUpMs, startAt, measureMs })),
    );
    const totals = await Promise.all(members.map((member) => member.call(module, 'leave')));
    const acknowledged = totals.reduce((sum, total) => sum + total, 0);
    const stored = await members[0].call(module, 'stored', { directory });
    if (stored !== acknowledged)
      throw new Error(`${acknowledged} appends were acknowledged, ${stored} are stored`);
    const counts = measured.map((each) => each.count);
    const sum = counts.reduce((total, each) => total + each, 0);
    return {
      counts,
      perSecond: measured.reduce((total, each) => total + each.perSecond, 0),
      /** Of the fair share, which is 1. */
      smallestShare: (Math.min(...counts) / sum) * processes,
      p50Ms: Math.max(...measured.map((each) => each.p50Ms)),
      longestMs: Math.max(...measured.map((each) => each.maxMs)),
    };
  });
}

function together(results, name, alone) {
  return results.median(name, variant, 'perSecond') / results.median(alone, variant, 'perSecond');
}

/** "None" and "longest" are meant as they say: the worst of all rounds counts, not the median. */
function checksOf(results) {
  return cases
    .filter(({ alone }) => alone !== undefined)
    .flatMap(({ name, alone }) => [
      atLeast(`${name}: smallest share`, results.min(name, variant, 'smallestShare'), 0.6),
      atMostExactly(`${name}: longest wait, ms`, results.max(name, variant, 'longestMs'), 100),
      atLeast(`${name}: together / ${alone}`, together(results, name, alone), 0.6),
    ]);
}
