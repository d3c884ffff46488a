/** How models take back what an event did: by an event that holds patches of the state. */
import { current, type Draft } from 'immer';
import { ABSENT, applyPatch, type JsonPatch, removed } from '../store.js';

/** The data of every event that takes another one back. */
export interface Reverted {
  /** Id of the event whose doing is taken back. */
  readonly undoes: string;
  /** RFC 6902, against the state. */
  readonly patches: readonly JsonPatch[];
}

/** The handler of such events: the state with the patches applied; `removed` when they take away the whole. */
export function revert<State>(
  draft: Draft<State>,
  event: { readonly data: Reverted },
): State | typeof removed {
  const reverted = applyPatch(current(draft), event.data.patches);
  return reverted === ABSENT ? removed : (reverted as State);
}
