/** Moments: a position, or a time. */
import { invalidArgument, quote } from '../errors.js';

/** A position; or a time, as a Date or ISO 8601 text with a zone. A date alone is midnight UTC. A time includes every commit at or before it. */
export type Moment = number | Date | string;

/** A moment that was checked. Times are ISO 8601 in UTC, 24 characters. */
export type CheckedMoment = { readonly position: number } | { readonly time: string };

const ISO =
  /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}(?::?\d{2})?))?$/i;
const DATE_ONLY = /^\d{4}-\d{2}-\d{2}$/;
/** The first and the last time that 24 characters can say. */
const FIRST_MS = 0;
const LAST_MS = 253_402_300_799_999;

/** @throws TypeError */
export function checkedMoment(moment: Moment): CheckedMoment {
  if (typeof moment === 'number') {
    if (Number.isSafeInteger(moment) && moment >= 0) return { position: moment };
    throw invalidArgument('a moment given as a number is a position: an integer from 0');
  }
  if (moment instanceof Date) return { time: isoOf(moment.getTime(), 'the Date') };
  if (typeof moment === 'string') {
    if (!ISO.test(moment)) {
      throw invalidArgument(
        `${quote(moment)} is no moment: use a position, a Date, or ISO 8601 with a zone, such as 2026-01-31T12:00:00Z`,
      );
    }
    // A date alone reads as midnight UTC; a zone of hours alone is completed.
    const text = DATE_ONLY.test(moment)
      ? moment
      : moment.replace(',', '.').replace(/([+-]\d{2})$/, '$1:00');
    return { time: isoOf(isOnCalendar(moment) ? Date.parse(text) : Number.NaN, quote(moment)) };
  }
  throw invalidArgument('a moment is a position, a Date, or ISO 8601 text with a zone');
}

/** Date.parse takes the 30th of February for a day in March. */
function isOnCalendar(moment: string): boolean {
  const day = moment.slice(0, 10);
  const midnight = Date.parse(day);
  return !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(day);
}

function isoOf(milliseconds: number, what: string): string {
  if (Number.isNaN(milliseconds)) throw invalidArgument(`${what} is not a valid time`);
  return new Date(Math.min(LAST_MS, Math.max(FIRST_MS, milliseconds))).toISOString();
}
