/** The index of texts: put in, delete, search, save. Pure: no clock, no files, nothing of the store. */
import { Analyzer } from './analyzer.js';
import { Collection } from './collection.js';
import {
  PARTS,
  type Part,
  type Ranked,
  type RecallDocument,
  type SearchOptions,
} from './document.js';
import { NearTerms } from './near-terms.js';
import { readQuestion } from './question.js';
import { Ranking, Scratch } from './ranking.js';
import { languageOf, readCollection, writeCollection } from './saved.js';
import type { ReadPart, WritePart } from './saved-names.js';
import { Tidying } from './tidying.js';

const ALL_PARTS: ReadonlySet<Part> = new Set(PARTS);

/**
 * Documents that can be found by words. However it came about, by updates and deletes in any order or out of what was saved, it gives the scores of an index
 * into which the same documents were put afresh.
 */
export class RecallIndex {
  readonly #analyzer: Analyzer;
  readonly #scratch = new Scratch();
  #collection: Collection;
  #near: NearTerms;
  /** While the collection is written anew. */
  #tidying: Tidying | undefined;

  /** @param language - one of `LANGUAGES` @throws RangeError for another one */
  constructor(language: string) {
    this.#analyzer = new Analyzer(language);
    this.#collection = new Collection(this.#analyzer);
    this.#near = new NearTerms(this.#collection.terms);
  }

  get language(): string {
    return this.#analyzer.language;
  }

  /** Documents that are there. */
  get size(): number {
    return this.#collection.size;
  }

  has(id: string): boolean {
    return this.#collection.has(id);
  }

  /** Of the documents that are there. */
  ids(): Iterable<string> {
    return this.#collection.ids();
  }

  /** Puts a document in, in place of one of the same id. */
  put(document: RecallDocument): void {
    this.#collection.put(document);
    this.#tidy();
  }

  /** False when there is none. */
  delete(id: string): boolean {
    this.#tidying?.forget(id);
    const deleted = this.#collection.delete(id);
    if (deleted) this.#tidy();
    return deleted;
  }

  /** Moves the end of all documents of a life. @param end - ms since 1970; undefined for none */
  endLife(life: string, end: number | undefined): void {
    const time = end ?? Number.POSITIVE_INFINITY;
    this.#collection.lives.setEnd(life, time);
    this.#tidying?.fresh.lives.setEnd(life, time);
  }

  /** The documents that answer a question, best first. */
  search(query: string, options: SearchOptions = {}): readonly Ranked[] {
    const { parts, now = this.#collection.newestTime } = options;
    const question = readQuestion(query, now, this.#collection, this.#analyzer, this.#near);
    const counted = parts === undefined ? ALL_PARTS : new Set<Part>(parts);
    return new Ranking(this.#collection, question, this.#scratch, counted, options).run();
  }

  /** The terms of a text by which it could be found. */
  termsOf(text: string): ReadonlySet<string> {
    const terms = new Set<string>();
    this.#analyzer.read(text, (term) => terms.add(term));
    return terms;
  }

  /** Writes all of it in parts; {@link RecallIndex.load} reads them. */
  save(write: WritePart): void {
    for (const _ of this.saving(write));
  }

  /** {@link RecallIndex.save} in portions: behind each others may have their turn, who leave the index as it is. */
  *saving(write: WritePart): Generator<void, void> {
    yield* writeCollection(this.#collection, this.language, write);
  }

  /** The index that was saved, without reading any text again. @throws RangeError for what `save` did not write */
  static load(read: ReadPart): RecallIndex {
    const portions = RecallIndex.loading(read);
    for (;;) {
      const { done, value } = portions.next();
      if (done) return value;
    }
  }

  /** {@link RecallIndex.load} in portions. */
  static *loading(read: ReadPart): Generator<void, RecallIndex> {
    const index = new RecallIndex(languageOf(read));
    yield* readCollection(index.#collection, read);
    return index;
  }

  /** So many documents were deleted that the others are being written anew, some of them at each change. */
  get isTidying(): boolean {
    return this.#tidying !== undefined;
  }

  /** About how much memory it takes, bytes. */
  get bytes(): number {
    return this.#collection.bytes + (this.#tidying?.fresh.bytes ?? 0);
  }

  #tidy(): void {
    const old = this.#collection;
    if (!this.#tidying && !old.isSparse) return;
    this.#tidying ??= new Tidying(old, this.#analyzer);
    let isDone = this.#tidying.go();
    while (old.isFull && !isDone) isDone = this.#tidying.go();
    if (!isDone) return;
    this.#collection = this.#tidying.fresh;
    this.#near = new NearTerms(this.#collection.terms);
    this.#tidying = undefined;
  }
}
