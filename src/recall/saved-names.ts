/** The names in a saved index: each stands once, with a number in order of its first use, in parts of bounded size. */

/** Takes a part. Each name comes once; the bytes are valid during the call only. */
export type WritePart = (part: string, bytes: Uint8Array) => void;

/** Gives the bytes of a part. @throws when there is none of that name */
export type ReadPart = (part: string) => Uint8Array;

/** What there is of each kind of names. */
export interface Numbered<T> {
  readonly terms: T;
  readonly sessions: T;
  readonly speakers: T;
  readonly lives: T;
}

/** So many names are written or read in a millisecond or two. */
const NAMES_IN_PART = 2048;
const NONE = -1;

/** Gives names numbers, and writes them. */
export class Names {
  readonly #part: string;
  readonly #nameOf: (id: number) => string;
  readonly #write: WritePart;
  /** By the number in the collection; one more than here, 0 for none yet. */
  readonly #numbers: Uint32Array;
  #waiting: string[] = [];
  #count = 0;
  #parts = 0;

  /** @param size - of the collection's numbers, none is as large */
  constructor(part: string, size: number, nameOf: (id: number) => string, write: WritePart) {
    this.#part = part;
    this.#nameOf = nameOf;
    this.#write = write;
    this.#numbers = new Uint32Array(size);
  }

  /** Parts written. */
  get parts(): number {
    return this.#parts;
  }

  /** Time to write what waits. */
  get isFull(): boolean {
    return this.#waiting.length >= NAMES_IN_PART;
  }

  /** @param id - in the collection; -1 for none */
  of(id: number): number {
    if (id === NONE) return NONE;
    const known = this.#numbers[id] as number;
    if (known > 0) return known - 1;
    this.#waiting.push(this.#nameOf(id));
    this.#count += 1;
    this.#numbers[id] = this.#count;
    return this.#count - 1;
  }

  /** Writes what waits. */
  *written(): Generator<void, void> {
    if (this.#waiting.length === 0) return;
    const bytes = new TextEncoder().encode(JSON.stringify(this.#waiting));
    this.#write(`${this.#part}-${this.#parts}`, bytes);
    this.#parts += 1;
    this.#waiting = [];
    yield;
  }
}

/** What is made of each name, by its number. */
export function* readNames<T>(
  part: string,
  parts: number,
  read: ReadPart,
  made: (name: string) => T,
): Generator<void, readonly T[]> {
  const all: T[] = [];
  for (let number = 0; number < parts; number += 1) {
    const names = JSON.parse(new TextDecoder().decode(read(`${part}-${number}`))) as string[];
    for (const name of names) all.push(made(name));
    yield;
  }
  return all;
}
