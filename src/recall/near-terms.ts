/** Known terms for a word that no document has: those that begin with it, or else those that a slip of the keys away. */
import type { TermTable } from './terms.js';

/** A known term that stands for a word, at less than its whole weight. */
export interface NearTerm {
  readonly id: number;
  readonly weight: number;
}

const PREFIX_MIN = 3;
const TERMS_MAX = 8;
const PREFIX_WEIGHT = 0.7;
/** Of one slip; of two it is squared. */
const SLIP_WEIGHT = 0.6;
const ONE_SLIP_MIN = 4;
const TWO_SLIPS_MIN = 8;
/** A pair of these is a word in itself. */
const IDEOGRAPH = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

interface Found {
  readonly term: string;
  readonly id: number;
  readonly slips: number;
}

export class NearTerms {
  readonly #terms: TermTable;
  /** Of each term: which letters it has, as bits. Two terms a slip apart differ in two of them at most. */
  #letters = new Uint32Array(1024);
  #seen = 0;

  constructor(terms: TermTable) {
    this.#terms = terms;
  }

  /** At most 8, those that most documents have first. A number is never taken for another one. */
  of(word: string): readonly NearTerm[] {
    if (/\d/.test(word)) return [];
    const begun = this.#beginningWith(word);
    if (begun.length > 0) return this.#best(begun, () => PREFIX_WEIGHT);
    const slipped = this.#slipsFrom(word);
    const least = Math.min(...slipped.map(({ slips }) => slips));
    const nearest = slipped.filter(({ slips }) => slips === least);
    return this.#best(nearest, ({ slips }) => SLIP_WEIGHT ** slips);
  }

  #best(found: Found[], weightOf: (found: Found) => number): readonly NearTerm[] {
    const documents = ({ id }: Found) => this.#terms.documentsWith(id);
    found.sort((a, b) => documents(b) - documents(a) || (a.term < b.term ? -1 : 1));
    return found.slice(0, TERMS_MAX).map((each) => ({ id: each.id, weight: weightOf(each) }));
  }

  #beginningWith(word: string): Found[] {
    if (word.length < (IDEOGRAPH.test(word) ? 1 : PREFIX_MIN)) return [];
    const found: Found[] = [];
    for (const [term, id] of this.#terms.known()) {
      if (term.startsWith(word)) found.push({ term, id, slips: 0 });
    }
    return found;
  }

  #slipsFrom(word: string): Found[] {
    const most = word.length >= TWO_SLIPS_MIN ? 2 : word.length >= ONE_SLIP_MIN ? 1 : 0;
    if (most === 0) return [];
    this.#learn();
    const letters = lettersOf(word);
    const found: Found[] = [];
    for (const [term, id] of this.#terms.known()) {
      if (Math.abs(term.length - word.length) > most) continue;
      if (bits((this.#letters[id] as number) ^ letters) > 2 * most) continue;
      const slips = slipsBetween(word, term, most);
      if (slips <= most) found.push({ term, id, slips });
    }
    return found;
  }

  #learn(): void {
    if (this.#letters.length < this.#terms.size) {
      const larger = new Uint32Array(2 * this.#terms.size);
      larger.set(this.#letters);
      this.#letters = larger;
    }
    for (; this.#seen < this.#terms.size; this.#seen += 1) {
      this.#letters[this.#seen] = lettersOf(this.#terms.termOf(this.#seen));
    }
  }
}

function lettersOf(word: string): number {
  let letters = 0;
  for (let at = 0; at < word.length; at += 1) letters |= 1 << (word.charCodeAt(at) % 31);
  return letters >>> 0;
}

function bits(number: number): number {
  let rest = number >>> 0;
  let count = 0;
  for (; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

/**
 * Characters left out, put in, changed, or swapped with the next one (the distance of Damerau and Levenshtein, without changes inside a swap); any number
 * beyond `most` when there are more.
 */
export function slipsBetween(one: string, other: string, most: number): number {
  let before: number[] = [];
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    let least = i;
    for (let j = 1; j <= other.length; j += 1) {
      const same = one[i - 1] === other[j - 1];
      let slips = Math.min(
        (row[j] as number) + 1,
        (next[j - 1] as number) + 1,
        (row[j - 1] as number) + (same ? 0 : 1),
      );
      const swapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      if (swapped) slips = Math.min(slips, (before[j - 2] as number) + 1);
      next.push(slips);
      least = Math.min(least, slips);
    }
    if (least > most) return most + 1;
    before = row;
    row = next;
  }
  return row[other.length] as number;
}
