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

/** The state with the patches applied; `removed` when they take away the whole. */
export function revert<State>(draft: Draft<State>, { patches }: Reverted): State | typeof removed {
  const reverted = applyPatch(current(draft), patches);
  return reverted === ABSENT ? removed : (reverted as State);
}
