/** Texts as words, for finding what speaks of the same things. Pure: text in, words out. */

/** Letters, marks and digits, with apostrophes inside: one word, or a run of several in scripts that write no spaces. */
const RUN = /[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}\p{N}]+)*/gu;
/** Scripts whose words stand without spaces between them. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** English words that say how others belong together, and stand in texts about anything. */
const FUNCTION_WORDS: ReadonlySet<string> = new Set(
  `a about after all also am an and any are as at be been before but by can could did do does for from had has have he her here his how i if in into is it
  its just me my no not of on or our out over own she should so some such than that the their them then there these they this those to too under up us very
  was we were what when where which while who why will with would you your`.split(/\s+/),
);

let segmenter: Intl.Segmenter | undefined;

/** The same for texts that differ in case, width or composition only: `Straße` and `STRASSE` fold alike. */
function folded(text: string): string {
  return text.normalize('NFKC').toUpperCase().toLowerCase();
}

/** The words of a text, case folded, each once, in order of appearance. */
export function wordsOf(text: string): ReadonlySet<string> {
  const words = new Set<string>();
  for (const [run] of folded(text).matchAll(RUN)) {
    if (!UNSPACED.test(run)) {
      words.add(run.replaceAll('’', "'"));
      continue;
    }
    segmenter ??= new Intl.Segmenter(undefined, { granularity: 'word' });
    for (const { segment, isWordLike } of segmenter.segment(run)) {
      if (isWordLike) words.add(segment);
    }
  }
  return words;
}

/** The words of a question by which answers are found: without those that stand in every text, unless there are no others. */
export function queryWordsOf(text: string): ReadonlySet<string> {
  const words = wordsOf(text);
  const telling = new Set([...words].filter((word) => !FUNCTION_WORDS.has(word)));
  return telling.size > 0 ? telling : words;
}

/** The words of the question that stand in the other text. */
export function sharedWords(query: ReadonlySet<string>, words: ReadonlySet<string>): string[] {
  return [...query].filter((word) => words.has(word));
}
