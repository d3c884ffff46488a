/** What a question asks for: its terms with their weights, whom it names, which time it speaks of. */
import type { Analyzer } from './analyzer.js';
import type { Collection } from './collection.js';
import type { NearTerms } from './near-terms.js';
import { DAY_MS, type Span, timesIn } from './times.js';

/** A word of the question. */
export interface QuestionTerm {
  /** As the question has it, folded. */
  readonly word: string;
  /** The known terms that stand for it, all with one weight; one term of weight 1 when documents have the word itself. */
  readonly known: readonly { readonly id: number; readonly weight: number }[];
  /** How much it tells: the fewer documents have it, the more. */
  readonly idf: number;
  /** It names a speaker. */
  readonly isName: boolean;
}

export interface Question {
  readonly terms: readonly QuestionTerm[];
  /** Speakers that are named. */
  readonly speakers: ReadonlySet<number>;
  readonly asksWhen: boolean;
  readonly spans: readonly Span[];
}

/** The words that tell most are looked for, of a question that has more. */
const TERMS_MAX = 64;
/** A longer question is a text; its beginning tells enough. In UTF-16 code units. */
const TEXT_CHARACTERS_MAX = 32_768;
/** So many words that no document has are looked for in other forms: each is compared with every known term. */
const NEAR_MAX = 8;
const WHEN =
  /\b(?:when|what (?:date|day|month|year|time)|which (?:date|day|month|year)|how long|since when)\b/i;

/** Robertson and Sparck Jones, never below 0. */
export function idfOf(documents: number, all: number): number {
  return Math.log(1 + (all - documents + 0.5) / (documents + 0.5));
}

/** @param now - what `last week` in the question refers to, ms */
export function readQuestion(
  whole: string,
  now: number,
  collection: Collection,
  analyzer: Analyzer,
  near: NearTerms,
): Question {
  const text = whole.slice(0, TEXT_CHARACTERS_MAX);
  const named = collection.speakers.namedIn(text, (word) => analyzer.isCommon(word));
  const names = new Set([...named.words].map((word) => analyzer.termOf(word)));
  const seen = new Map<string, string>();
  const mayTime = analyzer.read(
    text,
    (term, _, word) => {
      if (!seen.has(term)) seen.set(term, word);
    },
    true,
  );
  const terms: QuestionTerm[] = [];
  let unknown = 0;
  for (const [term, word] of seen) {
    const id = collection.terms.find(term);
    if (id === undefined) unknown += 1;
    if (unknown > NEAR_MAX && id === undefined) continue;
    const known = id === undefined ? near.of(term) : [{ id, weight: 1 }];
    if (known.length === 0) continue;
    const documents = known.reduce((sum, each) => sum + collection.terms.documentsWith(each.id), 0);
    const idf = idfOf(Math.min(documents, collection.size), collection.size);
    terms.push({ word, known, idf, isName: names.has(term) });
  }
  return {
    terms: telling(terms),
    speakers: named.ids,
    asksWhen: WHEN.test(text),
    spans: mayTime ? timesIn(text, Number.isFinite(now) ? now : undefined) : [],
  };
}

function telling(terms: readonly QuestionTerm[]): readonly QuestionTerm[] {
  if (terms.length <= TERMS_MAX) return terms;
  const least = terms.map(({ idf }) => idf).sort((a, b) => b - a)[TERMS_MAX - 1] as number;
  return terms.filter(({ idf }) => idf >= least).slice(0, TERMS_MAX);
}

/** How much it tells that a time lies in a span: a day more than a month, a month more than a year. */
export function precisionOf({ from, to }: Span): number {
  const days = (to - from) / DAY_MS;
  if (days <= 7) return 1;
  return days <= 31 ? 0.7 : 0.4;
}
