import { Child } from './children.mjs';
import { inFreshDirectory } from './load.mjs';
import { loadRecollect } from './peers/recollect.mjs';
import { atMost, atMostExactly, count, microseconds, milliseconds } from './report.mjs';
import { Results } from './rounds.mjs';

export const title = 'Opening with a snapshot, cold reads, memory';

const module = './restarting.mjs';
const peers = ['lmdb', 'classic-level', 'better-sqlite3'];
const cacheBytes = 64 * 1024 * 1024;
/** Events that one task makes: more take longer than a task may. */
const fillEvents = 500_000;

export async function measure(settings) {
  const { rounds, historyEvents, tailCommits, coldKeys, useTurns, indexTexts } = settings;
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
  const missing = new Set();
  for (const events of historyEvents) {
    await inFreshDirectory(async (directory) => {
      const run = (task, input) => inChild(task, { directory, events, cacheBytes, ...input });
      await fillAll(run, events, tailCommits, missing, results);
      for (let round = 0; round < rounds; round += 1) {
        results.add(events, 'recollect', await run('open'));
        for (const peer of peers) {
          if (!missing.has(peer)) results.add(events, peer, await run('openPeer', { peer }));
        }
        results.add(events, 'cold', await run('cold', { reads: coldKeys }));
      }
      // Last: it appends to the log.
      results.add(events, 'use', await run('use', { turns: useTurns }));
    });
  }
  for (const texts of indexTexts) await openMemories(results, texts, rounds);
  return {
    tables: [
      openingTable(results, historyEvents, missing),
      usingTable(results, historyEvents),
      memoryTable(results, indexTexts),
    ],
    checks: [...checksOf(results, historyEvents), ...memoryChecks(results, indexTexts)],
    raw: results,
    ...(missing.size > 0 ? { note: `not installed: ${[...missing].join(', ')}` } : {}),
  };
}

/** Memories with a saved index, which is loaded behind the opening. */
async function openMemories(results, texts, rounds) {
  await inFreshDirectory(async (directory) => {
    await inChild('prepare', { directory, texts }, './recalling.mjs');
    for (let round = 0; round < rounds; round += 1) {
      results.add(texts, 'memory', await inChild('open', { directory }, './recalling.mjs'));
    }
  });
}

function memoryTable(results, indexTexts) {
  const cell = (texts) => openingCell(results, texts, 'memory');
  return {
    head: ['openMemory with a saved index', ...indexTexts.map((each) => `${count(each)} texts`)],
    rows: [['first in the process and after that', ...indexTexts.map(cell)]],
  };
}

function memoryChecks(results, indexTexts) {
  const [few, many] = [indexTexts[0], indexTexts.at(-1)];
  const open = (texts) => results.median(texts, 'memory', 'againCpuMs');
  const what = `openMemory, ${count(many)} texts / ${count(few)} texts, CPU`;
  return [atMost(what, open(many) / open(few), 1.3)];
}

/** A process of its own for each task: what it holds in memory is that of the task alone. */
async function inChild(task, input, where = module) {
  const child = new Child();
  try {
    return await child.call(where, task, input);
  } finally {
    child.stop();
  }
}

async function fillAll(run, events, tailCommits, missing, results) {
  for (let from = 0; from < events; from += fillEvents) {
    await run('fill', { from, to: Math.min(events, from + fillEvents) });
  }
  results.add(events, 'snapshot', await run('snapshot'));
  await run('tail', { tail: tailCommits });
  for (const peer of peers) {
    try {
      for (let from = 0; from < events && !missing.has(peer); from += fillEvents) {
        await run('fillPeer', { peer, from, to: Math.min(events, from + fillEvents) });
      }
    } catch (error) {
      if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
      missing.add(peer);
    }
  }
}

function openingTable(results, historyEvents, missing) {
  const head = [
    'opening, first in the process and after that',
    ...historyEvents.map((each) => `${count(each)} keys`),
  ];
  const names = ['recollect', ...peers.filter((peer) => !missing.has(peer))];
  const cell = (name, events) => openingCell(results, events, name);
  return {
    head,
    rows: names.map((name) => [name, ...historyEvents.map((each) => cell(name, each))]),
  };
}

function openingCell(results, size, name) {
  const [first, again, cpu] = ['firstMs', 'againMs', 'againCpuMs'].map((figure) =>
    results.median(size, name, figure),
  );
  return `${milliseconds(first)} / ${milliseconds(again)} (CPU ${milliseconds(cpu)})`;
}

function usingTable(results, historyEvents) {
  const row = (label, name, figure, format) => [
    label,
    ...historyEvents.map((events) => format(results.median(events, name, figure))),
  ];
  const mebibytes = (value) => `${Math.round(value)} MiB`;
  return {
    head: ['with a snapshot', ...historyEvents.map((each) => `${count(each)} keys`)],
    rows: [
      row('cold get, p50', 'cold', 'p50Us', microseconds),
      row('cold get, p99', 'cold', 'p99Us', microseconds),
      row('memory once opened', 'use', 'openedMiB', mebibytes),
      row('memory at most, random reads and writes', 'use', 'maxRssMiB', mebibytes),
      row('the same with a compaction behind', 'use', 'compactedMiB', mebibytes),
      row('making the first snapshot', 'snapshot', 'elapsedMs', milliseconds),
      row('longest wait of a timer meanwhile', 'snapshot', 'longestMs', milliseconds),
      row('memory at most meanwhile', 'snapshot', 'maxRssMiB', mebibytes),
    ],
  };
}

function checksOf(results, historyEvents) {
  const [few, many] = [historyEvents[0], historyEvents.at(-1)];
  const open = (events) => results.median(events, 'recollect', 'againMs');
  return [
    atMostExactly(`open, ${count(many)} keys and the tail, ms`, open(many), 60),
    atMost(`open ${count(many)} / open ${count(few)}`, open(many) / open(few), 1.3),
    atMostExactly('cold get p50, µs', results.median(many, 'cold', 'p50Us'), 100),
    atMostExactly('memory in use, MiB', results.median(many, 'use', 'maxRssMiB'), 300),
    atMostExactly(
      'memory, with a compaction, MiB',
      results.median(many, 'use', 'compactedMiB'),
      300,
    ),
    atMostExactly(
      'memory while all is built and the first snapshot made, MiB',
      results.median(many, 'snapshot', 'maxRssMiB'),
      300,
    ),
  ];
}
