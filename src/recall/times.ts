/**
 * The times that an English text says, as spans of days. What is told relative to the day of speaking, such as `last week`, is resolved against it; dates
 * in numbers (2024-05-08) are found in any language. All of it in UTC.
 */
import { countOf, monthOf, weekdayOf } from './time-words.js';

/** From the first millisecond to just before `to`, in milliseconds since 1970. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export const DAY_MS: number = 24 * 60 * 60 * 1000;

const MONTH =
  '(January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)';
const DAY_OF_MONTH = '(\\d{1,2})(?:st|nd|rd|th)?';
const YEAR = '((?:19|20)\\d{2})';
const COUNT =
  '(\\d{1,3}|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:a )?few|several|(?:a )?couple(?: of)?)';

type Resolve = (
  parts: readonly (string | undefined)[],
  spoken: Day | undefined,
) => Span | undefined;

/** A day of speaking. */
interface Day {
  readonly year: number;
  readonly month: number;
  /** Its first millisecond. */
  readonly start: number;
  /** 0 for Monday. */
  readonly weekday: number;
}

function dayOf(time: number): Day {
  const date = new Date(time);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  const start = Date.UTC(year, month, date.getUTCDate());
  return { year, month, start, weekday: (date.getUTCDay() + 6) % 7 };
}

function days(from: number, count = 1): Span {
  return { from, to: from + count * DAY_MS };
}

function months(year: number, month: number, count = 1): Span {
  return { from: Date.UTC(year, month, 1), to: Date.UTC(year, month + count, 1) };
}

function date(year: number, month: number, day: number): Span | undefined {
  const from = Date.UTC(year, month, day);
  return month >= 0 && new Date(from).getUTCDate() === day ? days(from) : undefined;
}

/** A date without a year is the one nearest to the day of speaking. */
function dateNear(month: number, day: number, spoken: Day | undefined): Span | undefined {
  if (!spoken) return undefined;
  const near = [-1, 0, 1].map((shift) => date(spoken.year + shift, month, day));
  return nearest(near, spoken);
}

function nearest(spans: readonly (Span | undefined)[], spoken: Day): Span | undefined {
  let best: Span | undefined;
  for (const span of spans) {
    const distance = (each: Span) => Math.abs(each.from - spoken.start);
    if (span && (!best || distance(span) < distance(best))) best = span;
  }
  return best;
}

/** -1 for last, 0 for this, 1 for next. */
function shiftOf(word: string | undefined): number {
  if (/^(?:last|past|previous)$/i.test(word ?? '')) return -1;
  return /^(?:next|coming|following)$/i.test(word ?? '') ? 1 : 0;
}

const SEASONS: Readonly<Record<string, number>> = {
  spring: 2,
  summer: 5,
  autumn: 8,
  fall: 8,
  winter: 11,
};

function season(name: string, shift: number, { year, month }: Day): Span {
  const first = SEASONS[name] as number;
  // The season of this year; the last one is over, or was that of the year before.
  const over = month >= first + 3;
  const shifted = shift < 0 ? (over ? 0 : -1) : shift > 0 ? (month < first ? 0 : 1) : 0;
  return months(year + shifted, first, 3);
}

function calendar(unit: string, shift: number, spoken: Day): Span | undefined {
  const { year, month, start, weekday } = spoken;
  if (unit === 'week') return days(start - (weekday - 7 * shift) * DAY_MS, 7);
  if (unit === 'weekend') return days(start + (5 - weekday + 7 * shift) * DAY_MS, 2);
  if (unit === 'month') return months(year, month + shift);
  if (unit === 'year') return months(year + shift, 0, 12);
  if (unit === 'night') return days(start + shift * DAY_MS);
  if (Object.hasOwn(SEASONS, unit)) return season(unit, shift, spoken);
  const day = weekdayOf(unit);
  if (day < 0) return undefined;
  if (shift === 0) return days(start + (day - weekday) * DAY_MS);
  // The one before today, or the one behind it.
  const ahead = (day - weekday + 7) % 7;
  return days(start + (shift < 0 ? (ahead || 7) - (ahead === 0 ? 14 : 7) : ahead || 7) * DAY_MS);
}

function distant(count: number, unit: string, sign: number, spoken: Day): Span | undefined {
  const { year, month, start } = spoken;
  // `a few` is three, give or take one.
  if (unit === 'day') return days(start + sign * count * DAY_MS);
  if (unit === 'week') return days(start + (sign * 7 * count - 3) * DAY_MS, 7);
  if (unit === 'weekend') return calendar('weekend', sign * count, spoken);
  if (unit === 'month') return months(year, month + sign * count);
  return months(year + sign * count, 0, 12);
}

const relative =
  (resolve: (parts: readonly (string | undefined)[], spoken: Day) => Span | undefined): Resolve =>
  (parts, spoken) =>
    spoken && resolve(parts, spoken);

