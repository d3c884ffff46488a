import { Child } from './children.mjs';
import { inFreshDirectory } from './load.mjs';
import { loadRecollect } from './peers/recollect.mjs';
import { atLeast, count, milliseconds, ratio } from './report.mjs';
import { Results } from './rounds.mjs';
import { rotated } from './statistics.mjs';

export const title = 'Backup, restore, export and import of a store';

const module = './restoring.mjs';
const name = 'restore';
const plain = 'plain';
const ways = {
  [plain]: 'cp -r + verify',
  fromBackup: 'restore of a backup',
  fromStore: 'restore of a store',
  toHalf: 'restore of a store, to the middle',
  backup: 'backup',
  again: 'incremental backup, nothing new',
  carryOut: 'export, NDJSON',
  carryIn: 'import, NDJSON',
};
const ratioMin = 0.5;

export async function measure({ rounds, restoreEvents: events }) {
  const results = new Results();
  try {
    await loadRecollect();
  } catch (error) {
    const note = `recollect: not built (${error.message})`;
    return { tables: [], checks: checksOf(results), raw: results, note };
  }
  return inFreshDirectory(async (directory) => {
    const child = new Child();
    let bytes;
    try {
      ({ bytes } = await child.call(module, 'fill', { directory, events }));
      for (const way of Object.keys(ways)) await child.call(module, way, { directory, events });
      for (let round = 0; round < rounds; round += 1) {
        for (const way of rotated(Object.keys(ways), round)) {
          results.add(name, way, await child.call(module, way, { directory, events }));
        }
      }
    } finally {
      child.stop();
    }
    return { tables: [tableOf(results, events, bytes)], checks: checksOf(results), raw: results };
  });
}

const speed = (results, way) =>
  results.median(name, plain, 'elapsedMs') / results.median(name, way, 'elapsedMs');

function tableOf(results, events, bytes) {
  const head = [
    `${count(events)} commits, ${(bytes / 1e6).toFixed(1)} MB`,
    'MB/s',
    'x plain',
    'time',
  ];
  const rows = Object.entries(ways).map(([way, label]) => {
    const elapsedMs = results.median(name, way, 'elapsedMs');
    const perSecond = count(bytes / 1e3 / elapsedMs);
    return [label, perSecond, ratio(speed(results, way)), milliseconds(elapsedMs)];
  });
  return { head, rows };
}

function checksOf(results) {
  return ['fromBackup', 'fromStore'].map((way) =>
    atLeast(`${ways[way]} / cp -r + verify`, speed(results, way), ratioMin),
  );
}
