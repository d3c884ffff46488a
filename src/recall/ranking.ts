/**
 * From a question to documents, best first, in two steps. First every document that has a word of the question gets the score of plain BM25. Then the best
 * of them, and the turns beside these in their sessions, get their whole score. Nothing depends on ordinals: equals are in order of time, then id.
 */
import type { Collection } from './collection.js';
import type { Part, Ranked, Reason, SearchOptions } from './document.js';
import { precisionOf, type Question } from './question.js';
import { ordinalOf, weightOf } from './terms.js';
import { DAY_MS, type Span } from './times.js';
import { Top } from './top.js';
import * as weights from './weights.js';

const { K1, B, NEIGHBOURS, WINDOW } = weights;

/** How many of the first step go into the second at least. */
const SEEDS_MIN = 400;

/** Arrays that searches of one index share, each as long as there are ordinals or terms. */
export class Scratch {
  scores: Float64Array = new Float64Array(0);
  /** Of each term: its place among those of the question, from 1, and the weight that it counts with. */
  slots: Uint8Array = new Uint8Array(0);
  slotWeights: Float64Array = new Float64Array(0);

  fit(ordinals: number, terms: number): void {
    if (this.scores.length < ordinals) this.scores = new Float64Array(2 * ordinals);
    if (this.slots.length >= terms) return;
    this.slots = new Uint8Array(2 * terms);
    this.slotWeights = new Float64Array(2 * terms);
  }
}

interface Scored {
  readonly ordinal: number;
  readonly score: number;
}

export class Ranking {
  readonly #collection: Collection;
  readonly #question: Question;
  readonly #scratch: Scratch;
  readonly #parts: ReadonlySet<Part>;
  readonly #accepts: (ordinal: number) => boolean;
  readonly #limit: number;
  readonly #now: number;
  readonly #average: number;
  /** Of each session, for each term: how much of it is said there. */
  #sessionWeights: Float64Array = new Float64Array(0);
  /** No document has any word of the question: all that is left is who spoke and when. */
  #isUntold = false;

