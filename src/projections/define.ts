/** Projections as a program declares them: pure folds of events into one state per key. */

import { createHash } from 'node:crypto';
import { type Draft, freeze } from 'immer';
import { invalidArgument, quote } from '../errors.js';
import { FORMAT } from '../log/format.js';
import { kindOf } from '../log/json.js';
import { checkName } from '../log/names.js';
import type { RecordedEvent } from '../log/types.js';
import {
  checkEvents,
  type Events,
  type OutputOf,
  type RecordedEventOf,
  type TypedEvent,
  type TypesOf,
} from './events.js';
import { Definitions } from './made.js';
import { removed } from './removed.js';
import {
  atOnce,
  checkDeclared,
  checkDefinitionName,
  checkFunction,
  checkMembers,
  checkObject,
  checkVersion,
} from './shape.js';

export { removed };

export type Removed = typeof removed;

/** What a handler may return: nothing when it changed the draft, a new state, or {@link removed}. */
export type HandlerResult<State> =
  | State
  | Draft<State>
  | Removed
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler without a return statement
  | void
  | undefined;

/** The event that a handler of that type gets. Plain when no types are declared, whatever the name. */
export type HandledEvent<E extends Events, Type extends TypesOf<E>> =
  string extends TypesOf<E> ? RecordedEvent : TypedEvent<Type, OutputOf<E, Type>>;

/** A fold step for each event type that matters. */
export type Handlers<State, E extends Events> = {
  readonly [Type in TypesOf<E>]?: (
    draft: Draft<State>,
    event: HandledEvent<E, Type>,
  ) => HandlerResult<State>;
};

/** What {@link defineProjection} takes. */
export interface ProjectionSpec<State, E extends Events = Events> {
  /** 1 to 200 bytes, no control characters, not beginning with '$'. One projection of a store has it. */
  readonly name: string;
  /** An integer from 1. Raise it when a handler, `key` or `initial` changes: states are then folded again from the log. */
  readonly version: number;
  /** The event types that handlers may name. Without it any name goes and `data` is unknown. */
  readonly events?: E | undefined;
  /**
   * The state of a key before its first event, or a function that gives it; never undefined. A value given here is frozen.
   * Annotate it where it says too little: `initial: (): Todo => ({ items: [] })`.
   */
  readonly initial: State | ((key: string) => State);
  /** The key, or keys, whose state the event changes; undefined for none. Default: the event's stream. */
  readonly key?:
    | ((event: NoInfer<RecordedEventOf<E>>) => string | readonly string[] | undefined)
    | undefined;
  /**
   * What each event does. A handler changes the Immer draft, or returns a new state, or {@link removed}. It is pure: the same draft
   * and event always give the same, so it asks no clock, no chance and no other state, and it does not wait.
   */
  readonly on: Handlers<NoInfer<State>, E>;
}

/** A fold step without its types: the draft is a draft of the state. */
export type Handler = (draft: unknown, event: RecordedEvent) => unknown;

/** A projection, checked and frozen. Hand it to `openStore`, and to every read. */
export interface Projection<State = unknown, E extends Events = Events> {
  readonly name: string;
  readonly version: number;
  readonly events?: E;
  /** The event types that it handles, sorted. */
  readonly types: readonly string[];
  /** No `key` was given: the key of an event is its stream. */
  readonly keyIsStream: boolean;
  /** SHA-256 (hex) of name, version, types and the store's format. Never of code: equal declarations are taken to fold alike. */
  readonly fingerprint: string;
  /**
   * The state before the first event of the key, deeply frozen.
   * @throws what `initial` throws; TypeError when it gives undefined or a promise
   */
  initialOf(key: string): State;
  /**
   * The keys that the event belongs to, each once; none is an empty list.
   * @throws what `key` throws; TypeError when it gives anything but non-empty well-formed strings
   */
  keysOf(event: RecordedEvent): readonly string[];
  handlerOf(type: string): Handler | undefined;
}

/** The state that a projection folds to. */
export type StateOf<P> = P extends { initialOf(key: string): infer State } ? State : never;

/** The event types that a projection was defined with. */
export type EventsOf<P> = P extends { readonly events?: infer E extends Events } ? E : never;

const MEMBERS = ['name', 'version', 'events', 'initial', 'key', 'on'] as const;
const NO_KEYS: readonly string[] = Object.freeze([]);

/** Identity of what a definition declares: what was saved by one is taken over by another only when it is the same. @internal */
export function fingerprintOf(...facts: readonly unknown[]): string {
  return createHash('sha256')
    .update(JSON.stringify([...facts, FORMAT]))
    .digest('hex');
}

