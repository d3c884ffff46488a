/** The history of a key: its events, and what each of them changed. */
import { nextBatch, type SequenceWork } from '../log/event-sequence.js';
import { type Io, rest } from '../log/io.js';
import type { RecordedEvent } from '../log/types.js';
import { type Foldable, FoldFailure } from '../projections/fold.js';
import type { EventInterpreter } from '../projections/ports.js';
import type { ProjectionRuntime } from '../projections/projection.js';
import type { KeyFailure } from '../projections/states.js';
import { foldWithPatches } from './compare.js';
import type { JsonPatch } from './json-patch.js';

/** One event of a key, and what it changed. Deeply frozen. */
export interface HistoryEntry<Event = RecordedEvent> {
  /** With data of the newest shape that this program knows. */
  readonly event: Event;
  /** RFC 6902; empty when the event changed nothing. Applied one after the other, from nothing on, they make every state that the key had. */
  readonly patches: readonly JsonPatch[];
}

/** A projection whose past is looked at. */
export interface Audited {
  readonly runtime: ProjectionRuntime;
  readonly definition: Foldable;
  readonly interpreter: EventInterpreter;
}

/**
 * The key's events at positions `from` to `to`, which were routed. Costs those events, and the state before them.
 * @throws ProjectionFailedError behind the commits before the one at which the key, or the projection, stopped
 */
export function* historyOf(
  audited: Audited,
  key: string,
  from: number,
  to: number,
): SequenceWork<HistoryEntry> {
  const { runtime } = audited;
  let state = yield* runtime.stateAt(key, from - 1);
  const events = runtime.events(key, from, to);
  for (;;) {
    const stored = yield* nextBatch(events);
    if (!stored) return;
    const { entries, after, failure } = yield* foldCommits(audited, key, state, stored);
    if (entries.length > 0) yield entries;
    if (failure) throw runtime.failed(failure, key);
    state = after;
  }
}

interface Folded {
  readonly entries: readonly HistoryEntry[];
  readonly after: unknown;
  readonly failure?: KeyFailure;
}

/** Whole commits; nothing is told of the one that cannot be folded, as no state has ever been as of it. */
function* foldCommits(
  { definition, interpreter }: Audited,
  key: string,
  before: unknown,
  stored: readonly RecordedEvent[],
): Io<Folded> {
  const entries: HistoryEntry[] = [];
  let state = before;
  let position = 0;
  let whole = 0;
  for (const each of stored) {
    if (each.position !== position) {
      position = each.position;
      whole = entries.length;
    }
    try {
      const event = interpretedEvent(interpreter, each);
      const { after, patches } = foldWithPatches(definition, key, state, event);
      entries.push(Object.freeze({ event, patches }));
      state = after;
      // To compare two states takes as long as they are large.
      yield* rest();
    } catch (error) {
      if (!(error instanceof FoldFailure)) throw error;
      const failure = { position, event: each.id, cause: error.cause };
      return { entries: entries.slice(0, whole), after: undefined, failure };
    }
  }
  return { entries, after: state };
}

/** @throws FoldFailure: an event that cannot be understood cannot be folded */
export function interpretedEvent(
  interpreter: EventInterpreter,
  stored: RecordedEvent,
): RecordedEvent {
  try {
    return interpreter.interpret(stored);
  } catch (cause) {
    throw new FoldFailure(stored, cause);
  }
}
