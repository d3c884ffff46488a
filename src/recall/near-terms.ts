/** Known terms for a word that no document has: those that begin with it, or else those that a slip of the keys away. */
import { withRoom } from './growing.js';
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
  /** Of each term: its first two characters, and how many it has. */
  #heads = new Uint32Array(1024);
  #lengths = new Uint8Array(1024);
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
    this.#learn();
    const heads = this.#heads;
    const head = headOf(word);
    const mask = word.length === 1 ? 0xffff0000 : 0xffffffff;
    const found: Found[] = [];
    // Of a million terms few get beyond the numbers.
    for (let id = 0; id < this.#seen; id += 1) {
      if ((((heads[id] as number) ^ head) & mask) !== 0) continue;
      const term = this.#terms.termOf(id);
      if (term.startsWith(word) && this.#terms.documentsWith(id) > 0) {
        found.push({ term, id, slips: 0 });
      }
    }
    return found;
  }

  #slipsFrom(word: string): Found[] {
    const most = word.length >= TWO_SLIPS_MIN ? 2 : word.length >= ONE_SLIP_MIN ? 1 : 0;
    if (most === 0) return [];
    this.#learn();
    const [letters, lengths] = [this.#letters, this.#lengths];
    const own = lettersOf(word);
    const found: Found[] = [];
    for (let id = 0; id < this.#seen; id += 1) {
      const longer = (lengths[id] as number) - word.length;
      if (longer > most || longer < -most) continue;
      if (bits((letters[id] as number) ^ own) > 2 * most) continue;
      if (this.#terms.documentsWith(id) === 0) continue;
      const term = this.#terms.termOf(id);
      const slips = slipsBetween(word, term, most);
      if (slips <= most) found.push({ term, id, slips });
    }
    return found;
  }

  #learn(): void {
    const count = this.#terms.size;
    this.#letters = withRoom(this.#letters, count);
    this.#heads = withRoom(this.#heads, count);
    this.#lengths = withRoom(this.#lengths, count);
    for (; this.#seen < count; this.#seen += 1) {
      const term = this.#terms.termOf(this.#seen);
      this.#letters[this.#seen] = lettersOf(term);
      this.#heads[this.#seen] = headOf(term);
      this.#lengths[this.#seen] = term.length;
    }
  }
}

function headOf(word: string): number {
  return ((word.charCodeAt(0) << 16) | (word.length > 1 ? word.charCodeAt(1) : 0)) >>> 0;
}

function lettersOf(word: string): number {
  let letters = 0;
  for (let at = 0; at < word.length; at += 1) letters |= 1 << (word.charCodeAt(at) % 31);
  return letters >>> 0;
}

/** How many bits are set, counted in pairs, then in fours, then in bytes. */
function bits(number: number): number {
  const pairs = number - ((number >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The rows of a comparison; terms have 64 characters at most. */
const ROW = 66;
let rows = [new Uint8Array(ROW), new Uint8Array(ROW), new Uint8Array(ROW)] as const;

/**
 * Characters left out, put in, changed, or swapped with the next one (the distance of Damerau and Levenshtein, without changes inside a swap); any number
 * beyond `most` when there are more.
 */
export function slipsBetween(one: string, other: string, most: number): number {
  const room = other.length + 1;
  if (rows[0].length < room) {
    rows = [new Uint8Array(room), new Uint8Array(room), new Uint8Array(room)];
  }
  let [before, row, next] = rows;
  // Beyond what is looked for it makes no difference how many there are, and more than 255 do not fit.
  const beyond = most + 1;
  for (let at = 0; at < room; at += 1) row[at] = Math.min(at, beyond);
  for (let i = 1; i <= one.length; i += 1) {
    next[0] = Math.min(i, beyond);
    let least = next[0];
    for (let j = 1; j < room; j += 1) {
      const same = one.charCodeAt(i - 1) === other.charCodeAt(j - 1);
      let slips = Math.min(
        (row[j] as number) + 1,
        (next[j - 1] as number) + 1,
        (row[j - 1] as number) + (same ? 0 : 1),
      );
      const swapped =
        i > 1 &&
        j > 1 &&
        one.charCodeAt(i - 1) === other.charCodeAt(j - 2) &&
        one.charCodeAt(i - 2) === other.charCodeAt(j - 1);
      if (swapped) slips = Math.min(slips, (before[j - 2] as number) + 1);
      if (slips > beyond) slips = beyond;
      next[j] = slips;
      if (slips < least) least = slips;
    }
    if (least > most) return beyond;
    [before, row, next] = [row, next, before];
  }
  return row[other.length] as number;
}
