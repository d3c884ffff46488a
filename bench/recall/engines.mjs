/** What answers questions: recollect with parts switched off, and others beside it. */
import { Analyzer } from '../../dist/recall/analyzer.js';
import { PARTS } from '../../dist/recall/document.js';
import { RecallIndex } from '../../dist/recall/recall-index.js';
import { bm25Of } from './bm25.mjs';

/** @typedef {import('./conversations.mjs').Document} Document */
/** @typedef {{ text: string, time?: string | undefined }} Asked */
/** @typedef {(documents: readonly Document[]) => (query: Asked) => readonly string[]} Engine */

const DEPTH = 20;

/** @param {Document} document */
export function asRecallDocument({ time, ...rest }) {
  return time === undefined ? rest : { ...rest, time: Date.parse(time) };
}

/**
 * @param {readonly (typeof PARTS)[number][]} parts
 * @returns {Engine}
 */
export function recollect(parts = PARTS) {
  return (documents) => {
    const index = new RecallIndex('english');
    for (const document of documents) index.put(asRecallDocument(document));
    return ({ text, time }) => {
      const now = time === undefined ? {} : { now: Date.parse(time) };
      return index.search(text, { limit: DEPTH, parts, ...now }).map(({ id }) => id);
    };
  };
}

/** @param {string} text */
export function termsOf(text) {
  /** @type {string[]} */
  const terms = [];
  analyzer.read(text, (term) => terms.push(term));
  return terms;
}

const analyzer = new Analyzer('english');

/** @param {string} text */
function wordsOf(text) {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/**
 * BM25 as it stands in the books, k1 1.2 and b 0.75, every document looked at.
 * @param {(text: string) => readonly string[]} tokens
 * @returns {Engine}
 */
export function plainBm25(tokens = wordsOf) {
  return (documents) => {
    const score = bm25Of(documents, tokens);
    return ({ text }) => {
      const scores = score(text);
      return documents
        .map(({ id }, at) => ({ id, score: /** @type {number} */ (scores[at]) }))
        .filter((each) => each.score > 0)
        .sort((a, b) => b.score - a.score)
        .slice(0, DEPTH)
        .map(({ id }) => id);
    };
  };
}

/**
 * minisearch 7, if it is installed.
 * @returns {Promise<{ defaults: Engine, sameTokens: Engine } | undefined>}
 */
export async function minisearch() {
  let MiniSearch;
  try {
    ({ default: MiniSearch } = await import('minisearch'));
  } catch {
    return undefined;
  }
  const engine =
    (/** @type {object} */ options) => (/** @type {readonly Document[]} */ documents) => {
      const index = new MiniSearch({ fields: ['text'], ...options });
      index.addAll(documents);
      return (/** @type {Asked} */ { text }) =>
        index
          .search(text)
          .slice(0, DEPTH)
          .map(({ id }) => id);
    };
  return {
    defaults: engine({}),
    sameTokens: engine({ tokenize: termsOf, processTerm: (/** @type {string} */ term) => term }),
  };
}