  constructor(
    collection: Collection,
    question: Question,
    scratch: Scratch,
    parts: ReadonlySet<Part>,
    { limit = 10, accepts, now = collection.newestTime }: SearchOptions,
  ) {
    this.#collection = collection;
    this.#question = question;
    this.#scratch = scratch;
    this.#parts = parts;
    this.#limit = limit;
    this.#now = now;
    this.#average = Math.max(1, collection.averageLength);
    const verdicts = new Map<number, boolean>();
    this.#accepts = (ordinal) => {
      if (!accepts) return true;
      let verdict = verdicts.get(ordinal);
      if (verdict === undefined) {
        verdict = accepts(collection.idOf(ordinal));
        verdicts.set(ordinal, verdict);
      }
      return verdict;
    };
  }

  run(): readonly Ranked[] {
    if (this.#limit === 0) return [];
    this.#scratch.fit(this.#collection.ordinals, this.#collection.terms.size);
    const candidates = this.#candidates();
    this.#setSlots();
    const best = new Top<Scored>(this.#limit, this.#better);
    for (const ordinal of candidates) {
      const score = this.#scoreOf(ordinal, undefined);
      if (score > 0) best.add({ ordinal, score });
    }
    const ranked = best.sorted().map(({ ordinal, score }) => {
      const reasons: Reason[] = [];
      this.#scoreOf(ordinal, reasons);
      return { id: this.#collection.idOf(ordinal), score, reasons };
    });
    this.#clearSlots();
    return ranked;
  }

  readonly #better = (one: Scored, other: Scored): number =>
    other.score - one.score || this.#earlier(one.ordinal, other.ordinal);

  /** Of equals the newest come first; where that is equal too, by id. */
  #earlier(one: number, other: number): number {
    const [time, otherTime] = [this.#timeOf(one), this.#timeOf(other)];
    if (time !== otherTime) return otherTime > time ? 1 : -1;
    const [id, otherId] = [this.#collection.idOf(one), this.#collection.idOf(other)];
    if (id === otherId) return 0;
    return id < otherId ? -1 : 1;
  }

  #timeOf(ordinal: number): number {
    const time = this.#collection.timeOf(ordinal);
    return Number.isNaN(time) ? Number.NEGATIVE_INFINITY : time;
  }

  /** Ordinals that get their whole score. */
  #candidates(): ReadonlySet<number> {
    const seeds = Math.max(SEEDS_MIN, 2 * this.#limit);
    const touched = this.#scoreText();
    // A turn that is not asked for may stand beside one that is, so both kinds of seeds are needed.
    const accepted = new Top<Scored>(seeds, this.#better);
    const any = new Top<Scored>(seeds, this.#better);
    const { scores } = this.#scratch;
    for (const ordinal of touched) {
      const scored = { ordinal, score: scores[ordinal] as number };
      any.add(scored);
      if (accepted.takes(scored) && this.#accepts(ordinal)) accepted.add(scored);
      scores[ordinal] = 0;
    }
    const candidates = new Set<number>();
    for (const { ordinal } of accepted.all()) candidates.add(ordinal);
    if (this.#parts.has('neighbour')) {
      for (const { ordinal } of [...accepted.all(), ...any.all()]) {
        this.#addNeighbours(ordinal, candidates);
      }
    }
    this.#isUntold = touched.length === 0;
    if (this.#isUntold) this.#addUntold(candidates, seeds);
    return candidates;
  }

  #addNeighbours(ordinal: number, candidates: Set<number>): void {
    if (this.#collection.sessionOf(ordinal) < 0) return;
    for (let distance = -WINDOW; distance <= WINDOW; distance += 1) {
      if (distance === 0) continue;
      const neighbour = this.#collection.neighbour(ordinal, distance);
      if (neighbour === undefined || candidates.has(neighbour)) continue;
      if (this.#accepts(neighbour)) candidates.add(neighbour);
    }
  }

  /** No word is found, but a speaker or a time is named: the newest documents of that speaker, or that time. */
  #addUntold(candidates: Set<number>, most: number): void {
    const { speakers, spans } = this.#question;
    const bySpeaker = this.#parts.has('speaker') && speakers.size > 0;
    const byDate = this.#parts.has('date') && spans.length > 0;
    if (!bySpeaker && !byDate) return;
    const newest = new Top<Scored>(most, this.#better);
    for (let ordinal = 0; ordinal < this.#collection.ordinals; ordinal += 1) {
      if (!this.#collection.isAlive(ordinal)) continue;
      const fits =
        (!bySpeaker || speakers.has(this.#collection.speakerOf(ordinal))) &&
        (!byDate || this.#dateMatch(ordinal) > 0);
      const scored = { ordinal, score: 0 };
      if (fits && newest.takes(scored) && this.#accepts(ordinal)) newest.add(scored);
    }
    for (const { ordinal } of newest.all()) candidates.add(ordinal);
  }

  /** Plain BM25 of all documents into the scratch; gives those that have a score. */
  #scoreText(): readonly number[] {
    const collection = this.#collection;
    const { scores } = this.#scratch;
    const { terms } = this.#question;
    const bySession = this.#parts.has('session') && collection.sessions.size > 0;
    const sessions = collection.sessions.size;
    if (bySession) this.#sessionWeights = new Float64Array(terms.length * sessions);
    const touched: number[] = [];
    for (const [place, term] of terms.entries()) {
      const mention = this.#mentionOf(term.isName);
      for (const { id, weight } of term.known) {
        for (const posting of collection.terms.postings(id)) {
          const ordinal = ordinalOf(posting);
          if (!collection.isAlive(ordinal)) continue;
          const amount = weight * weightOf(posting);
          const held = K1 * (1 - B + (B * collection.lengthOf(ordinal)) / this.#average);
          const counts = mention === 1 || collection.speakerOf(ordinal) < 0 ? 1 : mention;
          if (scores[ordinal] === 0) touched.push(ordinal);
          scores[ordinal] =
            (scores[ordinal] as number) + (counts * term.idf * (K1 + 1) * amount) / (held + amount);
          if (!bySession) continue;
          const session = collection.sessionOf(ordinal);
          if (session < 0) continue;
          const at = place * sessions + session;
          // Whole numbers, whose sum is the same in any order.
          this.#sessionWeights[at] = (this.#sessionWeights[at] as number) + weightOf(posting);
        }
      }
    }
    return touched;
  }

  #mentionOf(isName: boolean): number {
    return isName && this.#parts.has('speaker') ? weights.MENTION : 1;
  }

  #setSlots(): void {
    const { slots, slotWeights } = this.#scratch;
    for (const [place, { known }] of this.#question.terms.entries()) {
      for (const { id, weight } of known) {
        // A term may stand for two words: the first has it.
        if (slots[id] !== 0) continue;
        slots[id] = place + 1;
        slotWeights[id] = weight;
      }
    }
  }

  #clearSlots(): void {
    for (const { known } of this.#question.terms) {
      for (const { id } of known) this.#scratch.slots[id] = 0;
    }
  }

  /** The whole score. What it is made of is added to `reasons` when they are wanted. */
  #scoreOf(ordinal: number, reasons: Reason[] | undefined): number {
    const own = new Float64Array(this.#question.terms.length);
    const ownAsked = new Float64Array(this.#question.terms.length);
    this.#collect(ordinal, 1, 1, own, ownAsked);
    const text = this.#textScore(ordinal, own);
    // Words that are names count less in turns, which address others by them.
    const plain = this.#total(text, ordinal);
    const mentions = this.#sum(text) - plain;
    const context = this.#contextScore(ordinal, own, ownAsked);
    const neighbour = context === undefined ? 0 : this.#total(context.score, ordinal) - plain;
    const session = this.#sessionScore(ordinal);
    const found = plain + neighbour + session;
    const base = this.#isUntold ? 1 : found;
    const speaker = base * this.#speakerShare(ordinal) - mentions;
    const date = base * this.#dateShare(ordinal);
    const importance = base * this.#importanceShare(ordinal);
    const recency = base * this.#recencyShare(ordinal);
    const whole = this.#sum(text) + neighbour + session + speaker + date + importance + recency;
    if (reasons) {
      add(reasons, 'text', this.#sum(text), this.#wordsOf(text));
      add(reasons, 'neighbour', neighbour, context && this.#wordsOf(context.beside));
      add(reasons, 'session', session);
      add(reasons, 'speaker', speaker);
      add(reasons, 'date', date);
      add(reasons, 'importance', importance);
      add(reasons, 'recency', recency);
    }
    return whole;
  }

  /** Adds how much a document has of each term, what is asked apart from what is said. */
  #collect(
    ordinal: number,
    said: number,
    asked: number,
    into: Float64Array,
    intoAsked: Float64Array | undefined,
  ): void {
    const { slots, slotWeights } = this.#scratch;
    this.#collection.eachTerm(ordinal, (term, weight, askedWeight) => {
      const slot = slots[term] as number;
      if (slot === 0) return;
      const share = slotWeights[term] as number;
      const place = slot - 1;
      const amount = said * (weight - askedWeight) + asked * askedWeight;
      into[place] = (into[place] as number) + share * amount;
      if (intoAsked) intoAsked[place] = (intoAsked[place] as number) + share * askedWeight;
    });
  }

  /** BM25 by term. */
  #textScore(ordinal: number, own: Float64Array): Float64Array {
    return this.#saturated(own, this.#collection.lengthOf(ordinal) / this.#average);
  }

  #saturated(amounts: Float64Array, relativeLength: number): Float64Array {
    const held = K1 * (1 - B + B * relativeLength);
    return amounts.map((amount, place) => {
      const idf = this.#question.terms[place]?.idf ?? 0;
      return (idf * (K1 + 1) * amount) / (held + amount);
    });
  }

  /** The sum, names of speakers counted as mentions in turns. */
  #total(scores: Float64Array, ordinal: number): number {
    if (this.#collection.speakerOf(ordinal) < 0) return this.#sum(scores);
    let sum = 0;
    for (const [place, { isName }] of this.#question.terms.entries()) {
      sum += this.#mentionOf(isName) * (scores[place] as number);
    }
    return sum;
  }

  #sum(scores: Float64Array): number {
    let sum = 0;
    for (const score of scores) sum += score;
    return sum;
  }

  /** BM25 of a turn read together with its neighbours, which count less than itself. Undefined for what stands alone. */
  #contextScore(ordinal: number, own: Float64Array, ownAsked: Float64Array) {
    if (!this.#parts.has('neighbour')) return undefined;
    const beside = new Float64Array(own.length);
    let [length, average] = [this.#collection.lengthOf(ordinal), this.#average];
    for (const { distance, said, asked } of NEIGHBOURS) {
      const neighbour = this.#collection.neighbour(ordinal, distance);
      if (neighbour === undefined) continue;
      this.#collect(neighbour, said, asked, beside, undefined);
      length += said * this.#collection.lengthOf(neighbour);
      average += said * this.#average;
    }
    if (average === this.#average) return undefined;
    const amounts = own.map(
      (amount, place) =>
        amount - (1 - weights.OWN_ASKED) * (ownAsked[place] as number) + (beside[place] as number),
    );
    return { score: this.#saturated(amounts, length / average), beside };
  }

  #sessionScore(ordinal: number): number {
    const session = this.#collection.sessionOf(ordinal);
    if (session < 0 || this.#sessionWeights.length === 0) return 0;
    const { sessions } = this.#collection;
    if (sessions.turnsIn(session) < 2) return 0;
    const { terms } = this.#question;
    const amounts = new Float64Array(terms.length).map(
      (_, place) =>
        (terms[place]?.known[0]?.weight ?? 0) *
        (this.#sessionWeights[place * sessions.size + session] as number),
    );
    const relative = sessions.lengthOf(session) / Math.max(1, sessions.averageLength);
    return weights.SESSION * this.#total(this.#saturated(amounts, relative), ordinal);
  }

  #speakerShare(ordinal: number): number {
    const { speakers } = this.#question;
    if (!this.#parts.has('speaker') || speakers.size === 0) return 0;
    return speakers.has(this.#collection.speakerOf(ordinal)) ? weights.SPEAKER : 0;
  }

  #dateShare(ordinal: number): number {
    if (!this.#parts.has('date')) return 0;
    const when = this.#question.asksWhen && this.#collection.saysTime(ordinal) ? weights.WHEN : 0;
    return when + weights.DATE * this.#dateMatch(ordinal);
  }

  /** From 0 to 1: how precisely the document's time, or a time that it speaks of, is one that the question names. */
  #dateMatch(ordinal: number): number {
    const { spans } = this.#question;
    if (spans.length === 0) return 0;
    const time = this.#collection.timeOf(ordinal);
    let best = 0;
    for (const span of spans) {
      const told = this.#collection.spansOf(ordinal).some((each) => isWithin(each, span));
      if (told || (time >= span.from && time < span.to)) best = Math.max(best, precisionOf(span));
    }
    return best;
  }

  #importanceShare(ordinal: number): number {
    if (!this.#parts.has('importance')) return 0;
    const importance = this.#collection.importanceOf(ordinal);
    return Number.isNaN(importance) ? 0 : weights.IMPORTANCE * importance;
  }

  #recencyShare(ordinal: number): number {
    if (!this.#parts.has('recency')) return 0;
    const time = this.#collection.timeOf(ordinal);
    if (Number.isNaN(time) || !Number.isFinite(this.#now)) return 0;
    const age = Math.max(0, this.#now - time);
    return weights.RECENCY * 0.5 ** (age / weights.RECENCY_HALF_MS);
  }

  #wordsOf(scores: Float64Array): readonly string[] {
    const { terms } = this.#question;
    return terms.filter((_, place) => (scores[place] as number) > 0).map(({ word }) => word);
  }
}

/** A time that is told lies in the one that is asked for; a year that is told does not lie in a day. */
function isWithin(told: Span, asked: Span): boolean {
  return told.from >= asked.from - DAY_MS && told.to <= asked.to + DAY_MS;
}

function add(reasons: Reason[], part: Part, score: number, terms?: readonly string[]): void {
  if (score === 0 && (terms === undefined || terms.length === 0)) return;
  reasons.push(
    terms === undefined || terms.length === 0 ? { part, score } : { part, score, terms },
  );
}
