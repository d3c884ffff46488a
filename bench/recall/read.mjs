/** Data sets in NDJSON. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {import('./conversations.mjs').DataSet} DataSet */

/** @typedef {{ place: string, line: Record<string, unknown> }} Line */

/**
 * A file that holds both documents and questions is a data set of its own; all others are one set together, such as one of documents and one of questions.
 * So it is within a directory. A line that has `relevant` (a list of ids, also called `relevantIds` or
 * `relevant_ids`) is a question; every other one a document. Lines with different values of `haystack` are different sets.
 * @param {readonly string[]} paths
 * @param {(line: string) => void} warn - told of what cannot be measured
 * @returns {DataSet[]}
 */
export function readSets(paths, warn) {
  const files = paths.filter((path) => !statSync(path).isDirectory());
  const directories = paths.filter((path) => !files.includes(path)).map(filesIn);
  const groups = [files, ...directories].flatMap((each) => groupsOf(each.map(linesOf)));
  const sets = groups.flatMap((lines) => setsOf(lines, warn));
  if (sets.every(({ queries }) => queries.length === 0)) {
    throw new Error(
      `no question in ${paths.join(', ')} can be answered by a document there; a question has "text" and "relevant", a list of ids of documents`,
    );
  }
  return sets;
}

/** @param {string} directory */
function filesIn(directory) {
  const names = readdirSync(directory).filter((name) => /\.(?:nd|)jsonl?$/.test(name));
  return names.sort().map((name) => join(directory, name));
}

/** @param {readonly Line[][]} files @returns {Line[][]} */
function groupsOf(files) {
  const isWhole = (/** @type {Line[]} */ lines) =>
    lines.some(({ line }) => relevantOf(line) !== undefined) &&
    lines.some(({ line }) => relevantOf(line) === undefined);
  const others = files.filter((lines) => !isWhole(lines));
  return [...files.filter(isWhole), ...(others.length > 0 ? [others.flat()] : [])];
}

/** @param {Record<string, unknown>} line */
function relevantOf(line) {
  return line['relevant'] ?? line['relevantIds'] ?? line['relevant_ids'];
}

/** @param {string} file @returns {Line[]} */
function linesOf(file) {
  const lines = readFileSync(file, 'utf8')
    .replace(/^\ufeff/, '')
    .split('\n');
  return lines.flatMap((text, at) => {
    if (text.trim() === '') return [];
    const place = `${file}:${at + 1}`;
    const line = parsed(place, text);
    if (typeof line === 'object' && line !== null && !Array.isArray(line)) return [{ place, line }];
    throw new Error(`${place}: each line must be a JSON object`);
  });
}

