/**
 * From events to a state: pure, without I/O, and the same whether the events come in one call or one by one.
 *
 * Promised:
 * - `before` is never changed; what did not change of it is part of the result as the very same object; the result is deeply frozen, Map and
 *   Set included.
 * - What a projection gives as its initial state is copied, never frozen or changed. As long as it gives the same object, that object is copied
 *   once (changes that its owner makes later go unseen) and keys share the copy.
 * - A state that is a small object of primitives is folded as a copy that handlers change, any other with Immer's drafts (see flat.ts).
 * - One Immer draft serves many events. A draft of its own is given to an event when one before it assigned an object into the draft (see
 *   drafts.ts), and to the handlers that are known to return states. So `original(draft)` may be older than the event before.
 *
 * Expected of handlers: that they are pure. One may be called again for an event that it was called for, when only its answer tells that it
 * needs a draft, or one of its own.
 */
import { isModified } from 'immer';
import type { RecordedEvent } from '../log/types.js';
import { closeDraft, isShareable, type OpenDraft, openDraft } from './drafts.js';
import { changedOrSame, flatCopy, isFlat, isSameKind } from './flat.js';
import { removed } from './removed.js';
import {
  abandonPromise,
  freezeState,
  frozenCopy,
  refusePromise,
  withoutDrafts,
} from './state-value.js';

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

/** A fold whose events come one by one; what it takes and gives is that of {@link fold}. */
export class OpenFold {
  readonly #folding: Folding;
  #count = 0;

  constructor(projection: Foldable, key: string, before: unknown) {
    this.#folding = new Folding(projection, key, before);
  }

  /** False when a handler's answer makes it necessary to fold earlier events again: of no use any more. @throws FoldFailure */
  take(event: RecordedEvent): boolean {
    const index = this.#count;
    this.#count += 1;
    const next = this.#folding.take(event, index);
    // Only this event again, with a draft of its own.
    return (next === index ? this.#folding.take(event, index) : next) === this.#count;
  }

  /** @throws TypeError for a state that cannot be, without a word on which event is to blame */
  end(): unknown {
    return this.#folding.end();
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

/** Handlers that threw for a copy, perhaps because they asked Immer about a draft. */
const wantsDraft = new WeakSet<Handler>();

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
  /** Not yet frozen. While a draft or a copy is open: as of #start. */
  #state: unknown;
  #open: OpenDraft | undefined;
  /** A copy of the state, which handlers change as they would a draft. */
  #flat: object | undefined;
  /** The last handler, if it returned nothing: mostly that of the next event, too. */
  #silent: Handler | undefined;
  /** Index of the first event that the open draft or copy took. */
  #start = 0;
  /** Index of an event that must have a draft. */
  #drafted = -1;

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
    if (this.#flat !== undefined) return this.#takeFlat(this.#flat, handler, event, index);
    const shared = this.#open !== undefined && this.#start < index;
    const draft = this.#open === undefined ? this.#state : this.#open.draft;
    try {
      const returned = handler(draft, event);
      if (returned === undefined || returned === draft) {
        if (handler !== this.#silent) this.#noteSilent(handler);
      } else if (returned === removed) {
        this.#open = undefined;
        this.#state = ABSENT;
      } else {
        refusePromise(returned);
        returnsNothing.set(handler, false);
        this.#silent = undefined;
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

  /** The same with a copy. What surprises in any way is done again with a draft, from the first event that the copy took. */
  #takeFlat(flat: object, handler: Handler, event: RecordedEvent, index: number): number {
    let returned: unknown;
    try {
      returned = handler(flat, event);
    } catch {
      wantsDraft.add(handler);
      this.#flat = undefined;
      this.#silent = undefined;
      return this.#again();
    }
    if (returned === undefined || returned === flat) {
      if (handler !== this.#silent) this.#noteSilent(handler);
      if (isFlat(flat) && isSameKind(flat, this.#state as object)) return index + 1;
      wantsDraft.add(handler);
      this.#flat = undefined;
      return this.#again();
    }
    this.#flat = undefined;
    if (returned === removed) {
      this.#state = ABSENT;
      return index + 1;
    }
    this.#silent = undefined;
    returnsNothing.set(handler, false);
    abandonPromise(returned);
    return this.#again();
  }

  /** Back to where the copy began, with a draft this time: otherwise a handler that nothing is known of could be asked without end. */
  #again(): number {
    this.#drafted = this.#start;
    return this.#start;
  }

  end(): unknown {
    this.#close();
    const state = this.#state;
    if (state !== this.#frozen && state !== ABSENT) freezeState(state, this.#frozen);
    return state;
  }

  /** Sees to it that there is a state, and an open draft when it can be drafted; an untouched one when the handler needs that. */
  #prepare(handler: Handler, event: RecordedEvent, index: number): void {
    if (this.#open !== undefined || this.#flat !== undefined) {
      if (handler === this.#silent) return;
      const fits = this.#flat === undefined || !wantsDraft.has(handler);
      if (fits && returnsNothing.get(handler) === true) return;
      this.#close();
    }
    if (this.#state === ABSENT) this.#begin(event);
    if (typeof this.#state !== 'object' || this.#state === null) return;
    this.#start = index;
    const takesCopy =
      index !== this.#drafted && returnsNothing.get(handler) !== false && !wantsDraft.has(handler);
    if (takesCopy) this.#flat = flatCopy(this.#state);
    if (this.#flat === undefined) this.#open = openDraft(this.#state);
  }

  #begin(event: RecordedEvent): void {
    try {
      this.#state = initialState(this.#projection, this.#key);
    } catch (error) {
      throw new FoldFailure(event, error);
    }
    if (this.#frozen === ABSENT) this.#frozen = this.#state;
  }

  #noteSilent(handler: Handler): void {
    if (!returnsNothing.has(handler)) returnsNothing.set(handler, true);
    if (returnsNothing.get(handler) === true) this.#silent = handler;
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
    if (this.#flat !== undefined) {
      this.#state = changedOrSame(this.#flat, this.#state as object);
      this.#flat = undefined;
    } else if (this.#open !== undefined) {
      this.#state = closeDraft(this.#open);
      this.#open = undefined;
    }
  }
}
