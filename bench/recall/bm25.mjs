/** BM25 as it stands in the books, k1 1.2 and b 0.75: every document is looked at for every question. */

/**
 * The scores of all documents.
 * @param {readonly { text: string }[]} documents
 * @param {(text: string) => readonly string[]} tokens
 */
export function bm25Of(documents, tokens) {
  const counts = documents.map(({ text }) => {
    const found = tokens(text);
    /** @type {Map<string, number>} */
    const frequency = new Map();
    for (const token of found) frequency.set(token, (frequency.get(token) ?? 0) + 1);
    return { frequency, length: found.length };
  });
  const average = counts.reduce((sum, { length }) => sum + length, 0) / documents.length;
  return (/** @type {string} */ query) => {
    const terms = [...new Set(tokens(query))];
    const weights = terms.map((term) => {
      const having = counts.filter(({ frequency }) => frequency.has(term)).length;
      return Math.log(1 + (documents.length - having + 0.5) / (having + 0.5));
    });
    return counts.map(({ frequency, length }) => {
      let sum = 0;
      for (const [at, term] of terms.entries()) {
        const often = frequency.get(term) ?? 0;
        const idf = /** @type {number} */ (weights[at]);
        sum += (idf * 2.2 * often) / (1.2 * (0.25 + (0.75 * length) / average) + often);
      }
      return sum;
    });
  };
}
