/**
 * From a question to documents, best first, in two steps. First every document that has a word of the question gets the score of plain BM25. Then the best
 * of them, and the turns beside these in their sessions, get their whole score (scoring.ts). Nothing depends on ordinals: equals are in order of time, then
 * id.
 */
import type { Collection } from './collection.js';
import type { Part, Ranked, Reason, SearchOptions, Where } from './document.js';
import type { Question } from './question.js';
import { Scoring } from './scoring.js';
import { ordinalOf, weightOf } from './terms.js';
import { Top } from './top.js';
import { B, K1, MENTION, WINDOW } from './weights.js';
import { allow } from './where.js';

/** How many of the first step go into the second at least. */
const SEEDS_MIN = 256;
/** Where no more than these may be found, all of them go into the second step. */
const ALLOWED_FEW = 1024;

/** Arrays that the searches of one index share: as long as there are ordinals, and terms. All zeros between two searches. */
export class Scratch {
  scores: Float64Array = new Float64Array(0);
  /** Of each term: its place among those of the question, from 1. */
  slots: Uint8Array = new Uint8Array(0);
  touched: Uint32Array = new Uint32Array(0);
  /** Of each term of the question, for each session: how often it is said there. Made anew for each question they would be most of what is thrown away. */
  sessionCounts: Uint32Array = new Uint32Array(0);
  /** 1 for each document that may be found. */
  allowed: Uint8Array = new Uint8Array(0);

  fit(ordinals: number, terms: number, sessionCounts: number): void {
    if (this.scores.length < ordinals) {
      this.scores = new Float64Array(2 * ordinals);
      this.allowed = new Uint8Array(2 * ordinals);
      this.touched = new Uint32Array(2 * ordinals);
    }
    if (this.slots.length < terms) this.slots = new Uint8Array(2 * terms);
    if (this.sessionCounts.length < sessionCounts) {
      this.sessionCounts = new Uint32Array(2 * sessionCounts);
    }
  }
}

export class Ranking {
  readonly #collection: Collection;
  readonly #question: Question;
  readonly #scratch: Scratch;
  readonly #parts: ReadonlySet<Part>;
  readonly #where: Where | undefined;
  readonly #livingAt: number | undefined;
  readonly #asks: ((ordinal: number) => boolean) | undefined;
  readonly #confirms: ((id: string) => boolean) | undefined;
  readonly #limit: number;
  readonly #average: number;
  /** How many of the scratch's counts of sessions are in use. */
  readonly #sessionCounts: number;
  #touchedCount = 0;
  /** How many may be found; undefined: all. */
  #allowedCount: number | undefined;

  constructor(
    collection: Collection,
    question: Question,
    scratch: Scratch,
    parts: ReadonlySet<Part>,
    { limit = 10, where, livingAt, accepts, confirms }: SearchOptions,
  ) {
    this.#collection = collection;
    this.#question = question;
    this.#scratch = scratch;
    this.#parts = parts;
    this.#limit = limit;
    this.#average = Math.max(1, collection.averageLength);
    this.#livingAt = collection.lives.isLimited ? livingAt : undefined;
    this.#where = where ?? (this.#livingAt === undefined ? undefined : {});
    this.#confirms = confirms;
    this.#asks =
      accepts && remembered(collection.ordinals, (ordinal) => accepts(collection.idOf(ordinal)));
    this.#sessionCounts = parts.has('session')
      ? question.terms.length * collection.sessions.size
      : 0;
  }

