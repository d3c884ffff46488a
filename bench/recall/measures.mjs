/** How well a ranking answers, and averages of that. */

export const MEASURES = /** @type {const} */ ([
  'recall@5',
  'recall@10',
  'recall@20',
  'MRR',
  'nDCG@10',
]);

/** @typedef {Record<(typeof MEASURES)[number], number>} Measured */

/**
 * @param {readonly string[]} found - ids, best first
 * @param {readonly string[]} relevant
 * @returns {Measured}
 */
export function measure(found, relevant) {
  const wanted = new Set(relevant);
  /** @type {number[]} */
  const hits = found.map((id) => (wanted.has(id) ? 1 : 0));
  const recallAt = (/** @type {number} */ depth) =>
    hits.slice(0, depth).reduce((sum, hit) => sum + hit, 0) / wanted.size;
  const gain = hits.slice(0, 10).reduce((sum, hit, place) => sum + hit / Math.log2(place + 2), 0);
  let ideal = 0;
  for (let place = 0; place < Math.min(10, wanted.size); place += 1)
    ideal += 1 / Math.log2(place + 2);
  const first = hits.indexOf(1);
  return {
    'recall@5': recallAt(5),
    'recall@10': recallAt(10),
    'recall@20': recallAt(20),
    MRR: first < 0 ? 0 : 1 / (first + 1),
    'nDCG@10': gain / ideal,
  };
}

/**
 * The mean of all questions, and of each category.
 * @param {readonly { category: string, measured: Measured }[]} results
 * @returns {Map<string, Measured & { queries: number }>} `all` first, then categories by name
 */
export function averages(results) {
  const categories = [...new Set(results.map(({ category }) => category))].sort();
  /** @type {Map<string, Measured & { queries: number }>} */
  const table = new Map();
  for (const name of ['all', ...categories]) {
    const chosen = results.filter(({ category }) => name === 'all' || category === name);
    const mean = (/** @type {keyof Measured} */ measure) =>
      chosen.reduce((sum, { measured }) => sum + measured[measure], 0) / Math.max(1, chosen.length);
    table.set(name, {
      'recall@5': mean('recall@5'),
      'recall@10': mean('recall@10'),
      'recall@20': mean('recall@20'),
      MRR: mean('MRR'),
      'nDCG@10': mean('nDCG@10'),
      queries: chosen.length,
    });
  }
  return table;
}

/**
 * Asks every question of every data set. Sets are haystacks of their own: a question is answered out of the documents that came with it.
 * @param {readonly import('./conversations.mjs').DataSet[]} sets
 * @param {(documents: readonly import('./conversations.mjs').Document[]) => (query: import('./conversations.mjs').Query & { time?: string | undefined }) => readonly string[]} engine -
 *   gives ids, best first, 20 at least
 */
export function evaluate(sets, engine) {
  return averages(
    sets.flatMap(({ documents, queries }) => {
      const ask = engine(documents);
      return queries.map((query) => ({
        category: query.category,
        measured: measure(ask(query), query.relevant),
      }));
    }),
  );
}