/** @param {string} place @param {string} text */
function parsed(place, text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${place}: ${error instanceof Error ? error.message : error}`);
  }
}

/** @param {readonly Line[]} lines @param {(line: string) => void} warn @returns {DataSet[]} */
function setsOf(lines, warn) {
  /** @type {Map<unknown, DataSet>} */
  const sets = new Map();
  /** @type {Map<unknown, Map<string, string>>} */
  const places = new Map();
  for (const { place, line } of lines) {
    const { haystack } = line;
    const set = sets.get(haystack) ?? { documents: [], queries: [] };
    const known = places.get(haystack) ?? new Map();
    sets.set(haystack, set);
    places.set(haystack, known);
    const relevant = relevantOf(line);
    if (relevant !== undefined) {
      set.queries.push(queryOf(place, line, relevant));
      continue;
    }
    const document = documentOf(place, line);
    const before = known.get(document.id);
    if (before !== undefined) {
      throw new Error(
        `${place}: the id ${JSON.stringify(document.id)} is that of ${before} as well`,
      );
    }
    known.set(document.id, place);
    set.documents.push(document);
  }
  for (const set of sets.values()) drop(set, warn);
  return [...sets.values()];
}

/** @param {string} place @param {Record<string, unknown>} line */
function documentOf(place, { id, text, session, order, speaker, time, importance }) {
  if ((typeof id !== 'string' && typeof id !== 'number') || typeof text !== 'string') {
    throw new Error(`${place}: a document needs "id" and "text", a question "text" and "relevant"`);
  }
  const members = {
    session: textOf(session),
    order: numberOf(place, 'order', order),
    speaker: textOf(speaker),
    time: timeOf(place, time),
    importance: numberOf(place, 'importance', importance),
  };
  const given = Object.entries(members).filter(([, value]) => value !== undefined);
  return { id: String(id), text, ...Object.fromEntries(given) };
}

/** @param {unknown} value */
function textOf(value) {
  return value === undefined || value === null || value === '' ? undefined : String(value);
}

/** @param {string} place @param {string} name @param {unknown} value */
function numberOf(place, name, value) {
  if (value === undefined || value === null || value === '') return undefined;
  const number = Number(value);
  if (Number.isFinite(number)) return number;
  throw new Error(`${place}: ${name} must be a number, not ${JSON.stringify(value)}`);
}

/**
 * @param {string} place
 * @param {Record<string, unknown>} line
 * @param {unknown} relevant
 */
function queryOf(place, { text, query, question, category, time }, relevant) {
  const asked = text ?? query ?? question;
  if (typeof asked !== 'string') throw new Error(`${place}: a question needs "text"`);
  const asks = timeOf(place, time);
  return {
    text: asked,
    relevant: [...new Set((Array.isArray(relevant) ? relevant : [relevant]).map(String))],
    category: textOf(category) ?? 'none',
    ...(asks === undefined ? {} : { time: asks }),
  };
}

/** ISO 8601, or what Date understands, or milliseconds, or `1:56 pm on 8 May, 2023`. @param {string} place @param {unknown} time */
function timeOf(place, time) {
  if (time === undefined || time === null || time === '') return undefined;
  const ms = typeof time === 'number' ? time : msOf(String(time));
  const isTime = Number.isFinite(ms) && Math.abs(ms) <= 8.64e15;
  if (!isTime) throw new Error(`${place}: ${JSON.stringify(time)} is no time; use ISO 8601`);
  return new Date(ms).toISOString();
}

/** @param {string} text */
function msOf(text) {
  const [, clock, date] = /^(\d{1,2}:\d{2} ?[ap]m) on (.+)$/i.exec(text) ?? [];
  const plain = date === undefined ? text : `${date.replace(',', '')} ${clock}`;
  const bare = plain.replace(/\s*\((?:mon|tue|wed|thu|fri|sat|sun)\)\s*/i, ' ');
  const hasZone = /(?:Z|[+-]\d{2}:?\d{2})$/.test(bare) || /^\d{4}-\d{2}-\d{2}$/.test(bare);
  const ms = Date.parse(hasZone ? bare : `${bare} UTC`);
  // Some forms take no zone behind them.
  return Number.isNaN(ms) ? Date.parse(`${bare}Z`) : ms;
}

/**
 * Questions whose answers are not there cannot be answered: they are left out, and said to be.
 * @param {DataSet} set
 * @param {(line: string) => void} warn
 */
function drop(set, warn) {
  const ids = new Set(set.documents.map(({ id }) => id));
  let unknown = 0;
  let left = 0;
  let example = '';
  set.queries = set.queries.filter((query) => {
    const known = query.relevant.filter((id) => ids.has(id));
    if (known.length < query.relevant.length) {
      unknown += query.relevant.length - known.length;
      example ||= query.relevant.find((id) => !ids.has(id)) ?? '';
    }
    query.relevant = known;
    if (known.length > 0) return true;
    left += 1;
    return false;
  });
  if (unknown + left === 0) return;
  warn(
    `left out: ${unknown} relevant ids that no document has${example === '' ? '' : ` (such as ${JSON.stringify(example)})`}, and ${left} questions without any other`,
  );
}
