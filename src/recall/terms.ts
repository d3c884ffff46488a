/**
 * The inverted index: for each term the documents that have it. A posting is one number, the document's ordinal and how much of the term it has. Postings
 * of deleted documents stay until all is written anew; how many documents have a term is exact at any time.
 */
import { detached } from './detached.js';
import { withRoom } from './growing.js';

/** How much of a term a document may have; more makes no difference to its score. */
export const WEIGHT_MAX = 255;
const WEIGHT_BITS = 8;
/** Documents that were ever put in since all was written anew. */
export const ORDINALS_MAX: number = 2 ** (32 - WEIGHT_BITS);

export class TermTable {
  readonly #ids = new Map<string, number>();
  readonly #terms: string[] = [];
  readonly #postings: Uint32Array[] = [];
  #counts = new Uint32Array(1024);
  #documents = new Uint32Array(1024);

  /** Terms ever seen, including those that no document has any more. */
  get size(): number {
    return this.#terms.length;
  }

  /** The number of a term, a new one when it is seen for the first time. */
  idOf(term: string): number {
    const known = this.#ids.get(term);
    if (known !== undefined) return known;
    const id = this.#terms.length;
    const own = detached(term);
    this.#ids.set(own, id);
    this.#terms.push(own);
    this.#postings.push(new Uint32Array(2));
    this.#counts = withRoom(this.#counts, id + 1);
    this.#documents = withRoom(this.#documents, id + 1);
    return id;
  }

  /** The number of a term that some document has. */
  find(term: string): number | undefined {
    const id = this.#ids.get(term);
    return id !== undefined && this.#documents[id] !== 0 ? id : undefined;
  }

  termOf(id: number): string {
    return this.#terms[id] as string;
  }

  /** Documents that have the term. */
  documentsWith(id: number): number {
    return this.#documents[id] as number;
  }

  add(id: number, ordinal: number, weight: number): void {
    const count = this.#counts[id] as number;
    const postings = withRoom(this.#postings[id] as Uint32Array, count + 1);
    this.#postings[id] = postings;
    postings[count] = ((ordinal << WEIGHT_BITS) | weight) >>> 0;
    this.#counts[id] = count + 1;
    this.#documents[id] = (this.#documents[id] as number) + 1;
  }

  /** One document fewer has it. */
  release(id: number): void {
    this.#documents[id] = (this.#documents[id] as number) - 1;
  }

  /** Postings by ordinal, deleted documents among them. See {@link ordinalOf} and {@link weightOf}. */
  postings(id: number): Uint32Array {
    return (this.#postings[id] as Uint32Array).subarray(0, this.#counts[id]);
  }

  /** Terms that some document has, as `[term, id]`. */
  *known(): Iterable<readonly [string, number]> {
    for (const [id, term] of this.#terms.entries()) {
      if (this.#documents[id] !== 0) yield [term, id];
    }
  }

  /** About, bytes. */
  get bytes(): number {
    let bytes = 8 * this.#counts.length;
    for (const postings of this.#postings) bytes += 100 + postings.byteLength;
    for (const term of this.#terms) bytes += 80 + term.length;
    return bytes;
  }
}

export function ordinalOf(posting: number): number {
  return posting >>> WEIGHT_BITS;
}

export function weightOf(posting: number): number {
  return posting & WEIGHT_MAX;
}