/** In this order: what one has taken of a text the others do not see. */
const PATTERNS: readonly (readonly [RegExp, Resolve])[] = [
  [
    /\b(\d{4})-(\d{2})-(\d{2})(?:T[\d:.]+Z?)?\b/g,
    ([year, month, day]) => date(Number(year), Number(month) - 1, Number(day)),
  ],
  [
    new RegExp(`\\b${DAY_OF_MONTH}(?: of)? ${MONTH}\\.?,? ${YEAR}\\b`, 'g'),
    ([day, month, year]) => date(Number(year), monthOf(month ?? ''), Number(day)),
  ],
  [
    new RegExp(`\\b${MONTH}\\.? ${DAY_OF_MONTH},? ${YEAR}\\b`, 'g'),
    ([month, day, year]) => date(Number(year), monthOf(month ?? ''), Number(day)),
  ],
  [
    new RegExp(`\\b${MONTH}\\.?(?: of)?,? ${YEAR}\\b`, 'g'),
    ([month, year]) => months(Number(year), monthOf(month ?? '')),
  ],
  [
    new RegExp(`\\b${DAY_OF_MONTH}(?: of)? ${MONTH}\\b`, 'g'),
    ([day, month], spoken) => dateNear(monthOf(month ?? ''), Number(day), spoken),
  ],
  [
    new RegExp(`\\b${MONTH}\\.? ${DAY_OF_MONTH}\\b`, 'g'),
    ([month, day], spoken) => dateNear(monthOf(month ?? ''), Number(day), spoken),
  ],
  [
    new RegExp(
      `\\b([Ll]ast|[Tt]his|[Nn]ext|[Ii]n|[Dd]uring|[Ss]ince|[Uu]ntil|[Bb]y|[Ee]arly|[Ll]ate|[Oo]f) ${MONTH}\\b`,
      'g',
    ),
    relative(([word, name], spoken) => {
      const month = monthOf(name ?? '');
      const shift = shiftOf(word);
      const years = [-1, 0, 1].map((each) => months(spoken.year + each, month));
      if (shift < 0)
        return nearest(
          years.filter(({ to }) => to <= spoken.start),
          spoken,
        );
      if (shift > 0)
        return nearest(
          years.filter(({ from }) => from > spoken.start),
          spoken,
        );
      return nearest(years, spoken);
    }),
  ],
  [/\bday before yesterday\b/gi, relative((_, { start }) => days(start - 2 * DAY_MS))],
  [/\b(?:yesterday|last night)\b/gi, relative((_, { start }) => days(start - DAY_MS))],
  [/\bday after tomorrow\b/gi, relative((_, { start }) => days(start + 2 * DAY_MS))],
  [/\btomorrow\b/gi, relative((_, { start }) => days(start + DAY_MS))],
  [
    /\b(?:today|tonight|this (?:morning|afternoon|evening))\b/gi,
    relative((_, { start }) => days(start)),
  ],
  [/\bthe other day\b/gi, relative((_, { start }) => days(start - 7 * DAY_MS, 7))],
  [
    new RegExp(`\\b${COUNT} (day|week|weekend|month|year)s? (?:ago|back|earlier)\\b`, 'gi'),
    relative(([count, unit = ''], spoken) =>
      distant(countOf(count ?? '') ?? 0, unit.toLowerCase(), -1, spoken),
    ),
  ],
  [
    new RegExp(`\\bin ${COUNT} (day|week|weekend|month|year)s?\\b`, 'gi'),
    relative(([count, unit = ''], spoken) =>
      distant(countOf(count ?? '') ?? 0, unit.toLowerCase(), 1, spoken),
    ),
  ],
  [
    /\b(last|past|previous|this|next|coming|following) (week|weekend|month|year|night|spring|summer|autumn|fall|winter|monday|tuesday|wednesday|thursday|friday|saturday|sunday)(?!s)\b/gi,
    relative(([word, unit = ''], spoken) => calendar(unit.toLowerCase(), shiftOf(word), spoken)),
  ],
  [new RegExp(`\\b${YEAR}\\b`, 'g'), ([year]) => months(Number(year), 0, 12)],
];

/** Says when, without a day that could be told from it. */
const VAGUE =
  /\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|\d{1,2}(?::\d{2})? ?[ap]\.?m\b|\d{1,2}:\d{2}|(?:for|since|past|over) (?:the )?(?:last )?(?:\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten|few|several)? ?(?:day|week|month|year)s?|ago)\b/i;

/**
 * The spans that a text says, in order of kind, then of appearance.
 * @param spoken - the time of speaking, ms since 1970; without it only whole dates are found
 */
export function timesIn(text: string, spoken: number | undefined): readonly Span[] {
  const day = spoken === undefined ? undefined : dayOf(spoken);
  const spans: Span[] = [];
  let rest = text;
  for (const [pattern, resolve] of PATTERNS) {
    rest = rest.replace(pattern, (_, ...parts: readonly (string | undefined)[]) => {
      const span = resolve(parts, day);
      if (span) spans.push(span);
      return '\n';
    });
  }
  return spans;
}

/** Whether a text says a time that no day can be told from, such as `on Fridays` or `for two years`. */
export function saysTimeVaguely(text: string): boolean {
  return VAGUE.test(text);
}
