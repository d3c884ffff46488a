import { statSync } from 'node:fs';
import { Child } from './children.mjs';
import { segmentFiles } from './lines.mjs';
import { inFreshDirectory } from './load.mjs';
import { loadRecollect } from './peers/recollect.mjs';
import { atLeast, count, milliseconds, ratio } from './report.mjs';
import { Results } from './rounds.mjs';
import { rotated } from './statistics.mjs';

export const title = 'Folding a whole log into one state per key';

const module = './replaying.mjs';
const name = 'replay';
const plain = 'plain';
const readers = {
  [plain]: 'newline scan + JSON.parse + Map',
  entries: 'open + entries',
  entriesSync: 'openSync + entriesSync',
};
const ratioMin = 0.5;

export async function measure({ rounds, replayEvents: events, keys }) {
  const results = new Results();
  try {
    await loadRecollect();
  } catch (error) {
    const note = `recollect: not built (${error.message})`;
    return { tables: [], checks: checksOf(results), raw: results, note };
  }
  return inFreshDirectory(async (directory) => {
    const filling = new Child();
    try {
      await filling.call(module, 'fill', { directory, events, keys });
    } finally {
      filling.stop();
    }
    await read(results, directory, { events, keys, rounds });
    const bytes = segmentFiles(`${directory}/store`).reduce(
      (sum, file) => sum + statSync(file).size,
      0,
    );
    return {
      tables: [tableOf(results, { events, keys, bytes })],
      checks: checksOf(results),
      raw: results,
    };
  });
}

/** Each in a process of its own, the first pass unmeasured. All must fold every event. */
async function read(results, directory, { events, keys, rounds }) {
  const children = new Map(Object.keys(readers).map((reader) => [reader, new Child()]));
  try {
    for (const [reader, child] of children) await child.call(module, reader, { directory });
    for (let round = 0; round < rounds; round += 1) {
      for (const [reader, child] of rotated([...children], round)) {
        const result = await child.call(module, reader, { directory });
        if (result.events !== events || result.keys !== Math.min(keys, events))
          throw new Error(`${reader} folded ${result.events} events into ${result.keys} states`);
        results.add(name, reader, result);
      }
    }
  } finally {
    for (const child of children.values()) child.stop();
  }
}

const speed = (results, reader, figure = 'elapsedMs') =>
  results.median(name, plain, figure) / results.median(name, reader, figure);

function tableOf(results, { events, keys, bytes }) {
  const head = [
    `${count(events)} events, ${count(keys)} keys, ${Math.round(bytes / 1e6)} MB`,
    'per second',
    'x plain',
    'x plain, CPU',
    'time',
    'CPU',
  ];
  const rows = Object.entries(readers).map(([reader, label]) => {
    const elapsedMs = results.median(name, reader, 'elapsedMs');
    return [
      label,
      count((events / elapsedMs) * 1_000),
      ratio(speed(results, reader)),
      ratio(speed(results, reader, 'cpuMs')),
      milliseconds(elapsedMs),
      milliseconds(results.median(name, reader, 'cpuMs')),
    ];
  });
  return { head, rows };
}

function checksOf(results) {
  return ['entries', 'entriesSync'].map((reader) =>
    atLeast(`open + ${reader} / plain`, speed(results, reader), ratioMin),
  );
}
