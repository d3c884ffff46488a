/** What events and times did to a state, as patches. */
import type { RecordedEvent } from '../log/types.js';
import { ABSENT, type Foldable, fold } from '../projections/fold.js';
import { diff } from './diff.js';
import type { JsonPatch } from './json-patch.js';

/** One event folded, and what it changed. */
export interface FoldedEvent {
  /** A state, or ABSENT. */
  readonly after: unknown;
  /** Empty when the event changed nothing. */
  readonly patches: readonly JsonPatch[];
}

/** @throws FoldFailure */
export function foldWithPatches(
  projection: Foldable,
  key: string,
  before: unknown,
  event: RecordedEvent,
): FoldedEvent {
  const after = fold(projection, key, before, [event]);
  return { after, patches: diff(before, after) };
}

/** Two states of one key. `before` or `after` is missing where the key had no state. */
export interface StateDifference {
  readonly before?: unknown;
  readonly after?: unknown;
  readonly patches: readonly JsonPatch[];
}

/** Either state may be ABSENT. */
export function diffStates(before: unknown, after: unknown): StateDifference {
  return Object.freeze({
    ...(before === ABSENT ? {} : { before }),
    ...(after === ABSENT ? {} : { after }),
    patches: diff(before, after),
  });
}
