/** What undoing leaves in the log, and how a state goes back. */
import { current, type Draft, isDraft } from 'immer';
import { applyPatch, type JsonPatch, type Removed, removed } from '../store.js';

/** Data of every event that undoes another. */
export interface Reverted {
  /** Id of the event that is undone. */
  readonly undoes: string;
  /** RFC 6902, against the state before this event. */
  readonly patches: readonly JsonPatch[];
}

/** What patches make of a state, or a part of it, that is being folded; undefined when they remove it. */
export function patched<Part>(draft: Draft<Part>, patches: readonly JsonPatch[]): Part | undefined {
  const before = isDraft(draft) ? current(draft) : draft;
  return applyPatch(before, patches) as Part | undefined;
}

/** The handler of such events: the state with the patches applied. */
export function revert<State>(
  draft: Draft<State>,
  event: { readonly data: Reverted },
): State | Removed {
  const after = patched<State>(draft, event.data.patches);
  return after === undefined ? removed : after;
}

/** The state with the patches applied; `state` is undefined when nothing is stored under the key. @throws PatchFailedError */
export function reverted<State>(
  state: State | undefined,
  patches: readonly JsonPatch[],
): State | Removed {
  const after = applyPatch(state, patches) as State | undefined;
  return after === undefined ? removed : after;
}
