/** What a writer asks of the critical section for one group, and what comes back. */
import type { Place } from './place.js';
import type { GroupLines, RebaseFacts } from './rebase.js';

export interface GroupRequest extends GroupLines {
  /** There when the group may be moved behind what others wrote without a new decision, if that touches nothing of it. */
  readonly rebase?: RebaseFacts | undefined;
}

/** What the owner of a group that was moved must know to follow it. */
export interface MovedGroup {
  /** What others wrote: whole groups between the group's base, at this offset, and its place. */
  readonly others: Buffer;
  readonly offset: number;
  readonly firstPosition: number;
  readonly bytes: number;
  readonly time: string;
}

export type GroupResult =
  /** Durable. `place` is the new end; the group's lines begin at `start` in its segment. */
  | {
      readonly kind: 'written';
      readonly place: Place;
      readonly start: number;
      /** When the segment was changed first: where the one before it ended. */
      readonly closed?: Place;
      /** When others had written and the group was moved behind it. */
      readonly moved?: MovedGroup;
    }
  /** Others wrote and no new decision came in time, or too much to hand over under the lock. Nothing was written. */
  | { readonly kind: 'moved'; readonly place: Place }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'interrupted' };

/** Decides a group again on what others wrote: the bytes from the group's base to `place`, all whole groups. */
export type Moved = (bytes: Buffer, place: Place) => GroupRequest | undefined;

/** More than this is read on without the lock. */
export const MOVED_BYTES_MAX: number = 2 * 1024 * 1024;
