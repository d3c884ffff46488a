/** Folds a key on by some of its events. A failure is a result here: the key stops at the commit of the event that failed. */
import type { RecordedEvent } from '../log/types.js';
import type { EventInterpreter, Folding, RuntimeDefinition } from './ports.js';
import type { KeyFailure, KeyState } from './states.js';

export interface KeyFolder {
  readonly definition: RuntimeDefinition;
  readonly interpreter: EventInterpreter;
  readonly folding: Folding;
}

function failureAt(event: RecordedEvent, cause: unknown): KeyFailure {
  return { position: event.position, event: event.id, cause };
}

function interpretAll(
  interpreter: EventInterpreter,
  stored: readonly RecordedEvent[],
): { events: RecordedEvent[]; failure: KeyFailure | undefined } {
  const events: RecordedEvent[] = [];
  for (const event of stored) {
    try {
      events.push(interpreter.interpret(event));
    } catch (cause) {
      return { events, failure: failureAt(event, cause) };
    }
  }
  return { events, failure: undefined };
}

/**
 * @param stored - the key's next events, as stored, of whole commits
 * @returns the state behind the last of them, or behind the commit before the one that failed
 */
export function foldKey(
  { definition, interpreter, folding }: KeyFolder,
  key: string,
  before: KeyState,
  stored: readonly RecordedEvent[],
): KeyState {
  let { events, failure } = interpretAll(interpreter, stored);
  for (;;) {
    const stop = failure?.position;
    if (stop !== undefined) events = events.filter(({ position }) => position < stop);
    const last = events.at(-1);
    if (!last) return { state: before.state, position: before.position, failure };
    try {
      const state = folding.fold(definition, key, before.state, events);
      return { state, position: last.position, failure };
    } catch (error) {
      const thrown = folding.failureOf(error);
      if (!thrown) throw error;
      failure = failureAt(thrown.event, thrown.cause);
    }
  }
}
