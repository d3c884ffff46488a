/** What undoing an event does to a state, the same for every model. */
import { ABSENT, applyPatch, type JsonPatch, removed } from '../store.js';

/** Data of the event that undoes another one. */
export interface Reverted {
  /** Id of the event that is undone. */
  readonly undoes: string;
  /** RFC 6902, of the state of the key. */
  readonly patches: readonly JsonPatch[];
}

/**
 * The state with the patches applied.
 * @param state - undefined when nothing is stored under the key
 * @throws PatchFailedError
 */
export function reverted<State>(
  state: State | undefined,
  patches: readonly JsonPatch[],
): State | typeof removed {
  const result = applyPatch(state === undefined ? ABSENT : state, patches);
  return result === ABSENT ? removed : (result as State);
}
