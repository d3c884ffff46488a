/**
 * From events to a state: pure, without I/O, and the same whether the events come in one call or one by one.
 *
 * Promised:
 * - `before` is never changed; what did not change of it is part of the result as the very same object; the result is deeply frozen, Map and
 *   Set included.
 * - What a projection gives as its initial state is copied, never frozen or changed. As long as it gives the same object, that object is copied
 *   once (changes that its owner makes later go unseen) and keys share the copy.
 * - One Immer draft serves many events. A draft of its own is given to an event when one before it assigned an object into the draft (see
 *   drafts.ts), and to the handlers that are known to return states. So `original(draft)` may be older than the event before.
 *
 * Expected of handlers: that they are pure. One may be called again for an event that it was called for, when only its answer tells that it
 * needs a draft of its own.
 */
import { isModified } from 'immer';
import type { RecordedEvent } from '../log/types.js';
import { closeDraft, isShareable, type OpenDraft, openDraft } from './drafts.js';
import { removed } from './removed.js';
import { freezeState, frozenCopy, refusePromise, withoutDrafts } from './state-value.js';

/** No state: never written, or removed. */
export const ABSENT: unique symbol = Symbol('recollect.absent');

/**
 * Changes the draft and returns nothing (or the draft), or leaves the draft alone and returns the next state, which may hold pieces of the
 * draft, or returns `removed`. A state that is a number, text, boolean or null is handed over as it is: only what is returned counts.
 */
export type Handler = (draft: unknown, event: RecordedEvent) => unknown;

/** What folding needs to know of a projection. */
export interface Foldable {
  readonly name: string;
  initialOf(key: string): unknown;
  /** Undefined for events that leave the state as it is. The same function for the same type, each time. */
  handlerOf(type: string): Handler | undefined;
}

/** A handler threw for an event, or made what no state can be made of. The key cannot be folded any further. */
export class FoldFailure extends Error {
  readonly event: RecordedEvent;

  constructor(event: RecordedEvent, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`the handler of ${event.type} failed for event ${event.id}: ${reason}`, { cause });
    this.name = 'FoldFailure';
    this.event = event;
  }
}

/**
 * The state after the events, oldest first; `before` is a state that came out of a fold, or ABSENT.
 * @throws FoldFailure
 */
export function fold(
  projection: Foldable,
  key: string,
  before: unknown,
  events: readonly RecordedEvent[],
): unknown {
  try {
    const folding = new Folding(projection, key, before);
    for (let index = 0; index < events.length; ) {
      index = folding.take(events[index] as RecordedEvent, index);
    }
    return folding.end();
  } catch (error) {
    const [only, second] = events;
    if (error instanceof FoldFailure || only === undefined) throw error;
    // Found where a draft was closed, which may be many events after the one that is to blame.
    if (second === undefined) throw new FoldFailure(only, error);
    return foldOneByOne(projection, key, before, events);
  }
}

/** Slow; finds the event that put something into the state that cannot be there. */
function foldOneByOne(
  projection: Foldable,
  key: string,
  before: unknown,
  events: readonly RecordedEvent[],
): unknown {
  return events.reduce((state, event) => fold(projection, key, state, [event]), before);
}

/** Whether a handler returns nothing, as far as was seen. Only such a handler takes over a draft that earlier events changed. */
const returnsNothing = new WeakMap<Handler, boolean>();

/** The last initial state that a projection gave, and our copy. */
const initials = new WeakMap<Foldable, { readonly given: unknown; readonly copy: unknown }>();

function initialState(projection: Foldable, key: string): unknown {
  const given = projection.initialOf(key);
  const last = initials.get(projection);
  if (last !== undefined && last.given === given) return last.copy;
  if (given === undefined) {
    throw new TypeError(`the initial state of ${projection.name} is undefined. Use null.`);
  }
  const copy = frozenCopy(given);
  initials.set(projection, { given, copy });
  return copy;
}

class Folding {
  readonly #projection: Foldable;
  readonly #key: string;
  /** Deeply frozen: what of it is part of the state at the end needs no look. */
  #frozen: unknown;
  /** Not yet frozen. While a draft is open: as of #start. */
  #state: unknown;
  #open: OpenDraft | undefined;
  /** Index of the first event that the open draft took. */
  #start = 0;

  constructor(projection: Foldable, key: string, before: unknown) {
    this.#projection = projection;
    this.#key = key;
    this.#frozen = before;
    this.#state = before;
  }

  /** Folds one event and says which index comes next: an earlier one when events must be folded again, some with a draft of their own. */
  take(event: RecordedEvent, index: number): number {
    const handler = this.#projection.handlerOf(event.type);
    if (handler === undefined) return index + 1;
    this.#prepare(handler, event, index);
    const shared = this.#open !== undefined && this.#start < index;
    const draft = this.#open === undefined ? this.#state : this.#open.draft;
    try {
      const returned = handler(draft, event);
      if (returned === undefined || returned === draft) {
        if (!returnsNothing.has(handler)) returnsNothing.set(handler, true);
      } else if (returned === removed) {
        this.#open = undefined;
        this.#state = ABSENT;
      } else {
        refusePromise(returned);
        returnsNothing.set(handler, false);
        if (shared) {
          // Whether this event changed the draft cannot be told from what earlier ones did to it.
          this.#open = undefined;
          return this.#start;
        }
        this.#replace(returned);
      }
    } catch (error) {
      throw new FoldFailure(event, error);
    }
    if (this.#open !== undefined && !isShareable(this.#open)) this.#close();
    return index + 1;
  }

  end(): unknown {
    this.#close();
    const state = this.#state;
    if (state !== this.#frozen && state !== ABSENT) freezeState(state, this.#frozen);
    return state;
  }

  /** Sees to it that there is a state, and an open draft when it can be drafted; an untouched one when the handler needs that. */
  #prepare(handler: Handler, event: RecordedEvent, index: number): void {
    if (this.#open !== undefined) {
      if (returnsNothing.get(handler) === true) return;
      this.#close();
    }
    if (this.#state === ABSENT) this.#begin(event);
    if (typeof this.#state !== 'object' || this.#state === null) return;
    this.#open = openDraft(this.#state);
    this.#start = index;
  }

  #begin(event: RecordedEvent): void {
    try {
      this.#state = initialState(this.#projection, this.#key);
    } catch (error) {
      throw new FoldFailure(event, error);
    }
    if (this.#frozen === ABSENT) this.#frozen = this.#state;
  }

  #replace(returned: unknown): void {
    if (this.#open !== undefined && isModified(this.#open.draft)) {
      throw new TypeError(
        'the handler changed its draft and returned something else as well. Do one of the two; an arrow function returns nothing when its body stands in braces.',
      );
    }
    this.#state = withoutDrafts(returned);
    this.#open = undefined;
  }

  #close(): void {
    if (this.#open === undefined) return;
    this.#state = closeDraft(this.#open);
    this.#open = undefined;
  }
}
