/** A large JSON value as small ones, each with its place in it, and back: whoever handles one after the other keeps nobody waiting. */

/** Where a piece belongs, from the outside in, and what it is; of one that others go into, an empty object or array. */
export type Piece = readonly [path: readonly (string | number)[], value: unknown];

/** Of a member beside its text. */
const MEMBER_CHARACTERS = 8;

/** Whether a value has about so many characters as JSON at most. Costs no more than those, and the names of its members. */
export function isSmall(value: unknown, charactersMax: number): boolean {
  return leftOf(value, charactersMax) >= 0;
}

/** What is left of so many characters; below 0 when it is not enough. */
function leftOf(value: unknown, characters: number): number {
  let left = characters - MEMBER_CHARACTERS;
  if (typeof value === 'string') return left - value.length;
  if (typeof value !== 'object' || value === null) return left;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length && left >= 0; index += 1) {
      left = leftOf(value[index], left);
    }
    return left;
  }
  for (const name in value) {
    if (left < 0) break;
    if (!Object.hasOwn(value, name)) continue;
    left = leftOf((value as Record<string, unknown>)[name], left - name.length);
  }
  return left;
}

/** The pieces of a value, what goes into others behind those. A text is never divided. */
export function* piecesOf(
  value: unknown,
  charactersMax: number,
  path: readonly (string | number)[] = [],
): Iterable<Piece> {
  if (typeof value !== 'object' || value === null || isSmall(value, charactersMax)) {
    yield [path, value];
    return;
  }
  if (Array.isArray(value)) {
    yield [path, []];
    for (const [index, part] of value.entries()) {
      yield* piecesOf(part, charactersMax, [...path, index]);
    }
    return;
  }
  yield [path, {}];
  for (const [name, part] of Object.entries(value)) {
    // JSON leaves it out.
    if (part !== undefined) yield* piecesOf(part, charactersMax, [...path, name]);
  }
}

function isOpen(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Object.isFrozen(value);
}

function belongsNowhere(): RangeError {
  return new RangeError('a piece of a value that was saved belongs nowhere');
}

/** Puts pieces together again. */
export class Whole {
  /** What others may go into; frozen at the end. */
  readonly #open: object[] = [];
  #value: unknown;

  /** @throws RangeError when there is nothing that it could go into */
  add(path: readonly (string | number)[], value: unknown): void {
    if (isOpen(value)) this.#open.push(value);
    const name = path.at(-1);
    if (name === undefined) {
      this.#value = value;
      return;
    }
    let into = this.#value;
    for (const each of path.slice(0, -1)) {
      if (!isOpen(into) || !Object.hasOwn(into, each)) throw belongsNowhere();
      into = (into as Record<string, unknown>)[each];
    }
    if (!isOpen(into)) throw belongsNowhere();
    // A member may be called `__proto__`.
    Object.defineProperty(into, name, {
      value,
      configurable: true,
      enumerable: true,
      writable: true,
    });
  }

  /** The value, deeply frozen if its pieces are. */
  end(): unknown {
    for (const each of this.#open) Object.freeze(each);
    return this.#value;
  }
}