  run(): readonly Ranked[] {
    if (this.#limit === 0) return [];
    this.#scratch.fit(this.#collection.ordinals, this.#collection.terms.size, this.#sessionCounts);
    try {
      if (this.#where) {
        const { allowed } = this.#scratch;
        this.#allowedCount = allow(this.#collection, this.#where, allowed, this.#livingAt);
        if (this.#allowedCount === 0) return [];
      }
      this.#scoreText();
      return this.#ranked();
    } finally {
      this.#clear();
    }
  }

  #ranked(): readonly Ranked[] {
    const scoring = new Scoring(
      this.#collection,
      this.#question,
      this.#parts,
      this.#scratch.slots,
      this.#scratch.sessionCounts.subarray(0, this.#sessionCounts),
      this.#touchedCount === 0,
    );
    const best = new Top(this.#limit, this.#before);
    try {
      for (const ordinal of this.#candidates(scoring)) {
        const score = scoring.score(ordinal);
        if (score <= 0 || !best.takes(ordinal, score)) continue;
        if (this.#accepts(ordinal) && this.#isConfirmed(ordinal)) best.add(ordinal, score);
      }
      return best.sorted().map(({ ordinal, score }) => {
        const reasons: Reason[] = [];
        scoring.score(ordinal, reasons);
        return { id: this.#collection.idOf(ordinal), score, reasons };
      });
    } finally {
      scoring.close();
    }
  }

  #accepts(ordinal: number): boolean {
    if (this.#allowedCount !== undefined && this.#scratch.allowed[ordinal] === 0) return false;
    return this.#asks === undefined || this.#asks(ordinal);
  }

  #isConfirmed(ordinal: number): boolean {
    return this.#confirms === undefined || this.#confirms(this.#collection.idOf(ordinal));
  }

  /** Leaves the scratch as it was, also when what accepts documents throws. */
  #clear(): void {
    const { scores, touched, sessionCounts, allowed } = this.#scratch;
    if (this.#where) allowed.fill(0, 0, this.#collection.ordinals);
    for (let at = 0; at < this.#touchedCount; at += 1) scores[touched[at] as number] = 0;
    sessionCounts.fill(0, 0, this.#sessionCounts);
  }

  /** Of equals the newest come first; where that is equal too, by id. */
  readonly #before = (one: number, other: number): number => {
    const [time, otherTime] = [this.#timeOf(one), this.#timeOf(other)];
    if (time !== otherTime) return otherTime > time ? 1 : -1;
    const [id, otherId] = [this.#collection.idOf(one), this.#collection.idOf(other)];
    if (id === otherId) return 0;
    return id < otherId ? -1 : 1;
  };

  #timeOf(ordinal: number): number {
    const time = this.#collection.timeOf(ordinal);
    return Number.isNaN(time) ? Number.NEGATIVE_INFINITY : time;
  }

  /** Plain BM25 of all documents into the scratch. */
  #scoreText(): void {
    const { terms, sessions } = this.#collection;
    const bySession = this.#sessionCounts > 0;
    for (const [place, { known, idf, isName }] of this.#question.terms.entries()) {
      const mention = isName && this.#parts.has('speaker') ? MENTION : 1;
      const row = bySession ? place * sessions.size : -1;
      for (const { id, weight } of known) {
        this.#scorePostings(terms.postings(id), weight, idf, mention, row);
      }
    }
  }

  #scorePostings(
    postings: Uint32Array,
    weight: number,
    idf: number,
    mention: number,
    row: number,
  ): void {
    const collection = this.#collection;
    const { scores, touched, sessionCounts } = this.#scratch;
    const perWord = (K1 * B) / this.#average;
    for (let at = 0; at < postings.length; at += 1) {
      const posting = postings[at] as number;
      const ordinal = ordinalOf(posting);
      if (!collection.isAlive(ordinal)) continue;
      const amount = weight * weightOf(posting);
      const held = K1 * (1 - B) + perWord * collection.lengthOf(ordinal);
      const counts = mention === 1 || collection.speakerOf(ordinal) < 0 ? idf : mention * idf;
      if (scores[ordinal] === 0) {
        touched[this.#touchedCount] = ordinal;
        this.#touchedCount += 1;
      }
      scores[ordinal] =
        (scores[ordinal] as number) + (counts * (K1 + 1) * amount) / (held + amount);
      const session = row < 0 ? -1 : collection.sessionOf(ordinal);
      if (session < 0) continue;
      // Whole numbers, whose sum is the same in any order.
      sessionCounts[row + session] = (sessionCounts[row + session] as number) + weightOf(posting);
    }
  }

  /** Ordinals that get their whole score. */
  #candidates(scoring: Scoring): ReadonlySet<number> {
    const most = Math.max(SEEDS_MIN, 2 * this.#limit);
    if (this.#touchedCount === 0) return this.#untold(scoring, most);
    if (this.#allowedCount !== undefined && this.#allowedCount <= ALLOWED_FEW) return this.#few();
    const any = new Top(most, this.#before);
    this.#eachTouched((ordinal, score) => {
      if (any.takes(ordinal, score)) any.add(ordinal, score);
    });
    // A turn that is not asked for may stand beside one that is, so both kinds of seeds are needed.
    const mayRefuse = this.#allowedCount !== undefined || this.#asks !== undefined;
    const all = !mayRefuse || any.all().every((ordinal) => this.#accepts(ordinal));
    const accepted = all ? any : this.#accepted(most);
    const candidates = new Set(accepted.all());
    if (this.#parts.has('neighbour')) {
      // Where all the best are accepted, most of the others are: these are asked for when they come among the best.
      for (const ordinal of accepted.all()) this.#addNeighbours(ordinal, candidates, !all);
      if (!all) for (const ordinal of any.all()) this.#addNeighbours(ordinal, candidates, true);
    }
    return candidates;
  }

  /** The best of those that are accepted. */
  #accepted(most: number): Top {
    const accepted = new Top(most, this.#before);
    this.#eachTouched((ordinal, score) => {
      if (accepted.takes(ordinal, score) && this.#accepts(ordinal)) accepted.add(ordinal, score);
    });
    return accepted;
  }

  /** All that may be found, where these are few: those that have a word of the question, or stand beside one that has. */
  #few(): ReadonlySet<number> {
    const { allowed, scores } = this.#scratch;
    const has = (ordinal: number | undefined) => ordinal !== undefined && scores[ordinal] !== 0;
    const besides = this.#parts.has('neighbour');
    const few = new Set<number>();
    for (let ordinal = 0; ordinal < this.#collection.ordinals; ordinal += 1) {
      if (allowed[ordinal] === 0) continue;
      let found = has(ordinal);
      for (let distance = -WINDOW; besides && !found && distance <= WINDOW; distance += 1) {
        found = has(this.#collection.neighbour(ordinal, distance));
      }
      if (found) few.add(ordinal);
    }
    return few;
  }

  #eachTouched(take: (ordinal: number, score: number) => void): void {
    const { scores, touched } = this.#scratch;
    for (let at = 0; at < this.#touchedCount; at += 1) {
      const ordinal = touched[at] as number;
      take(ordinal, scores[ordinal] as number);
    }
  }

  #addNeighbours(ordinal: number, candidates: Set<number>, asks: boolean): void {
    if (this.#collection.sessionOf(ordinal) < 0) return;
    for (let distance = -WINDOW; distance <= WINDOW; distance += 1) {
      const neighbour = this.#collection.neighbour(ordinal, distance);
      if (neighbour === undefined || candidates.has(neighbour)) continue;
      if (!asks || this.#accepts(neighbour)) candidates.add(neighbour);
    }
  }

  /** No word is found, but a speaker or a time may be named: the newest documents of that speaker, at that time. */
  #untold(scoring: Scoring, most: number): ReadonlySet<number> {
    const newest = new Top(most, this.#before);
    for (let ordinal = 0; ordinal < this.#collection.ordinals; ordinal += 1) {
      if (!this.#collection.isAlive(ordinal) || !scoring.fitsUntold(ordinal)) continue;
      if (newest.takes(ordinal, 0) && this.#accepts(ordinal)) newest.add(ordinal, 0);
    }
    return new Set(newest.all());
  }
}

const ACCEPTED = 1;
const REFUSED = 2;

/** Asks once for each. */
function remembered(
  ordinals: number,
  accepts: (ordinal: number) => boolean,
): (ordinal: number) => boolean {
  const verdicts = new Uint8Array(ordinals);
  return (ordinal) => {
    if (verdicts[ordinal] === 0) verdicts[ordinal] = accepts(ordinal) ? ACCEPTED : REFUSED;
    return verdicts[ordinal] === ACCEPTED;
  };
}
