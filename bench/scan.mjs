import { statSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from './children.mjs';
import { segmentFiles } from './lines.mjs';
import { inFreshDirectory } from './load.mjs';
import { loadRecollect } from './peers/recollect.mjs';
import { atLeast, count, milliseconds, ratio } from './report.mjs';
import { Results } from './rounds.mjs';
import { rotated } from './statistics.mjs';

export const title = 'Reading and opening a log';

const module = './reading.mjs';
const plain = 'plain';
const readers = {
  [plain]: 'newline scan + JSON.parse',
  readAll: 'readAll',
  readAllSync: 'readAllSync',
  verify: 'verify',
};
const ratioMin = 0.7;

export async function measure({ rounds, openings }) {
  try {
    await loadRecollect();
  } catch (error) {
    return {
      tables: [],
      checks: checksOf(new Results(), ''),
      raw: [],
      note: `recollect: not built (${error.message})`,
    };
  }
  return inFreshDirectory(async (directory) => {
    const logs = openings.map((commits) => ({
      commits,
      name: `${count(commits)} commits`,
      directory: join(directory, String(commits)),
    }));
    for (const { directory: filled, commits } of logs)
      await once('fill', { directory: filled, commits });
    const results = new Results();
    const largest = logs.at(-1);
    const bytes = segmentFiles(largest.directory).reduce(
      (sum, file) => sum + statSync(file).size,
      0,
    );
    await read(results, largest, rounds);
    for (let round = 0; round < rounds; round += 1) {
      for (const log of rotated(logs, round))
        results.add(log.name, 'opening', await once('opening', { directory: log.directory }));
    }
    return {
      tables: [readingTable(results, largest, bytes), openingTable(results, logs)],
      checks: checksOf(results, largest.name),
      raw: results,
    };
  });
}

/** Each reader in a process of its own, the first pass unmeasured. */
async function read(results, { name, directory }, rounds) {
  const children = new Map(Object.keys(readers).map((reader) => [reader, new Child()]));
  try {
    for (const [reader, child] of children) await child.call(module, reader, { directory });
    for (let round = 0; round < rounds; round += 1) {
      for (const [reader, child] of rotated([...children], round))
        results.add(name, reader, await child.call(module, reader, { directory }));
    }
  } finally {
    for (const child of children.values()) child.stop();
  }
}

async function once(task, input) {
  const child = new Child();
  try {
    return await child.call(module, task, input);
  } finally {
    child.stop();
  }
}

const speed = (results, name, reader) =>
  results.median(name, plain, 'elapsedMs') / results.median(name, reader, 'elapsedMs');

function readingTable(results, { name, commits }, bytes) {
  const head = [
    `${name}, ${Math.round(bytes / 1e6)} MB`,
    'per second',
    'MB/s',
    'x plain',
    'time',
    'CPU',
  ];
  const rows = Object.entries(readers).map(([reader, label]) => {
    const elapsedMs = results.median(name, reader, 'elapsedMs');
    return [
      label,
      count((commits / elapsedMs) * 1_000),
      count(bytes / 1e3 / elapsedMs),
      ratio(speed(results, name, reader)),
      milliseconds(elapsedMs),
      milliseconds(results.median(name, reader, 'cpuMs')),
    ];
  });
  return { head, rows };
}

function openingTable(results, logs) {
  const rows = logs.map(({ name }) => [
    name,
    milliseconds(results.median(name, 'opening', 'firstMs')),
    milliseconds(results.median(name, 'opening', 'againMs')),
  ]);
  return { head: ['openLog', 'first in its process', 'again'], rows };
}

function checksOf(results, name) {
  return ['readAll', 'verify'].map((reader) =>
    atLeast(`${reader} / newline scan + JSON.parse`, speed(results, name, reader), ratioMin),
  );
}
