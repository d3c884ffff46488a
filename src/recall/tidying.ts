/**
 * The documents of a collection written anew, without those that were deleted: a few at each change, so that no change waits for all of them. Meanwhile the
 * old collection answers, and everything is put into it and deleted from it.
 *
 * Invariant: the fresh collection has each document that stands before where it has come in the old one, and no other but those that stand behind it now.
 */
import type { Analyzer } from './analyzer.js';
import { Collection } from './collection.js';
import { withRoom } from './growing.js';

/** So many documents, or numbers of entries, are written at once; or so many deleted ones passed over. */
const PORTION_DOCUMENTS = 16;
/** More than one change adds, whatever their size: otherwise the end would stay as far away as it was. */
const PORTION_DOCUMENTS_MIN = 2;
const PORTION_ENTRIES = 2048;
const PORTION_ORDINALS = 256;

export class Tidying {
  readonly fresh: Collection;
  readonly #old: Collection;
  /** By the number of a term in the old one: one more than that in the fresh one, 0 for none yet. */
  #terms = new Uint32Array(0);
  #next = 0;

  constructor(old: Collection, analyzer: Analyzer) {
    this.#old = old;
    this.fresh = new Collection(analyzer);
  }

  /** A document is deleted from the old one. What is put in again needs nothing: it is reached where it stands then. */
  forget(id: string): void {
    this.fresh.delete(id);
  }

  /** Writes some more. True when all are there. */
  go(): boolean {
    const old = this.#old;
    this.#terms = withRoom(this.#terms, old.terms.size);
    const end = Math.min(old.ordinals, this.#next + PORTION_ORDINALS);
    let [documents, entries] = [0, 0];
    const isEnough = () =>
      documents >= PORTION_DOCUMENTS ||
      (documents >= PORTION_DOCUMENTS_MIN && entries >= PORTION_ENTRIES);
    while (this.#next < end && !isEnough()) {
      const ordinal = this.#next;
      this.#next += 1;
      if (!old.isAlive(ordinal)) continue;
      this.fresh.putAnalyzed(old.analyzed(ordinal), this.#idOf);
      documents += 1;
      entries += old.endOf(ordinal) - old.startOf(ordinal);
    }
    return this.#next === old.ordinals;
  }

  readonly #idOf = (term: number): number => {
    const known = this.#terms[term] as number;
    if (known > 0) return known - 1;
    const id = this.fresh.terms.idOf(this.#old.terms.termOf(term));
    this.#terms[term] = id + 1;
    return id;
  };
}
