/** Where the log stands: between two groups, or right behind a segment's header. */
import { createHash } from 'node:crypto';

export interface Place {
  /** First position (name) of the segment. */
  readonly segment: number;
  /** Offset in that segment behind the last proven byte. */
  readonly offset: number;
  /** The last position before this place; 0 in an empty log. */
  readonly position: number;
  /** The seal before this place, 64 hex digits. */
  readonly seal: string;
}

/** The seal that the first group of a store is chained to. */
export function firstSeal(storeId: string): string {
  return createHash('sha256').update(storeId).digest('hex');
}

export function samePlace(a: Place, b: Place): boolean {
  return (
    a.segment === b.segment &&
    a.offset === b.offset &&
    a.position === b.position &&
    a.seal === b.seal
  );
}
