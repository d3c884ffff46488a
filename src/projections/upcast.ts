/** Upcasters: how data of an earlier schema version becomes data of the newest. */
import { invalidArgument, quote, UpcastFailedError } from '../errors.js';
import { deepFreeze } from '../log/decode.js';
import { jsonText } from '../log/json.js';
import { checkName } from '../log/names.js';
import type { RecordedEvent } from '../log/types.js';
import type { Events, TypesOf } from './events.js';
import { atOnce, checkDeclared, checkFunction, checkObject } from './shape.js';

/**
 * Gives data of the next version. It is pure, does not wait, and changes neither argument: `event` is as stored, deeply frozen.
 * Say what the earlier data was where it is used: `1: (data: { amount: number }) => ({ by: data.amount })`.
 */
export type Upcaster = {
  // As a method, so that the type of the data may be said: nothing but its author knows what it was.
  upcast(data: unknown, event: RecordedEvent): unknown;
}['upcast'];

/** For each event type, by the version that it begins with, from 1 and without gaps: 1 makes 2 of 1. */
export type Upcasters<E extends Events = Events> = {
  readonly [Type in TypesOf<E>]?: { readonly [fromVersion: number]: Upcaster } | undefined;
};

/** The upcasters of a type: the one at index 0 begins with version 1. */
export type UpcasterChain = readonly Upcaster[];

const VERSION = /^[1-9][0-9]{0,8}$/;

function chainOf(type: string, steps: unknown): UpcasterChain {
  const what = `the upcasters of ${quote(type)}`;
  checkObject(steps, what);
  const versions: number[] = [];
  const chain: Upcaster[] = [];
  // Keys that are integers come in ascending order.
  for (const [key, upcaster] of Object.entries(steps)) {
    if (upcaster === undefined) continue;
    if (!VERSION.test(key)) {
      throw invalidArgument(
        `${what}: ${quote(key)} is no schema version; use the integer that the upcaster begins with`,
      );
    }
    checkFunction(upcaster, `${what}: that from version ${key}`);
    versions.push(Number(key));
    chain.push(upcaster as Upcaster);
  }
  const missing = versions.findIndex((version, index) => version !== index + 1);
  if (missing >= 0) {
    throw invalidArgument(
      `${what}: there is one from version ${versions[missing]} but none from version ${missing + 1}; they must follow each other from 1`,
    );
  }
  return chain;
}

/**
 * The chain of each type.
 * @throws TypeError for a type that is not declared where types are, for a gap, and for anything but functions
 */
export function chainsOf(
  upcasters: unknown,
  events: Events | undefined,
): ReadonlyMap<string, UpcasterChain> {
  const chains = new Map<string, UpcasterChain>();
  if (upcasters === undefined) return chains;
  checkObject(upcasters, 'upcasters');
  for (const [type, steps] of Object.entries(upcasters)) {
    if (steps === undefined) continue;
    checkName(type, 'an event type of upcasters');
    if (events !== undefined) checkDeclared(type, events.types, 'upcasters');
    chains.set(type, chainOf(type, steps));
  }
  return chains;
}

function step(upcaster: Upcaster, data: unknown, event: RecordedEvent): unknown {
  const next = atOnce(upcaster(data, event), 'it');
  if (next === undefined) throw invalidArgument('it gave undefined; return the new data');
  return next;
}

/** What goes in must be data that could have been stored, and nobody else's to change: a copy made through JSON is both. */
function sealed(data: unknown): unknown {
  return deepFreeze(JSON.parse(jsonText(data, 'data', Number.POSITIVE_INFINITY)));
}

/**
 * The data of an event in the newest version, deeply frozen.
 * @throws UpcastFailedError
 */
export function upcast(chain: UpcasterChain, event: RecordedEvent): unknown {
  let { data } = event;
  let version = event.schemaVersion;
  try {
    for (; version <= chain.length; version += 1) {
      data = step(chain[version - 1] as Upcaster, data, event);
    }
    // What is wrong with the result is the doing of the last one.
    version = chain.length;
    return sealed(data);
  } catch (cause) {
    throw new UpcastFailedError({
      type: event.type,
      schemaVersion: version,
      event: event.id,
      cause,
    });
  }
}
