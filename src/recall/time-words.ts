/** Words that times are told with. */

const MONTHS: readonly string[] =
  'january february march april may june july august september october november december'.split(
    ' ',
  );
const WEEKDAYS: readonly string[] =
  'monday tuesday wednesday thursday friday saturday sunday'.split(' ');
const COUNTS: readonly string[] =
  'zero one two three four five six seven eight nine ten eleven twelve'.split(' ');

/** A text without any of them, and without digits, says no time. */
export const TIME_WORDS: ReadonlySet<string> = new Set([
  ...MONTHS,
  ...MONTHS.map((month) => month.slice(0, 3)),
  'sept',
  ...WEEKDAYS,
  ...`yesterday today tonight tomorrow ago night morning afternoon evening day days week weeks weekend weekends month months year years
    spring summer autumn fall winter`.split(/\s+/),
]);

/** Of a month's name or its first three letters, 0 for January; -1 for another word. */
export function monthOf(word: string): number {
  const start = word.slice(0, 3).toLowerCase();
  return MONTHS.findIndex((month) => month.startsWith(start));
}

/** 0 for Monday; -1 for another word. */
export function weekdayOf(word: string): number {
  return WEEKDAYS.indexOf(word.toLowerCase());
}

/** How many a word such as `two`, `a`, `few` or `14` says; undefined for another word. */
export function countOf(word: string): number | undefined {
  const lower = word.toLowerCase();
  if (lower === 'a' || lower === 'an') return 1;
  if (lower.startsWith('couple')) return 2;
  if (lower === 'few' || lower === 'several' || lower.startsWith('a few')) return 3;
  const number = /^\d{1,3}$/.test(lower) ? Number(lower) : COUNTS.indexOf(lower);
  return number < 0 ? undefined : number;
}
