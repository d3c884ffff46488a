/** Event types that a program declares: a name for each, the type of its data, and a check where there is a schema. */

import { invalidArgument, quote } from '../errors.js';
import { kindOf } from '../log/json.js';
import type { NewEvent, RecordedEvent } from '../log/types.js';
import { Definitions, notMadeBy } from './made.js';
import { checkDefinitionName, checkObject } from './shape.js';
import {
  type InputOfSchema,
  isStandardSchema,
  type OutputOfSchema,
  type StandardSchema,
} from './standard-schema.js';

/** By symbol registry, so that two copies of this library in one program understand each other. */
export const carries: unique symbol = Symbol.for('recollect.event');

/** Says, to the type checker alone, what the data of an event type is. */
export interface EventToken<Data = unknown> {
  readonly [carries]: { readonly data: Data } | undefined;
}

/** Event types by name: `event<Data>()`, or any Standard Schema, which is also asked at run time. */
export type EventMap = Readonly<Record<string, EventToken | StandardSchema>>;

/** Declared event types. Frozen. Made by {@link defineEvents}. */
export interface Events<Map extends EventMap = EventMap> {
  /** As it was handed in; spread several of them to declare them together. Without a prototype. */
  readonly map: Map;
  /** The names, sorted. */
  readonly types: readonly string[];
}

/** The names of declared event types; `string` when none are declared. */
export type TypesOf<E extends Events> = keyof E['map'] & string;

/** What may be appended as data of the type: what its schema takes. */
export type InputOf<
  E extends Events,
  Type extends TypesOf<E>,
> = E['map'][Type] extends infer Declared
  ? Declared extends EventToken<infer Data>
    ? Data
    : Declared extends StandardSchema
      ? InputOfSchema<Declared>
      : never
  : never;

/** What is read as data of the type: what its schema gives. */
export type OutputOf<
  E extends Events,
  Type extends TypesOf<E>,
> = E['map'][Type] extends infer Declared
  ? Declared extends EventToken<infer Data>
    ? Data
    : Declared extends StandardSchema
      ? OutputOfSchema<Declared>
      : never
  : never;

/** A recorded event of one type. */
export interface TypedEvent<Type extends string, Data> extends RecordedEvent {
  readonly type: Type;
  readonly data: Data;
}

/** An event of one type to be appended. */
export interface TypedNewEvent<Type extends string, Data> extends NewEvent {
  readonly type: Type;
  readonly data: Data;
}

/** What a store with these event types gives: one of them, told apart by `type`. Plain `RecordedEvent` when none are declared. */
export type RecordedEventOf<
  E extends Events,
  Type extends TypesOf<E> = TypesOf<E>,
> = string extends Type
  ? RecordedEvent
  : { [Each in Type]: TypedEvent<Each, OutputOf<E, Each>> }[Type];

/** What a store with these event types takes. Plain `NewEvent` when none are declared. */
export type NewEventOf<E extends Events, Type extends TypesOf<E> = TypesOf<E>> = string extends Type
  ? NewEvent
  : { [Each in Type]: TypedNewEvent<Each, InputOf<E, Each>> }[Type];

const TOKEN: EventToken = Object.freeze({ [carries]: undefined });

/** Declares the type of an event's data. Nothing is checked at run time: give a schema instead for that. */
export function event<Data>(): EventToken<Data> {
  return TOKEN as EventToken<Data>;
}

function isToken(value: unknown): value is EventToken {
  return typeof value === 'object' && value !== null && carries in value;
}

function checkToken(value: unknown, type: string): void {
  if (isToken(value) || isStandardSchema(value)) return;
  const what = `the event type ${quote(type)} must be event<Data>() or a Standard Schema`;
  if (value === event) throw invalidArgument(`${what}: call event, with ()`);
  throw invalidArgument(`${what}, not ${kindOf(value)}`);
}

const made = new Definitions<Events>();

/** Whether `defineEvents` made it. */
export function isEvents(value: unknown): value is Events {
  return made.has(value);
}

/** @throws TypeError unless it is undefined or made by `defineEvents` */
export function checkEvents(value: unknown, what: string): asserts value is Events | undefined {
  if (value === undefined || isEvents(value)) return;
  throw invalidArgument(`${what} ${notMadeBy('defineEvents', value)}`);
}

/** `defineEvents` that also takes the store's own names, which begin with '$'. @internal */
export function eventsOf<Map extends EventMap>(map: Map, internal: boolean): Events<Map> {
  checkObject(map, 'the map of event types');
  const own: Record<string, EventToken | StandardSchema> = Object.create(null);
  const types: string[] = [];
  for (const [type, token] of Object.entries(map)) {
    checkDefinitionName(type, 'the event type', internal);
    checkToken(token, type);
    own[type] = token;
    types.push(type);
  }
  if (types.length === 0) throw invalidArgument('declare at least one event type');
  const events = Object.freeze({
    map: Object.freeze(own) as Map,
    types: Object.freeze(types.sort()),
  });
  made.add(events);
  return events;
}

/**
 * Declares event types: a token that carries their types, and their schemas where given, to the store and to projections.
 *
 * A store that is opened with it refuses events of other types, and data that a schema refuses; it keeps what the schema gives.
 * @throws TypeError for a name that is empty, begins with '$' or has control characters, and for anything but `event<Data>()` or a
 * Standard Schema; LimitExceededError for a name beyond 200 bytes
 */
export function defineEvents<Map extends EventMap>(map: Map): Events<Map> {
  return eventsOf(map, false);
}
