import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from './children.mjs';
import { inFreshDirectory } from './load.mjs';
import { loadRecollect } from './peers/recollect.mjs';
import { atMostExactly, count, milliseconds, ratio } from './report.mjs';
import { Results } from './rounds.mjs';

export const title = 'The command line, from start to end';

const main = fileURLToPath(new URL('../dist/program/recollect.cjs', import.meta.url));
/** Events that one task makes: more take longer than a task may. */
const fillEvents = 50_000;
/** What any program of Node takes that does nothing. */
const baseline = 'node, nothing';

export async function measure({ rounds, commandEvents: events }) {
  const results = new Results();
  try {
    await loadRecollect();
  } catch (error) {
    const note = `recollect: not built (${error.message})`;
    return { tables: [], checks: [], raw: results, note };
  }
  return await inFreshDirectory(async (directory) => {
    const memory = `${directory}/memory`;
    for (let from = 0; from < events; from += fillEvents) {
      const to = Math.min(events, from + fillEvents);
      await inChild('fill', { directory: memory, events, from, to });
    }
    const snapshotMs = elapsedOf(`'${process.execPath}' '${main}' snapshot '${memory}'`);
    results.add('cli', 'snapshot', { elapsedMs: snapshotMs });
    const bytes = bytesIn(join(memory, 'log'));
    const cases = casesOf(memory, events);
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, command] of Object.entries(cases)) {
        results.add('cli', name, { elapsedMs: elapsedOf(command) });
      }
    }
    const once = {
      verify: `'${main}' verify '${memory}'`,
      'export to a file': `'${main}' export '${memory}' '${directory}/events'`,
    };
    for (const [name, command] of Object.entries(once)) {
      results.add('cli', name, { elapsedMs: elapsedOf(`'${process.execPath}' ${command}`) });
    }
    const median = (name) => results.median('cli', name, 'elapsedMs');
    const rows = [...Object.keys(cases), 'snapshot', ...Object.keys(once)].map((name) => [
      name,
      milliseconds(median(name)),
      ratio(median(name) / median(baseline)),
    ]);
    return {
      tables: [
        {
          head: [
            `${count(events)} events, ${Math.round(bytes / 2 ** 20)} MiB`,
            'from start to end',
            'x node',
          ],
          rows,
        },
      ],
      checks: [
        atMostExactly('recollect --version, ms', median('--version'), 150),
        atMostExactly('recollect get, ms', median('get'), 300),
        atMostExactly('recollect log | head, ms', median('log | head'), 300),
      ],
      raw: results,
    };
  });
}

function casesOf(memory, events) {
  const node = `'${process.execPath}'`;
  const recollect = `${node} '${main}'`;
  return {
    [baseline]: `${node} -e 0`,
    '--version': `${recollect} --version`,
    get: `${recollect} get '${memory}' records/${Math.round(events / 30)}`,
    'log | head': `${recollect} log '${memory}' | head -n 10`,
    'log --limit 10 --stream': `${recollect} log '${memory}' --limit 10 --stream records/7`,
    history: `${recollect} history '${memory}' records/7`,
  };
}

function bytesIn(directory) {
  return readdirSync(directory).reduce(
    (sum, name) => sum + statSync(join(directory, name)).size,
    0,
  );
}

function elapsedOf(command) {
  const begun = performance.now();
  const { status, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8' });
  const elapsedMs = performance.now() - begun;
  if (status !== 0) throw new Error(`${command}\nended with ${status}: ${stderr}`);
  return elapsedMs;
}

/** What it holds in memory must not slow down what is measured. */
async function inChild(task, input) {
  const child = new Child();
  try {
    return await child.call('./commanding.mjs', task, input);
  } finally {
    child.stop();
  }
}
