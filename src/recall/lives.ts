/** Until when documents may be found. Those of one life end together, and its end may be moved without looking at them. */
import { withRoom } from './growing.js';

const BEGIN = 64;

export class Lives {
  readonly #ids = new Map<string, number>();
  readonly #names: string[] = [];
  /** ms since 1970; infinite for none. */
  #ends = new Float64Array(BEGIN);
  #limited = false;

  /** The number of a life, a new one without an end when it is seen for the first time. */
  idOf(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.#names.length;
    this.#ids.set(name, id);
    this.#names.push(name);
    this.#ends = withRoom(this.#ends, id + 1);
    this.#ends[id] = Number.POSITIVE_INFINITY;
    return id;
  }

  /** Lives ever seen. */
  get size(): number {
    return this.#names.length;
  }

  nameOf(id: number): string | undefined {
    return this.#names[id];
  }

  endOf(id: number): number {
    return this.#ends[id] as number;
  }

  /** @param end - ms since 1970; infinite for none */
  setEnd(name: string, end: number): void {
    this.#ends[this.idOf(name)] = end;
    if (Number.isFinite(end)) this.#limited = true;
  }

  /** Some life has, or had, an end. */
  get isLimited(): boolean {
    return this.#limited;
  }

  /** Leaves a 1 only for documents that are not over by then. @param lives - of each document, -1 for none */
  keep(allowed: Uint8Array, ordinals: number, lives: Int32Array, at: number): void {
    const ends = this.#ends;
    for (let ordinal = 0; ordinal < ordinals; ordinal += 1) {
      const life = lives[ordinal] as number;
      if (life >= 0 && (ends[life] as number) <= at) allowed[ordinal] = 0;
    }
  }

  get bytes(): number {
    return this.#ends.byteLength + 100 * this.#names.length;
  }
}
