/**
 * Which event last set each part of a state, told from the patches alone.
 *
 * Promised: a value that no event changed keeps its event, also when the array element that holds it moves because others are added or removed
 * before it. Of elements that an event puts into another order, those that the diff keeps in place (the longest run that is still in order) keep
 * their events, the others count as set by that event. Setting a value to what it was changes nothing.
 */
import type { RecordedEvent } from '../log/types.js';
import { indexOf, type JsonPatch, pointerTo, stepsOf } from './json-patch.js';

/** What one event did to a key. */
export interface BlameStep {
  readonly event: RecordedEvent;
  readonly patches: readonly JsonPatch[];
}

/** A value of the state that holds no others, or an empty object or array, and the event that it comes from. */
export interface BlameEntry<Event = RecordedEvent> {
  /** A JSON pointer. */
  readonly path: string;
  readonly value: unknown;
  /** The last one that set it; for an empty object or array, the last that set or emptied it. */
  readonly event: Event;
}

/** A part of the state together with where it comes from. */
interface Origin {
  event: RecordedEvent;
  readonly parts: Map<string, Origin> | Origin[] | undefined;
  /** Of a part without parts. */
  readonly value: unknown;
}

/** Takes steps one by one, oldest first and none left out; keeps no more of them than the state has parts. */
export class Blaming {
  #root: Origin | undefined;

  /** @throws TypeError when a patch does not fit what the ones before it made */
  take({ event, patches }: BlameStep): void {
    for (const patch of patches) this.#root = applyTo(this.#root, patch, event);
  }

  /**
   * The leaves of the state that the steps led to, sorted by path: members by UTF-16 code units, elements by index. Empty when the state is
   * absent.
   */
  entries(): readonly BlameEntry[] {
    const entries: BlameEntry[] = [];
    if (this.#root !== undefined) collect(this.#root, '', entries);
    return Object.freeze(entries);
  }
}

/** The leaves of the state that the steps lead to. @throws TypeError as {@link Blaming.take} */
export function blame(steps: Iterable<BlameStep>): readonly BlameEntry[] {
  const blaming = new Blaming();
  for (const step of steps) blaming.take(step);
  return blaming.entries();
}

function originOf(value: unknown, event: RecordedEvent): Origin {
  if (Array.isArray(value)) {
    return { event, value: undefined, parts: value.map((part) => originOf(part, event)) };
  }
  if (typeof value !== 'object' || value === null) return { event, value, parts: undefined };
  const parts = new Map<string, Origin>();
  for (const [key, part] of Object.entries(value)) parts.set(key, originOf(part, event));
  return { event, value: undefined, parts };
}

/** The root after one patch. */
function applyTo(
  root: Origin | undefined,
  patch: JsonPatch,
  event: RecordedEvent,
): Origin | undefined {
  switch (patch.op) {
    case 'add':
      return put(root, patch, originOf(patch.value, event), event, true);
    case 'replace':
      return put(root, patch, originOf(patch.value, event), event, false);
    case 'remove':
      return take(root, patch, patch.path, event);
    case 'copy': {
      const copied = originOf(valueAt(find(root, patch, patch.from)), event);
      return put(root, patch, copied, event, true);
    }
    case 'move': {
      const moved = find(root, patch, patch.from);
      return put(take(root, patch, patch.from, event), patch, moved, event, true);
    }
    case 'test':
      return root;
  }
}

function misfit(patch: JsonPatch): never {
  throw new TypeError(
    `a patch (${patch.op} ${patch.path}) does not fit the state that the steps before it lead to: blame needs all steps from the first`,
  );
}

function find(root: Origin | undefined, patch: JsonPatch, path: string): Origin {
  let origin = root;
  for (const step of stepsOf(path) ?? misfit(patch)) {
    const parts: Origin['parts'] = origin?.parts;
    origin = Array.isArray(parts) ? parts[indexOf(step, parts.length) ?? -1] : parts?.get(step);
  }
  return origin ?? misfit(patch);
}

function parentOf(
  root: Origin | undefined,
  patch: JsonPatch,
  path: string,
): [Origin, string] | undefined {
  const steps = stepsOf(path) ?? misfit(patch);
  const last = steps.pop();
  if (last === undefined) return undefined;
  return [find(root, patch, steps.reduce<string>(pointerTo, '')), last];
}

function put(
  root: Origin | undefined,
  patch: JsonPatch,
  origin: Origin,
  event: RecordedEvent,
  isAdded: boolean,
): Origin {
  const place = parentOf(root, patch, patch.path);
  if (place === undefined) return origin;
  const [{ parts }, last] = place;
  place[0].event = event;
  if (Array.isArray(parts)) {
    const index = indexOf(last, parts.length) ?? misfit(patch);
    if (index >= parts.length + (isAdded ? 1 : 0)) misfit(patch);
    parts.splice(index, isAdded ? 0 : 1, origin);
  } else {
    (parts ?? misfit(patch)).set(last, origin);
  }
  return root as Origin;
}

function take(
  root: Origin | undefined,
  patch: JsonPatch,
  path: string,
  event: RecordedEvent,
): Origin | undefined {
  find(root, patch, path);
  const place = parentOf(root, patch, path);
  if (place === undefined) return undefined;
  const [{ parts }, last] = place;
  place[0].event = event;
  if (Array.isArray(parts)) parts.splice(Number(last), 1);
  else parts?.delete(last);
  return root;
}

function valueAt({ parts, value }: Origin): unknown {
  if (parts === undefined) return value;
  if (Array.isArray(parts)) return parts.map(valueAt);
  return Object.fromEntries([...parts].map(([key, part]) => [key, valueAt(part)]));
}

const EMPTY_OBJECT = Object.freeze({});
const EMPTY_ARRAY = Object.freeze([]);

function collect({ parts, value, event }: Origin, path: string, entries: BlameEntry[]): void {
  if (parts === undefined) {
    entries.push(Object.freeze({ path, value, event }));
  } else if (Array.isArray(parts)) {
    if (parts.length === 0) entries.push(Object.freeze({ path, value: EMPTY_ARRAY, event }));
    for (const [index, part] of parts.entries()) collect(part, pointerTo(path, index), entries);
  } else {
    if (parts.size === 0) entries.push(Object.freeze({ path, value: EMPTY_OBJECT, event }));
    for (const key of [...parts.keys()].sort()) {
      collect(parts.get(key) as Origin, pointerTo(path, key), entries);
    }
  }
}
