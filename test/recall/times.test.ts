/** Times that a text says. */
import { describe, expect, test } from 'vitest';
import { saysTimeVaguely, timesIn } from '#src/recall/times.js';

/** A Wednesday. */
const SPOKEN = Date.parse('2024-05-15T18:30:00Z');

/** As `from..last day`. */
function spans(text: string, spoken: number | undefined = SPOKEN): string[] {
  return timesIn(text, spoken).map(({ from, to }) => {
    const day = (time: number) => new Date(time).toISOString().slice(0, 10);
    const [first, last] = [day(from), day(to - 1)];
    return first === last ? first : `${first}..${last}`;
  });
}

describe('a date', () => {
  test.each([
    ['It was on 2023-05-08.', '2023-05-08'],
    ['On May 8, 2023 we left.', '2023-05-08'],
    ['On 8th of May 2023 we left.', '2023-05-08'],
    ['in May 2023', '2023-05-01..2023-05-31'],
    ['in 2022', '2022-01-01..2022-12-31'],
    ['on June 3rd', '2024-06-03'],
    ['on 20 December', '2023-12-20'],
    ['in March', '2024-03-01..2024-03-31'],
    ['last August', '2023-08-01..2023-08-31'],
    ['next May', '2025-05-01..2025-05-31'],
  ])('%s', (text, span) => {
    expect(spans(text)).toEqual([span]);
  });

  test('that does not exist is none', () => {
    expect(spans('2023-02-30')).toEqual([]);
  });

  test('is not found in a word that is no month', () => {
    expect(spans('I may march on, in may ways.')).toEqual([]);
  });
});

describe('a time told from the day of speaking', () => {
  test.each([
    ['yesterday', '2024-05-14'],
    ['the day before yesterday', '2024-05-13'],
    ['Last night it rained', '2024-05-14'],
    ['this morning', '2024-05-15'],
    ['tomorrow', '2024-05-16'],
    ['last week', '2024-05-06..2024-05-12'],
    ['next week', '2024-05-20..2024-05-26'],
    ['last weekend', '2024-05-11..2024-05-12'],
    ['this weekend', '2024-05-18..2024-05-19'],
    ['last month', '2024-04-01..2024-04-30'],
    ['next month', '2024-06-01..2024-06-30'],
    ['last year', '2023-01-01..2023-12-31'],
    ['last Friday', '2024-05-10'],
    ['last Wednesday', '2024-05-08'],
    ['next Wednesday', '2024-05-22'],
    ['next Friday', '2024-05-17'],
    ['three days ago', '2024-05-12'],
    ['a month ago', '2024-04-01..2024-04-30'],
    ['two years ago', '2022-01-01..2022-12-31'],
    ['in two weeks', '2024-05-26..2024-06-01'],
    ['last summer', '2023-06-01..2023-08-31'],
    ['last winter', '2023-12-01..2024-02-29'],
    ['this spring', '2024-03-01..2024-05-31'],
  ])('%s', (text, span) => {
    expect(spans(text)).toEqual([span]);
  });

  test('is none when nobody knows that day', () => {
    expect(timesIn('yesterday, last week, on 3 May', undefined)).toEqual([]);
  });
});

describe('a time at the end of a year, a month or a leap year', () => {
  test.each([
    ['last month', '2024-01-10', '2023-12-01..2023-12-31'],
    ['next month', '2023-12-31', '2024-01-01..2024-01-31'],
    ['three months ago', '2024-01-31', '2023-10-01..2023-10-31'],
    ['fourteen', '2024-01-31', ''],
    ['14 months ago', '2024-03-31', '2023-01-01..2023-01-31'],
    ['yesterday', '2024-01-01', '2023-12-31'],
    ['yesterday', '2024-03-01', '2024-02-29'],
    ['tomorrow', '2023-02-28', '2023-03-01'],
    ['last week', '2024-01-03', '2023-12-25..2023-12-31'],
    ['last year', '2024-02-29', '2023-01-01..2023-12-31'],
    ['a year ago', '2024-02-29', '2023-01-01..2023-12-31'],
    ['on 29 February', '2023-06-01', '2024-02-29'],
    ['on 29 February 2023', '2023-06-01', ''],
    ['on January 2nd', '2023-12-30', '2024-01-02'],
    ['on 30 December', '2024-01-02', '2023-12-30'],
    ['last December', '2024-01-10', '2023-12-01..2023-12-31'],
    ['last Sunday', '2024-01-01', '2023-12-31'],
    ['last Monday', '2024-01-01', '2023-12-25'],
    ['last winter', '2024-04-01', '2023-12-01..2024-02-29'],
  ])('%s, said on %s', (text, day, expected) => {
    expect(spans(text, Date.parse(`${day}T23:59:59Z`)).join()).toBe(expected);
  });
});

test('several times are all found, each once', () => {
  expect(spans('On May 8, 2023 and last week').sort()).toEqual([
    '2023-05-08',
    '2024-05-06..2024-05-12',
  ]);
});

test('a time that no day can be told from is told vaguely', () => {
  for (const text of ['on Fridays', 'for two years', 'at 7:30', 'at 5 pm', 'since 3 weeks']) {
    expect(saysTimeVaguely(text), text).toBe(true);
  }
  for (const text of ['a good day', 'my new boat', '7 boats']) {
    expect(saysTimeVaguely(text), text).toBe(false);
  }
});
