/** What recall costs at many documents: time of a question, indexing through the store's fold, memory; minisearch beside it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PARTS } from '../../dist/recall/document.js';
import { RecallIndex } from '../../dist/recall/recall-index.js';
import { Chance } from './chance.mjs';

const QUERIES = 500;
const WARM_UP = 100;
const COMMIT_EVENTS = 100;

/**
 * Turns of conversations over a vocabulary whose words are as unevenly spread as those of a language (Zipf), some 20 words each.
 * @param {number} count
 */
export function turnsOf(count) {
  const chance = new Chance(7);
  const syllables = 'ba ce di fo gu ha je ki lo mu na pe ri so tu va'.split(' ');
  const words = Array.from(
    { length: 30_000 },
    (_, at) =>
      `${syllables[at % 16]}${syllables[(at >> 4) % 16]}${syllables[(at >> 8) % 16]}${at >> 12}x`,
  );
  const word = () => words[Math.floor(words.length ** chance.number()) - 1];
  const sentence = (length) => Array.from({ length }, word).join(' ');
  const start = Date.UTC(2024, 0, 1);
  const documents = Array.from({ length: count }, (_, at) => ({
    id: `d${at}`,
    text: `${sentence(12 + chance.whole(16))}${at % 3 === 0 ? '?' : at % 5 === 0 ? ' yesterday.' : '.'}`,
    session: `s${Math.floor(at / 25)}`,
    order: at % 25,
    speaker: `Speaker${Math.floor(at / 500)}${at % 2 === 0 ? 'a' : 'b'}`,
    time: start + at * 60_000,
  }));
  const queries = Array.from(
    { length: QUERIES + WARM_UP },
    () =>
      `When did Speaker${chance.whole(Math.ceil(count / 500))}a ${sentence(3 + chance.whole(4))}?`,
  );
  return { documents, queries };
}

/** @param {number[]} sorted @param {number} share */
function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

/** @param {readonly string[]} queries @param {(query: string) => unknown} ask */
export function timed(queries, ask) {
  for (const query of queries.slice(0, WARM_UP)) ask(query);
  const cpu = process.cpuUsage();
  const took = queries.slice(WARM_UP).map((query) => {
    const start = performance.now();
    ask(query);
    return performance.now() - start;
  });
  const { user, system } = process.cpuUsage(cpu);
  took.sort((a, b) => a - b);
  const mean = (user + system) / 1000 / took.length;
  return { p50: percentile(took, 0.5), p99: percentile(took, 0.99), mean };
}

function memoryNow() {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** @param {() => unknown} work */
function built(work) {
  const before = memoryNow();
  const cpu = process.cpuUsage();
  const start = performance.now();
  const result = work();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { result, ms, cpuMs: (user + system) / 1000, bytes: memoryNow() - before };
}

/**
 * @param {number} count
 * @param {(line: string) => void} print
 */
export async function measureCost(count, print) {
  const { documents, queries } = turnsOf(count);
  const characters = documents.reduce((sum, { text }) => sum + text.length, 0) / count;
  print(`${count} turns of ${Math.round(characters)} characters on average; ${QUERIES} questions`);
  if (!globalThis.gc) print('Careful: without --expose-gc the memory includes garbage.');
  const row = (name, { ms, cpuMs, bytes }, asked) =>
    print(
      `${name.padEnd(28)} indexing ${rate(count, ms)}/s (${rate(count, cpuMs)}/s of CPU time), ${(bytes / 1e6).toFixed(0)} MB; question p50 ${asked.p50.toFixed(1)} ms, p99 ${asked.p99.toFixed(1)} ms, CPU ${asked.mean.toFixed(1)} ms`,
    );
  const own = built(() => {
    const index = new RecallIndex('english');
    for (const document of documents) index.put(document);
    return index;
  });
  row(
    'recollect, ranking alone',
    own,
    timed(queries, (query) => own.result.search(query)),
  );
  const text = timed(queries, (query) => own.result.search(query, { parts: ['text'] }));
  print(
    `${'  text alone'.padEnd(28)} question p50 ${text.p50.toFixed(1)} ms, p99 ${text.p99.toFixed(1)} ms, CPU ${text.mean.toFixed(1)} ms`,
  );
  measureSaving(own.result, print);
  own.result = undefined;
  await measureStore(documents, queries, print);
  await measureMinisearch(documents, queries, row);
  print(`parts: ${PARTS.join(', ')}`);
}

/** @param {number} count @param {number} ms */
function rate(count, ms) {
  return Math.round((1000 * count) / ms).toLocaleString('en');
}

/** @param {RecallIndex} index @param {(line: string) => void} print */
function measureSaving(index, print) {
  const parts = new Map();
  const saving = built(() => index.save((name, bytes) => parts.set(name, bytes.slice())));
  const bytes = [...parts.values()].reduce((sum, { length }) => sum + length, 0);
  const loading = built(() => RecallIndex.load((name) => parts.get(name)));
  print(
    `${'  saved and loaded'.padEnd(28)} ${(bytes / 1e6).toFixed(1)} MB, saved in ${saving.cpuMs.toFixed(0)} ms, loaded in ${loading.cpuMs.toFixed(0)} ms of CPU time`,
  );
}

/** The same through a memory: episodes appended to a store on disk, opened anew, and indexed by the first question. */
async function measureStore(documents, queries, print) {
  const { openMemory } = await import('../../dist/index.js');
  const directory = mkdtempSync(join(tmpdir(), 'recollect-recall-'));
  try {
    const memory = await openMemory(directory, { durability: 'os' });
    for (let at = 0; at < documents.length; at += COMMIT_EVENTS) {
      const parts = documents.slice(at, at + COMMIT_EVENTS).map(({ id, time, order, ...rest }) => {
        const data = { ...rest, at: new Date(time).toISOString() };
        return {
          stream: `episodes/${data.at}-${id}`,
          events: [{ type: 'episode.recorded', data }],
        };
      });
      await memory.engine.commit(parts);
    }
    await memory.close();
    const again = await openMemory(directory);
    const before = memoryNow();
    const cpu = process.cpuUsage();
    const start = performance.now();
    await again.recall(queries[0]);
    const ms = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    const bytes = memoryNow() - before;
    const asked = timed(queries, (query) => again.recallSync(query));
    print(
      `${'recollect, through the store'.padEnd(28)} indexing ${rate(documents.length, ms)}/s (${rate(documents.length, (user + system) / 1000)}/s of CPU time), ${(bytes / 1e6).toFixed(0)} MB; question p50 ${asked.p50.toFixed(1)} ms, p99 ${asked.p99.toFixed(1)} ms, CPU ${asked.mean.toFixed(1)} ms`,
    );
    await again.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measureMinisearch(documents, queries, row) {
  let MiniSearch;
  try {
    ({ default: MiniSearch } = await import('minisearch'));
  } catch {
    return;
  }
  const mini = built(() => {
    const index = new MiniSearch({ fields: ['text'] });
    index.addAll(documents);
    return index;
  });
  row(
    'minisearch',
    mini,
    timed(queries, (query) => mini.result.search(query)),
  );
}
