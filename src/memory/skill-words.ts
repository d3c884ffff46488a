/** Matching by shared words. */
import type { Skill } from './skill-model.js';

/** A word in a name tells more of a skill than one somewhere in its text. */
const WEIGHTS = { name: 3, tags: 2, description: 2, text: 1 } as const;

/** The words of a text, each once, without case and accents. */
export function wordsOf(text: string): ReadonlySet<string> {
  const plain = text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  return new Set(plain.match(/[\p{L}\p{N}]+/gu) ?? []);
}

/** 0 when no word is shared. */
export function matchOf(query: ReadonlySet<string>, skill: Skill): number {
  const { name, description, tags, steps = [], body = '' } = skill;
  return (
    WEIGHTS.name * shared(query, name.replace(/(?<=\p{Ll})(?=\p{Lu})/gu, ' ')) +
    WEIGHTS.tags * shared(query, tags.join(' ')) +
    WEIGHTS.description * shared(query, description) +
    WEIGHTS.text * shared(query, `${steps.join(' ')} ${body}`)
  );
}

/** The share of the query's words that the text has. */
function shared(query: ReadonlySet<string>, text: string): number {
  if (query.size === 0) return 0;
  const words = wordsOf(text);
  let count = 0;
  for (const word of query) if (words.has(word)) count += 1;
  return count / query.size;
}
