/**
 * The whole score of a document, part by part. What is found by words (its own, those of its neighbours, its session's) is added up; who spoke, when,
 * importance and recency count as shares of that, so that they choose among what is found and find nothing on their own.
 */
import type { Collection } from './collection.js';
import type { Part, Reason } from './document.js';
import { precisionOf, type Question } from './question.js';
import { DAY_MS, type Span } from './times.js';
import * as weights from './weights.js';

const { K1, B, NEIGHBOURS } = weights;

export class Scoring {
  readonly #collection: Collection;
  readonly #question: Question;
  readonly #parts: ReadonlySet<Part>;
  readonly #slots: Uint8Array;
  readonly #sessionCounts: Uint32Array;
  readonly #newest: number;
  readonly #isUntold: boolean;
  readonly #average: number;
  /** Of each term: what a document has of it, what of that it asks, what its neighbours have. */
  readonly #own: Float64Array;
  readonly #asked: Float64Array;
  readonly #beside: Float64Array;
  /** Of each term: what its score counts in turns, where names address others. */
  readonly #mentions: Float64Array;
  readonly #shares: Float64Array;
  readonly #sessionScores = new Map<number, number>();

  /**
   * @param slots - all zeros; given back so by {@link Scoring.close}
   * @param sessionCounts - how often each term is said in each session; empty when that does not count
   * @param isUntold - no document has a word of the question
   */
  constructor(
    collection: Collection,
    question: Question,
    parts: ReadonlySet<Part>,
    slots: Uint8Array,
    sessionCounts: Uint32Array,
    isUntold: boolean,
  ) {
    this.#collection = collection;
    this.#question = question;
    this.#parts = parts;
    this.#slots = slots;
    this.#sessionCounts = sessionCounts;
    this.#newest = collection.newestTime;
    this.#isUntold = isUntold;
    this.#average = Math.max(1, collection.averageLength);
    const { terms } = question;
    const count = terms.length;
    this.#own = new Float64Array(count);
    this.#asked = new Float64Array(count);
    this.#beside = new Float64Array(count);
    const mention = parts.has('speaker') ? weights.MENTION : 1;
    this.#mentions = Float64Array.from(terms, ({ isName }) => (isName ? mention : 1));
    this.#shares = Float64Array.from(terms, ({ known }) => known[0]?.weight ?? 0);
    for (const [place, { known }] of terms.entries()) {
      // A term may stand for two words: the first has it.
      for (const { id } of known) if (slots[id] === 0) slots[id] = place + 1;
    }
  }

  close(): void {
    for (const { known } of this.#question.terms) {
      for (const { id } of known) this.#slots[id] = 0;
    }
  }

