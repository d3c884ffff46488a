import { Child } from './children.mjs';
import { inFreshDirectory } from './load.mjs';
import { loadRecollect } from './peers/recollect.mjs';
import { atLeast, count, milliseconds, ratio } from './report.mjs';
import { Results } from './rounds.mjs';
import { quantile, rotated } from './statistics.mjs';

export const title = 'Subscriptions: the history, and what another process appends';

const module = './subscribing.mjs';
const plain = 'readAll';
const ways = { [plain]: 'readAll', unnamed: 'subscribe', named: 'subscribe, with a name' };
const readers = { unnamed: undefined, named: 'live' };
const ratioMin = 0.8;
/** Events before those that are measured. */
const warmUpEvents = 20;

export async function measure({ rounds, openings, liveEvents }) {
  try {
    await loadRecollect();
  } catch (error) {
    const note = `recollect: not built (${error.message})`;
    return { tables: [], checks: checksOf(new Results()), raw: [], note };
  }
  const events = openings.at(-1);
  const results = new Results();
  await inFreshDirectory(async (directory) => {
    await once('./reading.mjs', 'fill', { directory, commits: events });
    await history(results, directory, events, rounds);
  });
  for (let round = 0; round < rounds; round += 1) {
    for (const [reader, name] of rotated(Object.entries(readers), round)) {
      results.add('live', reader, await live(name, liveEvents + warmUpEvents));
    }
  }
  return {
    tables: [historyTable(results, events), liveTable(results, liveEvents)],
    checks: checksOf(results),
    raw: results,
  };
}

/** Each way in a process of its own, the first pass unmeasured. */
async function history(results, directory, events, rounds) {
  const children = new Map(Object.keys(ways).map((way) => [way, new Child()]));
  const run = (way, child) => child.call(module, 'history', { directory, events, way });
  try {
    for (const [way, child] of children) await run(way, child);
    for (let round = 0; round < rounds; round += 1) {
      for (const [way, child] of rotated([...children], round))
        results.add('history', way, await run(way, child));
    }
  } finally {
    for (const child of children.values()) child.stop();
  }
}

/** One process writes, the other one is given what it writes. */
function live(name, events) {
  return inFreshDirectory(async (directory) => {
    const [reader, writer] = [new Child(), new Child()];
    try {
      await reader.call(module, 'join', { directory, name });
      const following = reader.call(module, 'follow', { events });
      const { calls } = await writer.call(module, 'pace', { directory, events });
      const { given } = await following;
      const from = (start) =>
        Float64Array.from(calls.slice(warmUpEvents), (call, index) => {
          return given[index + warmUpEvents] - call[start];
        }).sort();
      const appending = Float64Array.from(calls.slice(warmUpEvents), (call) => {
        return call.acknowledged - call.began;
      }).sort();
      return {
        appendP50Ms: quantile(appending, 0.5),
        appendP99Ms: quantile(appending, 0.99),
        givenP50Ms: quantile(from('began'), 0.5),
        givenP99Ms: quantile(from('began'), 0.99),
        behindP50Ms: quantile(from('acknowledged'), 0.5),
        behindP99Ms: quantile(from('acknowledged'), 0.99),
      };
    } finally {
      reader.stop();
      writer.stop();
    }
  });
}

async function once(path, task, input) {
  const child = new Child();
  try {
    return await child.call(path, task, input);
  } finally {
    child.stop();
  }
}

const speed = (results, way) =>
  results.median('history', plain, 'elapsedMs') / results.median('history', way, 'elapsedMs');

function historyTable(results, events) {
  const head = [`history, ${count(events)} events`, 'per second', 'x readAll', 'CPU'];
  const rows = Object.entries(ways).map(([way, label]) => [
    label,
    count((events / results.median('history', way, 'elapsedMs')) * 1_000),
    ratio(speed(results, way)),
    milliseconds(results.median('history', way, 'cpuMs')),
  ]);
  return { head, rows };
}

function liveTable(results, events) {
  const names = ['appendP50Ms', 'appendP99Ms', 'givenP50Ms', 'givenP99Ms'];
  const behind = ['behindP50Ms', 'behindP99Ms'];
  const head = [
    `${count(events)} appends of another process`,
    'append p50',
    'p99',
    'call to given p50',
    'p99',
    'acknowledged to given p50',
    'p99',
  ];
  const rows = Object.keys(readers).map((reader) => [
    ways[reader],
    ...[...names, ...behind].map((name) => milliseconds(results.median('live', reader, name))),
  ]);
  return { head, rows };
}

function checksOf(results) {
  return [atLeast('history: subscribe / readAll', speed(results, 'unnamed'), ratioMin)];
}
