/** Data sets in NDJSON. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {import('./conversations.mjs').DataSet} DataSet */

/**
 * Each path is a data set of its own: a file that holds documents and questions, or a directory with such files. A line that has `relevant` (a list of ids,
 * also called `relevantIds` or `relevant_ids`) is a question; every other one a document. Lines with different values of `haystack` are different sets.
 * @param {readonly string[]} paths
 * @returns {DataSet[]}
 */
export function readSets(paths) {
  return paths.flatMap((path) => {
    const files = statSync(path).isDirectory()
      ? readdirSync(path)
          .filter((name) => /\.(?:nd|)jsonl?$/.test(name))
          .sort()
          .map((name) => join(path, name))
      : [path];
    return setsOf(files.flatMap(linesOf));
  });
}

/** @param {string} file */
function linesOf(file) {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.flatMap((line, at) => {
    if (line.trim() === '') return [];
    try {
      return [JSON.parse(line)];
    } catch (error) {
      throw new Error(`${file}:${at + 1}: ${error instanceof Error ? error.message : error}`);
    }
  });
}

/** @param {readonly Record<string, unknown>[]} lines */
function setsOf(lines) {
  /** @type {Map<unknown, DataSet>} */
  const sets = new Map();
  for (const line of lines) {
    const set = sets.get(line['haystack']) ?? { documents: [], queries: [] };
    sets.set(line['haystack'], set);
    const relevant = line['relevant'] ?? line['relevantIds'] ?? line['relevant_ids'];
    if (relevant === undefined) set.documents.push(documentOf(line));
    else set.queries.push(queryOf(line, relevant));
  }
  for (const { documents, queries } of sets.values()) drop(documents, queries);
  return [...sets.values()];
}

/** @param {Record<string, unknown>} line */
function documentOf({ id, text, session, order, speaker, time, importance }) {
  if (id === undefined || typeof text !== 'string') {
    throw new Error(`a document needs id and text: ${JSON.stringify({ id, text })}`);
  }
  const members = {
    session: session === undefined ? undefined : String(session),
    order: order === undefined ? undefined : Number(order),
    speaker: speaker === undefined ? undefined : String(speaker),
    time: timeOf(time),
    importance: importance === undefined ? undefined : Number(importance),
  };
  const given = Object.entries(members).filter(
    ([, value]) => value !== undefined && value !== null,
  );
  return { id: String(id), text, ...Object.fromEntries(given) };
}

/**
 * @param {Record<string, unknown>} line
 * @param {unknown} relevant
 */
function queryOf({ text, query, question, category, time }, relevant) {
  const list = Array.isArray(relevant) ? relevant.map(String) : [String(relevant)];
  return {
    text: String(text ?? query ?? question),
    relevant: list,
    category: String(category ?? 'none'),
    ...(timeOf(time) === undefined ? {} : { time: timeOf(time) }),
  };
}

/** ISO 8601, of what Date understands, of milliseconds, and of `1:56 pm on 8 May, 2023`. @param {unknown} time */
function timeOf(time) {
  if (time === undefined || time === null || time === '') return undefined;
  if (typeof time === 'number') return new Date(time).toISOString();
  const text = String(time);
  const [, clock, date] = /^(\d{1,2}:\d{2} ?[ap]m) on (.+)$/i.exec(text) ?? [];
  const plain = date === undefined ? text : `${date.replace(',', '')} ${clock}`;
  const bare = plain.replace(/\s*\((?:mon|tue|wed|thu|fri|sat|sun)\)\s*/i, ' ');
  const ms = Date.parse(
    /(?:Z|[+-]\d{2}:?\d{2})$/.test(bare) || /^\d{4}-\d{2}-\d{2}$/.test(bare) ? bare : `${bare} UTC`,
  );
  const local = Number.isNaN(ms) ? Date.parse(bare) : ms;
  if (Number.isNaN(local)) throw new Error(`${JSON.stringify(time)} is no time`);
  return new Date(local).toISOString();
}

/**
 * Questions whose answers are not there cannot be answered.
 * @param {readonly { id: string }[]} documents
 * @param {{ relevant: string[] }[]} queries
 */
function drop(documents, queries) {
  const ids = new Set(documents.map(({ id }) => id));
  for (let at = queries.length - 1; at >= 0; at -= 1) {
    const query = /** @type {{ relevant: string[] }} */ (queries[at]);
    query.relevant = query.relevant.filter((id) => ids.has(id));
    if (query.relevant.length === 0) queries.splice(at, 1);
  }
}
