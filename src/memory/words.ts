/** Matching by shared words. It stands in for ranking. */

const WORD = /[\p{L}\p{N}]+/gu;

export function wordsOf(text: string): Set<string> {
  return new Set(text.normalize('NFKC').toLowerCase().match(WORD) ?? []);
}

/** How many of the words stand in the text, as a share from 0 to 1. */
export function sharedWords(query: ReadonlySet<string>, text: string): number {
  if (query.size === 0) return 0;
  const words = wordsOf(text);
  let shared = 0;
  for (const word of query) if (words.has(word)) shared += 1;
  return shared / query.size;
}