  /** What it is made of is added to `reasons` when they are wanted. */
  score(ordinal: number, reasons?: Reason[]): number {
    const isTurn = this.#collection.speakerOf(ordinal) >= 0;
    this.#own.fill(0);
    this.#asked.fill(0);
    this.#collectOwn(ordinal);
    const length = this.#collection.lengthOf(ordinal);
    const text = this.#sum(length / this.#average, false, false);
    const plain = isTurn ? this.#sum(length / this.#average, true, false) : text;
    const neighbour = this.#inContext(ordinal, length, plain, isTurn) - plain;
    const session = this.#ofSession(ordinal);
    // Where no word tells anything, all that is left is who spoke and when.
    const base = this.#isUntold ? 1 : plain + neighbour + session;
    const speaker = base * this.#speakerShare(ordinal) + (plain - text);
    const date = base * this.#dateShare(ordinal);
    const importance = base * this.#importanceShare(ordinal);
    const recency = base * this.#recencyShare(ordinal);
    if (reasons) {
      add(reasons, 'text', text, this.#wordsOf(this.#own));
      add(reasons, 'neighbour', neighbour, neighbour === 0 ? [] : this.#wordsOf(this.#beside));
      add(reasons, 'session', session);
      add(reasons, 'speaker', speaker);
      add(reasons, 'date', date);
      add(reasons, 'importance', importance);
      add(reasons, 'recency', recency);
    }
    return text + neighbour + session + speaker + date + importance + recency;
  }

  /** Of a question of which no word is known: whether the document is of who is named, and of the time that is named. */
  fitsUntold(ordinal: number): boolean {
    const { speakers, spans } = this.#question;
    const bySpeaker = this.#parts.has('speaker') && speakers.size > 0;
    const byDate = this.#parts.has('date') && spans.length > 0;
    if (bySpeaker && !speakers.has(this.#collection.speakerOf(ordinal))) return false;
    if (byDate && this.#dateMatch(ordinal) === 0) return false;
    return bySpeaker || byDate;
  }

  #collectOwn(ordinal: number): void {
    const { entries } = this.#collection;
    const end = this.#collection.endOf(ordinal);
    for (let at = this.#collection.startOf(ordinal); at < end; at += 2) {
      const slot = this.#slots[entries[at] as number] as number;
      if (slot === 0) continue;
      const counts = entries[at + 1] as number;
      const share = this.#shares[slot - 1] as number;
      this.#own[slot - 1] = (this.#own[slot - 1] as number) + share * (counts & 0xff);
      this.#asked[slot - 1] = (this.#asked[slot - 1] as number) + share * (counts >>> 8);
    }
  }

  #collectBeside(ordinal: number, said: number, asked: number): void {
    const { entries } = this.#collection;
    const end = this.#collection.endOf(ordinal);
    for (let at = this.#collection.startOf(ordinal); at < end; at += 2) {
      const slot = this.#slots[entries[at] as number] as number;
      if (slot === 0) continue;
      const counts = entries[at + 1] as number;
      const ofAsked = counts >>> 8;
      const amount = said * ((counts & 0xff) - ofAsked) + asked * ofAsked;
      const share = this.#shares[slot - 1] as number;
      this.#beside[slot - 1] = (this.#beside[slot - 1] as number) + share * amount;
    }
  }

  /**
   * BM25 of what was collected.
   * @param inTurn - names of speakers count as mentions
   * @param inContext - with what the neighbours have
   */
  #sum(relativeLength: number, inTurn: boolean, inContext: boolean): number {
    const held = K1 * (1 - B + B * relativeLength);
    const { terms } = this.#question;
    let sum = 0;
    for (let place = 0; place < terms.length; place += 1) {
      let amount = this.#own[place] as number;
      if (inContext) {
        const asked = (1 - weights.OWN_ASKED) * (this.#asked[place] as number);
        amount += (this.#beside[place] as number) - asked;
      }
      if (amount === 0) continue;
      const idf = (terms[place] as { readonly idf: number }).idf;
      const counts = inTurn ? idf * (this.#mentions[place] as number) : idf;
      sum += (counts * (K1 + 1) * amount) / (held + amount);
    }
    return sum;
  }

  /** BM25 of a turn that is read together with its neighbours, which count less than itself: the simple BM25F of Robertson, Zaragoza and Taylor. */
  #inContext(ordinal: number, ownLength: number, plain: number, isTurn: boolean): number {
    const collection = this.#collection;
    if (!this.#parts.has('neighbour') || collection.sessionOf(ordinal) < 0) return plain;
    this.#beside.fill(0);
    let length = ownLength;
    let average = this.#average;
    for (const { distance, said, asked } of NEIGHBOURS) {
      const neighbour = collection.neighbour(ordinal, distance);
      if (neighbour === undefined) continue;
      this.#collectBeside(neighbour, said, asked);
      length += said * collection.lengthOf(neighbour);
      average += said * this.#average;
    }
    if (average === this.#average) return plain;
    return this.#sum(length / average, isTurn, true);
  }

  /** BM25 of the whole session, as one document among sessions. */
  #ofSession(ordinal: number): number {
    const session = this.#collection.sessionOf(ordinal);
    if (session < 0 || this.#sessionCounts.length === 0) return 0;
    const known = this.#sessionScores.get(session);
    if (known !== undefined) return known;
    const score = this.#scoreOfSession(session);
    this.#sessionScores.set(session, score);
    return score;
  }

  #scoreOfSession(session: number): number {
    const { sessions } = this.#collection;
    if (sessions.turnsIn(session) < 2) return 0;
    const relative = sessions.lengthOf(session) / Math.max(1, sessions.averageLength);
    const held = K1 * (1 - B + B * relative);
    let sum = 0;
    for (const [place, { idf }] of this.#question.terms.entries()) {
      const count = this.#sessionCounts[place * sessions.size + session] as number;
      const amount = (this.#shares[place] as number) * count;
      const counts = idf * (this.#mentions[place] as number);
      sum += (counts * (K1 + 1) * amount) / (held + amount);
    }
    return weights.SESSION * sum;
  }

  #speakerShare(ordinal: number): number {
    const { speakers } = this.#question;
    if (speakers.size === 0 || !this.#parts.has('speaker')) return 0;
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
      const said = time >= span.from && time < span.to ? 1 : 0;
      const told = this.#collection.spansOf(ordinal).map((each) => agreement(each, span));
      best = Math.max(best, precisionOf(span) * Math.max(said, ...told));
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
    if (Number.isNaN(time)) return 0;
    const age = this.#newest - time;
    return weights.RECENCY * 0.5 ** (age / weights.RECENCY_HALF_MS);
  }

  #wordsOf(amounts: Float64Array): readonly string[] {
    const { terms } = this.#question;
    return terms.filter((_, place) => (amounts[place] as number) > 0).map(({ word }) => word);
  }
}

/** Whether the time that is told is the one that is asked for: half when a day is asked for and a week is told. */
function agreement(told: Span, asked: Span): number {
  if (told.from >= asked.from && told.to <= asked.to) return 1;
  const overlaps = told.from < asked.to && told.to > asked.from;
  return overlaps && told.to - told.from <= 7 * DAY_MS ? 0.5 : 0;
}

function add(reasons: Reason[], part: Part, score: number, terms: readonly string[] = []): void {
  if (score === 0 && terms.length === 0) return;
  reasons.push(terms.length === 0 ? { part, score } : { part, score, terms });
}
