/** A clock that stands still until a test moves it. */
import { invalidArgument } from '../errors.js';

export interface SettableClock {
  /** Milliseconds since 1970. Bound: hand it over as the option `clock`. */
  readonly now: () => number;
  /** To any moment, backwards too. @throws TypeError */
  set(moment: number | Date | string): void;
  /** By so many milliseconds. @throws TypeError */
  advance(milliseconds: number): void;
}

function checked(milliseconds: number, what: string): number {
  if (Number.isFinite(milliseconds)) return milliseconds;
  throw invalidArgument(`${what} must be a moment: milliseconds since 1970, a Date, or ISO 8601`);
}

function millisecondsOf(moment: number | Date | string, what: string): number {
  const milliseconds = typeof moment === 'string' ? Date.parse(moment) : Number(moment);
  return checked(milliseconds, what);
}

/**
 * @param start - milliseconds since 1970, a Date, or ISO 8601. Default 2026-01-01T00:00:00.000Z
 * @throws TypeError
 */
export function settableClock(
  start: number | Date | string = '2026-01-01T00:00:00.000Z',
): SettableClock {
  let current = millisecondsOf(start, 'start');
  return Object.freeze({
    now: () => current,
    set(moment: number | Date | string): void {
      current = millisecondsOf(moment, 'the moment');
    },
    advance(milliseconds: number): void {
      current = checked(current + milliseconds, 'what the clock comes to');
    },
  });
}
