/** What changed between two positions, key by key. */
import { nextBatch, type SequenceWork } from '../log/event-sequence.js';
import type { Outcome } from '../projections/key-reader.js';
import type { ProjectionRuntime } from '../projections/projection.js';
import type { KeyFailure } from '../projections/states.js';
import { diffStates, type StateDifference } from './compare.js';

/** How the state of one key differs between two moments. Frozen. */
export interface KeyDifference<State = unknown> extends StateDifference {
  readonly key: string;
  /** The state at the first of the two moments; missing when the key was absent. */
  readonly before?: State;
  /** The state at the second; missing when the key was absent. */
  readonly after?: State;
}

/** Keys looked at together: few at first, then more. */
const FIRST_KEYS = 16;
const KEYS_MAX = 512;

/**
 * Those of the keys, in their order, whose state differs. Both positions were routed; `from` may be the later one. The keys are those that may
 * have had an event between the two.
 * @throws ProjectionFailedError at a key that is stopped at one of them, behind the differences before it
 */
export function* differencesOf(
  runtime: ProjectionRuntime,
  keys: SequenceWork<string>,
  from: number,
  to: number,
): SequenceWork<KeyDifference> {
  const [low, high] = from <= to ? [from, to] : [to, from];
  let size = FIRST_KEYS;
  let waiting: readonly string[] = [];
  for (;;) {
    if (waiting.length === 0) waiting = (yield* nextBatch(keys)) ?? [];
    if (waiting.length === 0) return;
    const batch = waiting.slice(0, size);
    waiting = waiting.slice(size);
    const earlier = yield* runtime.outcomes(batch, low);
    // The later states are folded from the earlier ones, which the cache has now.
    const later = yield* runtime.outcomes(batch, high);
    const [before, after] = from <= to ? [earlier, later] : [later, earlier];
    const found: KeyDifference[] = [];
    for (const [index, key] of batch.entries()) {
      const states = [before[index] as Outcome, after[index] as Outcome] as const;
      const failure = failureOf(states);
      if (failure) {
        if (found.length > 0) yield found;
        throw runtime.failed(failure, key);
      }
      const difference = diffStates(stateOf(states[0]), stateOf(states[1]));
      if (difference.patches.length > 0) found.push(Object.freeze({ key, ...difference }));
    }
    if (found.length > 0) yield found;
    size = Math.min(2 * size, KEYS_MAX);
  }
}

function failureOf(outcomes: readonly Outcome[]): KeyFailure | undefined {
  for (const outcome of outcomes) if ('failure' in outcome) return outcome.failure;
  return undefined;
}

function stateOf(outcome: Outcome): unknown {
  return 'state' in outcome ? outcome.state : undefined;
}
