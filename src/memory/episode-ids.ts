/** Ids that sort by time, and by the order in which they were made within a millisecond. */
import { randomBytes } from 'node:crypto';

/** Random part, as so many hexadecimal digits. */
const DIGITS = 16;

export class TimeSortedIds {
  #time = '';
  #suffix = 0n;

  /** @param time - ISO 8601 in UTC, 24 characters */
  next(time: string): string {
    // The upper half of the numbers is left to those that follow within the millisecond.
    this.#suffix =
      time === this.#time ? this.#suffix + 1n : randomBytes(DIGITS / 2).readBigUInt64BE() >> 1n;
    this.#time = time;
    return `${time}-${this.#suffix.toString(16).padStart(DIGITS, '0')}`;
  }
}
