/**
 * Patches of RFC 6902 (JSON Patch) on pointers of RFC 6901. Patches may come from anywhere: a name such as `__proto__` is a member like any other.
 */
import { type JsonPatch, PatchFailedError, quote } from '../errors.js';
import { setMember } from '../projections/state-value.js';
import { sameJson } from './json-view.js';

export type { JsonPatch };

/** The pointer of a member or element of what stands at `path`. */
export function pointerTo(path: string, key: string | number): string {
  if (typeof key === 'number') return `${path}/${key}`;
  const escaped = /[~/]/.test(key) ? key.replaceAll('~', '~0').replaceAll('/', '~1') : key;
  return `${path}/${escaped}`;
}

/** The names and indices on the way that a pointer describes; undefined when it is no pointer. */
export function stepsOf(pointer: unknown): string[] | undefined {
  if (pointer === '') return [];
  if (typeof pointer !== 'string' || !pointer.startsWith('/')) return undefined;
  if (/~(?![01])/.test(pointer)) return undefined;
  const steps = pointer.slice(1).split('/');
  return steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The index that a step names in an array of that length; undefined when it names none. `-` is the place behind the last element. */
export function indexOf(step: string, length: number): number | undefined {
  if (step === '-') return length;
  return /^(?:0|[1-9]\d{0,15})$/.test(step) ? Number(step) : undefined;
}

/**
 * The value with the patches applied in order, all of them or none.
 *
 * The value must be JSON, or undefined for none, as an absent key has; it is not changed, and frozen parts that no patch touches are shared with
 * the result (so they must be deeply frozen, as everything is that comes from a store). The patches are neither kept nor frozen. The result is
 * deeply frozen; it is undefined when the whole was removed.
 *
 * @throws PatchFailedError
 */
export function applyPatch(value: unknown, patches: readonly JsonPatch[]): unknown {
  const patching = new Patching(value);
  for (let index = 0; index < patches.length; index += 1) {
    const operation = patches[index] as JsonPatch;
    try {
      patching.apply(operation);
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      throw new PatchFailedError(index, operation, error.message);
    }
  }
  return patching.result();
}

/** Why an operation cannot be carried out, in words. */
class Misfit extends Error {}

type Members = Record<string, unknown>;

class Patching {
  #root: unknown;
  /** Containers that this call made: they alone may be changed in place. */
  readonly #own = new WeakSet<object>();

  constructor(value: unknown) {
    this.#root = value;
  }

  apply(operation: JsonPatch): void {
    if (typeof operation !== 'object' || operation === null) throw new Misfit('it is no operation');
    const { op, path } = operation;
    const steps = parse(path, 'path');
    switch (op) {
      case 'add':
        this.#add(steps, this.#copy(given(operation)));
        break;
      case 'remove':
        this.#remove(steps);
        break;
      case 'replace':
        this.#replace(steps, this.#copy(given(operation)));
        break;
      case 'test':
        if (sameJson(this.#get(steps), given(operation))) break;
        throw new Misfit('another value stands there');
      case 'copy':
        this.#add(steps, this.#copy(this.#get(parse(operation.from, 'from'))));
        break;
      case 'move':
        this.#move(parse(operation.from, 'from'), steps);
        break;
      default:
        throw new Misfit('there is no such operation');
    }
  }

  result(): unknown {
    return this.#freeze(this.#root);
  }

  #move(from: readonly string[], to: readonly string[]): void {
    const value = this.#get(from);
    const within = from.length <= to.length && from.every((step, index) => step === to[index]);
    if (within && from.length === to.length) return;
    if (within) throw new Misfit('a value cannot be moved into itself');
    this.#remove(from);
    this.#add(to, value);
  }

  #add(steps: readonly string[], value: unknown): void {
    const last = steps.at(-1);
    if (last === undefined) {
      this.#root = value;
      return;
    }
    const parent = this.#ownParent(steps);
    if (!Array.isArray(parent)) {
      setMember(parent, last, value);
      return;
    }
    const index = indexOf(last, parent.length);
    if (index === undefined || index > parent.length) throw noElement(last, parent.length);
    parent.splice(index, 0, value);
  }

  #remove(steps: readonly string[]): void {
    this.#get(steps);
    const last = steps.at(-1);
    if (last === undefined) {
      this.#root = undefined;
      return;
    }
    const parent = this.#ownParent(steps);
    if (Array.isArray(parent)) parent.splice(Number(last), 1);
    else delete (parent as Members)[last];
  }

  #replace(steps: readonly string[], value: unknown): void {
    this.#get(steps);
    const last = steps.at(-1);
    if (last === undefined) this.#root = value;
    else setMember(this.#ownParent(steps), last, value);
  }

  /** What stands at the end of the way. */
  #get(steps: readonly string[]): unknown {
    if (this.#root === undefined) throw new Misfit('there is no value');
    return steps.reduce<unknown>((value, step) => part(value, step), this.#root);
  }

  /** The container that holds the last step, after everything on the way to it became ours. */
  #ownParent(steps: readonly string[]): object {
    if (this.#root === undefined) throw new Misfit('there is no value');
    this.#root = this.#owned(this.#root);
    let parent = container(this.#root);
    for (const step of steps.slice(0, -1)) {
      const child = this.#owned(part(parent, step));
      setMember(parent, step, child);
      parent = container(child);
    }
    return parent;
  }

  #owned(value: unknown): unknown {
    if (typeof value !== 'object' || value === null || this.#own.has(value)) return value;
    const copy = Array.isArray(value) ? [...value] : { ...container(value) };
    this.#own.add(copy);
    return copy;
  }

  /** A deep copy of ours. */
  #copy(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    const copy = this.#fresh(value);
    for (const key of Object.keys(copy)) setMember(copy, key, this.#copy((copy as Members)[key]));
    return copy;
  }

  #fresh(value: object): object {
    const copy = Array.isArray(value) ? [...value] : { ...container(value) };
    this.#own.add(copy);
    return copy;
  }

  #freeze(value: unknown): unknown {
    if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
    const own = this.#own.has(value) ? value : this.#fresh(value);
    for (const key of Object.keys(own)) setMember(own, key, this.#freeze((own as Members)[key]));
    return Object.freeze(own);
  }
}

function parse(pointer: unknown, name: string): string[] {
  const steps = stepsOf(pointer);
  if (steps === undefined) {
    throw new Misfit(
      `${name} is no JSON pointer; it is '' or begins with '/', ~0 is ~ and ~1 is /`,
    );
  }
  return steps;
}

function given(operation: object): unknown {
  const { value } = operation as { value?: unknown };
  if (value === undefined) throw new Misfit('it has no value');
  return value;
}

function container(value: unknown): object {
  if (typeof value !== 'object' || value === null) {
    throw new Misfit('it leads into what is neither an object nor an array');
  }
  if (value instanceof Map || value instanceof Set) {
    throw new Misfit('it leads into a Map or Set; patches apply to JSON');
  }
  return value;
}

function part(value: unknown, step: string): unknown {
  const whole = container(value);
  if (Array.isArray(whole)) {
    const index = indexOf(step, whole.length);
    if (index === undefined || index >= whole.length) throw noElement(step, whole.length);
    return whole[index];
  }
  if (!Object.hasOwn(whole, step)) throw new Misfit(`there is no member ${quote(step)}`);
  return (whole as Members)[step];
}

function noElement(step: string, length: number): Misfit {
  return new Misfit(`there is no element ${quote(step)} in an array of ${length}`);
}
