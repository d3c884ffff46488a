/**
 * Texts as terms: words, case folded, without their endings, without those that stand in texts about anything. Pure, and the same for documents and
 * questions.
 *
 * Scripts that write no spaces (Chinese, Japanese) and Korean, whose words run on into particles, are taken as pairs of neighbouring characters, which needs
 * no dictionary and finds a word inside a longer one; Thai, Lao, Khmer and Burmese are split by the dictionaries of ICU.
 */
import { detached } from './detached.js';
import { functionWordsOf, isEnglish, type Stem, stemOf } from './language.js';
import { TIME_WORDS } from './time-words.js';

/** Takes a term, and the word that it comes from; `asked` when it stands in a sentence that ends in a question mark. */
export type TakeTerm = (term: string, asked: boolean, word: string) => void;

interface Word {
  /** Empty for a word that says nothing. */
  readonly term: string;
  /** It may be part of a time, such as `yesterday` or 2024. */
  readonly time: boolean;
}

const ASCII = /^[\p{ASCII}]*$/u;
/**
 * Words, and ends of sentences. Points are looked at as a whole run, from its first one: begun anew at each point, a run of a million that ends no sentence
 * would take a million times as long.
 */
const ASCII_PIECES = /[a-z0-9]+(?:'[a-z0-9]+)*|[.!?](?<![.!?]{2})[.!?]*(?![.!?])(?=[\s"')\]]|$)/g;
/** The same, with runs of several words in scripts that write no spaces. */
const PIECES =
  /[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}\p{N}]+)*|[.!?](?<![.!?]{2})[.!?]*(?![.!?])(?=[\s"'”’)\]]|[^\p{ASCII}]|$)|。/gu;
const PAIRED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー]/u;
const SEGMENTED = /[\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const SCRIPT_RUNS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー]+|[\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{M}]+|[^\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]+/gu;
const LATIN_OR_GREEK = /[\p{Script=Latin}\p{Script=Greek}]/u;
const MARKS = /\p{M}+/gu;
/** Of English words: `don't`, `we'll`, `Anna's`. */
const ENGLISH_ENDING = /(?:n't|'(?:s|m|re|ve|ll|d))$/;

/** Words remembered with what became of them; a conversation uses few words often. */
const REMEMBERED_MAX = 65_536;
/** No word of a language is longer; a longer run is an identifier, of which the beginning tells enough. */
const TERM_CHARACTERS_MAX = 64;

/** The same for texts that differ in case, width or composition only: `Straße` and `STRASSE` fold alike. */
function folded(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  return text.normalize('NFKC').toUpperCase().toLowerCase().replaceAll('’', "'");
}

export class Analyzer {
  readonly language: string;
  readonly #stem: Stem | undefined;
  readonly #functionWords: ReadonlySet<string>;
  readonly #words = new Map<string, Word>();
  #segmenter: Intl.Segmenter | undefined;

  /** @param language - one of `LANGUAGES` @throws RangeError for another one */
  constructor(language: string) {
    this.language = language;
    this.#stem = stemOf(language);
    this.#functionWords = functionWordsOf(isEnglish(language) ? 'english' : language);
  }

  /**
   * Hands over the terms of a text, in order, each as often as it stands there. The answer is whether the text may say a time.
   * @param isQuery - of a question: a lone character stands for itself, which in documents it does everywhere
   */
  read(text: string, take: TakeTerm, isQuery = false): boolean {
    const ascii = ASCII.test(text);
    const pieces = folded(text).match(ascii ? ASCII_PIECES : PIECES) ?? [];
    let time = false;
    let sentence = 0;
    for (let at = 0; at <= pieces.length; at += 1) {
      const piece = pieces[at];
      if (piece !== undefined && !isEnd(piece)) continue;
      const asked = piece?.includes('?') === true;
      for (let index = sentence; index < at; index += 1) {
        const run = pieces[index] as string;
        if (ascii ? this.#takeWord(run, take, asked) : this.#take(run, take, asked, isQuery)) {
          time = true;
        }
      }
      sentence = at + 1;
    }
    return time;
  }

  /** A word as it would be looked for: folded, without its ending; empty for one that says nothing. */
  termOf(word: string): string {
    return this.#word(folded(word)).term;
  }

  /** Whether a word stands in texts about anything. */
  isCommon(word: string): boolean {
    return this.#functionWords.has(folded(word));
  }

  #take(piece: string, take: TakeTerm, asked: boolean, isQuery: boolean): boolean {
    if (!PAIRED.test(piece) && !SEGMENTED.test(piece)) return this.#takeWord(piece, take, asked);
    let time = false;
    for (const [run] of piece.matchAll(SCRIPT_RUNS)) {
      if (PAIRED.test(run)) takePairs(run, take, asked, isQuery);
      else if (SEGMENTED.test(run)) this.#takeSegments(run, take, asked);
      else if (this.#take(run, take, asked, isQuery)) time = true;
    }
    return time;
  }

  #takeWord(word: string, take: TakeTerm, asked: boolean): boolean {
    const { term, time } = this.#word(word);
    if (term !== '') take(term, asked, word);
    return time;
  }

  #takeSegments(run: string, take: TakeTerm, asked: boolean): void {
    this.#segmenter ??= new Intl.Segmenter('und', { granularity: 'word' });
    for (const { segment, isWordLike } of this.#segmenter.segment(run)) {
      if (isWordLike) take(segment.slice(0, TERM_CHARACTERS_MAX), asked, segment);
    }
  }

  #word(word: string): Word {
    const known = this.#words.get(word);
    if (known) return known;
    if (this.#words.size >= REMEMBERED_MAX) this.#words.clear();
    const own = detached(word);
    const made = this.#made(own);
    this.#words.set(own, made);
    return made;
  }

  #made(word: string): Word {
    const bare = isEnglish(this.language) ? word.replace(ENGLISH_ENDING, '') : word;
    const time = TIME_WORDS.has(bare) || /^\d/.test(bare);
    if (this.#functionWords.has(word) || this.#functionWords.has(bare)) return { term: '', time };
    const cut = bare.length > TERM_CHARACTERS_MAX ? bare.slice(0, TERM_CHARACTERS_MAX) : bare;
    const stemmed = this.#stem ? this.#stem(cut) : cut;
    return { term: withoutAccents(stemmed === '' ? cut : stemmed).toWellFormed(), time };
  }
}

function isEnd(piece: string): boolean {
  const first = piece.charCodeAt(0);
  return first === 0x2e || first === 0x21 || first === 0x3f || first === 0x3002;
}

/** People leave accents out; in other scripts marks make other letters. */
function withoutAccents(term: string): string {
  if (ASCII.test(term) || !LATIN_OR_GREEK.test(term)) return term;
  return term.normalize('NFD').replace(MARKS, '').normalize('NFC');
}

function takePairs(run: string, take: TakeTerm, asked: boolean, isQuery: boolean): void {
  const characters = [...run];
  for (const [at, character] of characters.entries()) {
    const next = characters[at + 1];
    if (!isQuery || characters.length === 1) take(character, asked, character);
    if (next !== undefined) take(character + next, asked, character + next);
  }
}