function checkKey(key: unknown, where: () => string): asserts key is string {
  if (typeof key === 'string' && key.length > 0 && key.isWellFormed()) return;
  const what =
    typeof key !== 'string'
      ? kindOf(key)
      : key === ''
        ? 'an empty string'
        : 'a string with half a surrogate pair';
  throw invalidArgument(
    `${where()} must give a non-empty string, a list of them, or undefined for none, not ${what}`,
  );
}

function checkedKeys(keys: unknown, where: () => string): readonly string[] {
  if (keys === undefined) return NO_KEYS;
  if (!Array.isArray(keys)) {
    checkKey(keys, where);
    return [keys];
  }
  // By index, because a hole is undefined and a list of the caller's may change later.
  const list: string[] = [];
  for (let index = 0; index < keys.length; index += 1) {
    const key: unknown = keys[index];
    checkKey(key, where);
    list.push(key);
  }
  return list.length < 2 ? list : [...new Set(list)];
}

function handlersOf(on: unknown, what: string, events: Events | undefined): Map<string, Handler> {
  checkObject(on, `on of ${what}`);
  const handlers = new Map<string, Handler>();
  for (const [type, handler] of Object.entries(on)) {
    if (handler === undefined) continue;
    checkName(type, `an event type of ${what}`);
    if (events !== undefined) checkDeclared(type, events.types, `on of ${what}`);
    checkFunction(handler, `the handler of ${quote(type)} in ${what}`);
    handlers.set(type, handler as Handler);
  }
  if (handlers.size > 0) return handlers;
  throw invalidArgument(`on of ${what} is empty; give a function for at least one event type`);
}

/** A deeply frozen value that a state can be. */
function checkedState<State>(state: State, what: string): State {
  if (state === undefined) {
    throw invalidArgument(
      `initial of ${what} gave undefined; use null for a state that is nothing yet`,
    );
  }
  return freeze(atOnce(state, `initial of ${what}`), true);
}

const made = new Definitions<Projection>();

/** Whether `defineProjection` made it. */
export function isProjection(value: unknown): value is Projection {
  return made.has(value);
}

/** `defineProjection` that also takes the store's own names, which begin with '$'. @internal */
export function projectionOf<State, E extends Events = Events>(
  spec: ProjectionSpec<State, E>,
  internal: boolean,
): Projection<State, E> {
  checkMembers(spec, 'a projection', MEMBERS);
  // A copy: what is changed in the caller's object later has no effect.
  const own: ProjectionSpec<State, E> = { ...spec };
  const { name, version, initial, key } = own;
  const events: unknown = own.events;
  checkDefinitionName(name, 'the name of a projection', internal);
  const what = `the projection ${quote(name)}`;
  checkVersion(version, `version of ${what}`);
  checkEvents(events, `events of ${what}`);
  if (key !== undefined) checkFunction(key, `key of ${what}`);
  if (typeof initial === 'function') checkFunction(initial, `initial of ${what}`);
  else checkedState(initial, what);
  const handlers = handlersOf(own.on, what, events);
  const types = Object.freeze([...handlers.keys()].sort());

  const projection: Projection<State, E> = Object.freeze({
    name,
    version,
    ...(own.events === undefined ? {} : { events: own.events }),
    types,
    keyIsStream: key === undefined,
    fingerprint: fingerprintOf(name, version, types),
    initialOf:
      typeof initial === 'function'
        ? (of: string) => checkedState((initial as (key: string) => State)(of), what)
        : () => initial,
    keysOf:
      key === undefined
        ? (event: RecordedEvent) => [event.stream]
        : (event: RecordedEvent) =>
            checkedKeys(
              (key as (event: RecordedEvent) => unknown)(event),
              () => `key of ${what}, for event ${event.id},`,
            ),
    handlerOf: (type: string) => handlers.get(type),
  });
  made.add(projection as unknown as Projection);
  return projection;
}

/**
 * Declares a projection. Types follow from `events` and `initial`; write `initial` before `key` and `on` when it takes the key.
 *
 * ```ts
 * const counter = defineProjection({
 *   name: 'counter', version: 1, events,
 *   initial: { n: 0 },
 *   on: { 'counter.added': (draft, e) => { draft.n += e.data.by }, 'counter.dropped': () => removed },
 * });
 * ```
 * @throws TypeError for a member that is wrong, missing or unknown; LimitExceededError for a name beyond 200 bytes
 */
export function defineProjection<State, E extends Events = Events>(
  spec: ProjectionSpec<State, E>,
): Projection<State, E> {
  return projectionOf(spec, false);
}
