/**
 * How well recall finds, beside others, and what each part is worth.
 *
 *   node bench/recall.mjs [paths…]         data sets in NDJSON, files or directories; without any, synthetic ones made from seeds
 *   node bench/recall.mjs --cost           what it costs at 100 000 documents
 *   node bench/recall.mjs --filters        what filters cost there
 */
import { parseArgs } from 'node:util';
import { PARTS } from '../dist/recall/document.js';
import { installPackages } from './install.mjs';
import { conversationsOf } from './recall/conversations.mjs';
import { measureCost } from './recall/cost.mjs';
import { minisearch, plainBm25, recollect, termsOf } from './recall/engines.mjs';
import { measureFilters } from './recall/filters.mjs';
import { evaluate, MEASURES } from './recall/measures.mjs';
import { pagesOf } from './recall/pages.mjs';
import { readSets } from './recall/read.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cost: { type: 'boolean', default: false },
    filters: { type: 'boolean', default: false },
    documents: { type: 'string', default: '100000' },
    json: { type: 'boolean', default: false },
  },
});

installPackages(console.error);
if (values.cost) await measureCost(Number(values.documents), console.log);
else if (values.filters) measureFilters(Number(values.documents), console.log);
else await compare();

async function compare() {
  const engines = await enginesOf();
  const given = positionals.length > 0;
  const groups = given ? { [positionals.join(' ')]: setsIn(positionals) } : synthetic();
  for (const [title, sets] of Object.entries(groups)) {
    const documents = sets.reduce((sum, set) => sum + set.documents.length, 0);
    const queries = sets.reduce((sum, set) => sum + set.queries.length, 0);
    console.log(`\n${title}: ${sets.length} sets, ${documents} documents, ${queries} questions`);
    const results = Object.entries(engines).map(([name, engine]) => [name, evaluate(sets, engine)]);
    print(results);
  }
}

async function enginesOf() {
  const mini = await minisearch();
  const without = Object.fromEntries(
    PARTS.filter((part) => part !== 'text').map((part) => [
      `  without ${part}`,
      recollect(PARTS.filter((each) => each !== part)),
    ]),
  );
  return {
    ...(mini && { minisearch: mini.defaults, 'minisearch, same tokens': mini.sameTokens }),
    'plain BM25': plainBm25(),
    'BM25, same tokens': plainBm25(termsOf),
    'recollect, text alone': recollect(['text']),
    recollect: recollect(),
    ...without,
  };
}

/** @param {readonly string[]} paths */
function setsIn(paths) {
  try {
    return readSets(paths, console.error);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return process.exit(2);
  }
}

function synthetic() {
  const seeds = [1, 2, 3, 4, 5];
  return {
    conversations: seeds.map((seed) => conversationsOf(seed)),
    'long documents without speakers': seeds.map((seed) => pagesOf(seed)),
  };
}

/** One table for each measure: engines down, categories across. */
function print(results) {
  const categories = [...results[0][1].keys()];
  for (const measure of MEASURES) {
    console.log(
      `\n${measure.padEnd(26)}${categories.map((name) => name.slice(0, 11).padStart(12)).join('')}`,
    );
    for (const [name, table] of results) {
      const cells = categories.map((category) => (100 * table.get(category)[measure]).toFixed(1));
      console.log(`${name.padEnd(26)}${cells.map((cell) => cell.padStart(12)).join('')}`);
    }
  }
}
