/** The time by which models judge what is over. */

/** The last millisecond of the year 9999: later times would not sort as text. */
export const LAST_MS: number = 253_402_300_799_999;

/**
 * What a clock says, as ISO 8601, or the time of the last commit where that is later: the store's time never goes back, and what was over stays over when
 * the clock does.
 */
export function latest(milliseconds: number, last: string | undefined): string {
  const now = new Date(Math.max(0, Math.min(LAST_MS, milliseconds || 0))).toISOString();
  return last !== undefined && last > now ? last : now;
}
