/** What a store answers for a projection, held against a plain left fold. */
import { isDeepStrictEqual } from 'node:util';
import { ProjectionFailedError } from '../errors.js';
import { nextBatch, type SequenceWork } from '../log/event-sequence.js';
import { ABSENT } from '../projections/fold.js';
import type { ProjectionRuntime } from '../projections/projection.js';
import type { KeyFailure } from '../projections/states.js';
import { ABSENT_KEY, type FoldedKey, type LeftFold } from './left-fold.js';

/** Where the two disagree: about a key, or (without one) about where the whole projection stopped. */
export interface ReplayDifference {
  readonly key?: string;
  /** The state that the fold came to; missing when the key is absent or stopped. */
  readonly replayed?: unknown;
  /** Why the fold could not go on. */
  readonly replayedFailure?: ProjectionFailedError;
  /** The state that the store gives; missing when the key is absent or stopped. */
  readonly stored?: unknown;
  /** What the store throws. */
  readonly storedFailure?: ProjectionFailedError;
}

/**
 * All keys that either of the two has, each asked of the store as of `position`, which was routed; the fold lets go of what was compared. A batch is empty where all was the same, so
 * that whoever reads can stop in between.
 * @throws StoreDamagedError, StoreClosedError
 */
export function* compareFold(
  folded: LeftFold,
  runtime: ProjectionRuntime,
  position: number,
): SequenceWork<ReplayDifference> {
  const { name, stopped: stored } = runtime;
  const stop = stored && stored.position <= position ? stored : undefined;
  if (!sameFailure(folded.stopped, stop)) {
    yield [differenceOf(name, undefined, outcomeOf(folded.stopped), outcomeOf(stop))];
    return;
  }
  const at = stop ? stop.position - 1 : position;
  const keys = runtime.keysBetween('', 0, at);
  for (let batch = yield* nextBatch(keys); batch; batch = yield* nextBatch(keys)) {
    const outcomes = yield* runtime.outcomes(batch, at);
    const found: ReplayDifference[] = [];
    for (const [index, key] of batch.entries()) {
      const replayed = folded.release(key);
      const outcome = outcomes[index] as FoldedKey;
      if (!same(replayed, outcome)) found.push(differenceOf(name, key, replayed, outcome));
    }
    yield found;
  }
  // What is left is unknown to the store.
  for (const [key, replayed] of folded.keys) yield [differenceOf(name, key, replayed, ABSENT_KEY)];
}

function outcomeOf(failure: KeyFailure | undefined): FoldedKey {
  return failure ? { failure } : ABSENT_KEY;
}

function sameFailure(one: KeyFailure | undefined, other: KeyFailure | undefined): boolean {
  return one?.position === other?.position && one?.event === other?.event;
}

function same(one: FoldedKey, other: FoldedKey): boolean {
  if ('failure' in one) return 'failure' in other && sameFailure(one.failure, other.failure);
  return 'state' in other && isDeepStrictEqual(one.state, other.state);
}

function differenceOf(
  projection: string,
  key: string | undefined,
  replayed: FoldedKey,
  stored: FoldedKey,
): ReplayDifference {
  return Object.freeze({
    ...(key === undefined ? {} : { key }),
    ...('failure' in replayed
      ? { replayedFailure: failureOf(projection, key, replayed.failure) }
      : replayed.state === ABSENT
        ? {}
        : { replayed: replayed.state }),
    ...('failure' in stored
      ? { storedFailure: failureOf(projection, key, stored.failure) }
      : stored.state === ABSENT
        ? {}
        : { stored: stored.state }),
  });
}

/** What readers of the key are told. */
export function failureOf(
  projection: string,
  key: string | undefined,
  failure: KeyFailure,
): ProjectionFailedError {
  return new ProjectionFailedError({ projection, key, ...failure });
}
