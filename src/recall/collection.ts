/**
 * The documents of an index, in columns, and everything that is counted of them. A document that is put in again gets a new ordinal; one that is deleted
 * keeps its ordinal, marked, until there are more deleted ones than others: then all is written anew (tidying.ts).
 *
 * Invariants: counts, lengths and the terms' numbers of documents are whole numbers and those of the documents that are there; nothing that is asked
 * depends on ordinals.
 */
import type { Analyzer } from './analyzer.js';
import { Columns, NONE } from './columns.js';
import type { RecallDocument } from './document.js';
import { withRoom } from './growing.js';
import { Lives } from './lives.js';
import { Marks, markOf } from './marks.js';
import { Sessions } from './sessions.js';
import { Speakers } from './speakers.js';
import { ORDINALS_MAX, TermTable, WEIGHT_MAX } from './terms.js';
import { type Span, saysTimeVaguely, timesIn } from './times.js';

/** What words of a field count, against those of the text. */
const FIELD_WEIGHTS = { title: 3, text: 1, tags: 2 } as const;

const BEGIN = 1024;
/** So many deleted documents are not worth writing anything anew. */
const DELETED_MIN = 1024;
/** From here on also fewer are. */
const ORDINALS_MANY = (7 / 8) * ORDINALS_MAX;
const ASKED_SHIFT = 8;

/** A document as it is kept: its terms, counted. Valid until the collection that gave it changes. */
export interface Analyzed {
  readonly id: string;
  readonly session: string | undefined;
  readonly speaker: string | undefined;
  /** NaN for none, as are `sequence`, `time` and `importance`. */
  readonly order: number;
  readonly sequence: number;
  readonly life: string | undefined;
  /** ms; infinite for none. */
  readonly end: number;
  readonly time: number;
  readonly importance: number;
  /** As numbers. */
  readonly marks: readonly number[];
  /** Words, those of fields that count more counted more. */
  readonly length: number;
  readonly saysTime: boolean;
  readonly spans: readonly Span[];
  /**
   * Of each term, in order of appearance, its number with whoever gives the document, and its counts, `weight | asked << 8`: how often it stands there, and how
   * often of that in sentences that ask.
   */
  readonly entries: Uint32Array;
}

type Described = Pick<
  RecallDocument,
  'session' | 'speaker' | 'order' | 'sequence' | 'time' | 'importance' | 'life'
>;

export class Collection {
  readonly terms: TermTable = new TermTable();
  readonly sessions: Sessions = new Sessions();
  readonly speakers: Speakers = new Speakers();
  readonly marks: Marks = new Marks();
  readonly lives: Lives = new Lives();
  readonly columns: Columns = new Columns();
  readonly #analyzer: Analyzer;
  readonly #ordinals = new Map<string, number>();
  readonly #ids: string[] = [];
  readonly #spans = new Map<number, readonly Span[]>();
  /** Where the terms of each document begin in #entries: pairs of a term's number and its counts. */
  #start = new Uint32Array(BEGIN + 1);
  #entries = new Uint32Array(8 * BEGIN);
  #count = 0;
  #lengths = 0;
  #newest: number | undefined = Number.NEGATIVE_INFINITY;
  #spanCount = 0;
  /** Of each term: its place among those of the document that is read, from 1. */
  #slots = new Uint32Array(BEGIN);

  constructor(analyzer: Analyzer) {
    this.#analyzer = analyzer;
  }

  /** Documents that are there. */
  get size(): number {
    return this.#count;
  }

  /** Ordinals given out. */
  get ordinals(): number {
    return this.#ids.length;
  }

  /** Too many are deleted: worth writing anew. Early enough that there is room until it is done, a few documents at each change. */
  get isSparse(): boolean {
    const deleted = this.ordinals - this.#count;
    if (deleted > this.#count + DELETED_MIN || this.isFull) return true;
    return this.ordinals >= ORDINALS_MANY && deleted >= ORDINALS_MAX / 16;
  }

  /** There is no room for another document. */
  get isFull(): boolean {
    return this.ordinals >= ORDINALS_MAX - 1;
  }

  get averageLength(): number {
    return this.#count === 0 ? 0 : this.#lengths / this.#count;
  }

  /** Of the newest document, ms; -Infinity when none has a time. */
  get newestTime(): number {
    if (this.#newest === undefined) {
      this.#newest = Number.NEGATIVE_INFINITY;
      for (let at = 0; at < this.ordinals; at += 1) {
        if (this.columns.alive[at] === 1) this.#see(this.columns.time[at] as number);
      }
    }
    return this.#newest;
  }

  has(id: string): boolean {
    return this.#ordinals.has(id);
  }

  ids(): Iterable<string> {
    return this.#ordinals.keys();
  }

  idOf(ordinal: number): string {
    return this.#ids[ordinal] as string;
  }

  isAlive(ordinal: number): boolean {
    return this.columns.alive[ordinal] === 1;
  }

  lengthOf(ordinal: number): number {
    return this.columns.length[ordinal] as number;
  }

  /** -1 for none. */
  sessionOf(ordinal: number): number {
    return this.columns.session[ordinal] as number;
  }

  /** -1 for none. */
  speakerOf(ordinal: number): number {
    return this.columns.speaker[ordinal] as number;
  }

  /** NaN for none. */
  timeOf(ordinal: number): number {
    return this.columns.time[ordinal] as number;
  }

  importanceOf(ordinal: number): number {
    return this.columns.importance[ordinal] as number;
  }

  saysTime(ordinal: number): boolean {
    return this.columns.saysTime[ordinal] === 1;
  }

  spansOf(ordinal: number): readonly Span[] {
    return this.#spans.get(ordinal) ?? [];
  }

  /**
   * The terms of all documents: pairs of a term's number and its counts, `weight | asked << 8`. Those of a document stand from {@link Collection.startOf} to
   * before {@link Collection.endOf}.
   */
  get entries(): Uint32Array {
    return this.#entries;
  }

  startOf(ordinal: number): number {
    return this.#start[ordinal] as number;
  }

  endOf(ordinal: number): number {
    return this.#start[ordinal + 1] as number;
  }

  /** The terms of a document: `take(term, weight, asked)`. */
  eachTerm(ordinal: number, take: (term: number, weight: number, asked: number) => void): void {
    const end = this.#start[ordinal + 1] as number;
    for (let at = this.#start[ordinal] as number; at < end; at += 2) {
      const counts = this.#entries[at + 1] as number;
      take(this.#entries[at] as number, counts & WEIGHT_MAX, counts >>> ASKED_SHIFT);
    }
  }

  /** Before the other in their session: as the columns tell, and by id where they tell nothing. */
  readonly compareTurns = (one: number, other: number): number =>
    this.columns.compareTurns(one, other) || (this.idOf(one) < this.idOf(other) ? -1 : 1);

  neighbour(ordinal: number, distance: number): number | undefined {
    const session = this.columns.session[ordinal] as number;
    if (session === NONE) return undefined;
    return this.sessions.neighbour(session, ordinal, distance, this.compareTurns);
  }

  put(document: RecallDocument): void {
    const { id, text, title, tags, session, speaker, time } = document;
    this.delete(id);
    const ordinal = this.#append(id, document.marks?.map(markOf) ?? []);
    // A lone turn of nobody's, at no time, is a text like any other.
    const isSaid = session !== undefined || speaker !== undefined || time !== undefined;
    const mayTime = this.#readFields(ordinal, text, title, tags);
    this.#describe(ordinal, document);
    const spans = isSaid && mayTime ? timesIn(text, time) : [];
    this.#setTimes(
      ordinal,
      spans,
      isSaid && mayTime && (spans.length > 0 || saysTimeVaguely(text)),
    );
    this.#enter(ordinal);
  }

  /** Puts in what was read before. @param idOf - the number here of a term of the document */
  putAnalyzed(document: Analyzed, idOf: (term: number) => number): void {
    const { id, marks, length, saysTime, spans, life, end, entries } = document;
    if (life !== undefined) this.lives.setEnd(life, end);
    this.delete(id);
    const ordinal = this.#append(id, marks);
    const start = this.#start[ordinal] as number;
    this.#entries = withRoom(this.#entries, start + entries.length);
    for (let at = 0; at < entries.length; at += 2) {
      this.#entries[start + at] = idOf(entries[at] as number);
      this.#entries[start + at + 1] = entries[at + 1] as number;
    }
    this.#start[ordinal + 1] = start + entries.length;
    this.columns.length[ordinal] = length;
    this.#describe(ordinal, document);
    this.#setTimes(ordinal, spans, saysTime);
    this.#enter(ordinal);
  }

  /** Room for what will be put in: growing to it step by step would copy all of it again and again, at once. */
  reserve(documents: number, entries: number): void {
    this.columns.fit(documents);
    this.#start = withRoom(this.#start, documents + 1);
    this.#entries = withRoom(this.#entries, entries);
  }

  /** False when there is none. */
  delete(id: string): boolean {
    const ordinal = this.#ordinals.get(id);
    if (ordinal === undefined) return false;
    this.#ordinals.delete(id);
    this.columns.alive[ordinal] = 0;
    this.#count -= 1;
    const length = this.lengthOf(ordinal);
    this.#lengths -= length;
    this.eachTerm(ordinal, (term) => this.terms.release(term));
    const [session, speaker] = [this.sessionOf(ordinal), this.speakerOf(ordinal)];
    if (session !== NONE) this.sessions.remove(session, ordinal, length);
    if (speaker !== NONE) this.speakers.count(speaker, -1);
    this.#spanCount -= this.spansOf(ordinal).length;
    this.#spans.delete(ordinal);
    if (this.columns.time[ordinal] === this.#newest) this.#newest = undefined;
    return true;
  }

  /** A document that is there. */
  analyzed(ordinal: number): Analyzed {
    const { columns } = this;
    const life = columns.life[ordinal] as number;
    const [session, speaker] = [this.sessionOf(ordinal), this.speakerOf(ordinal)];
    return {
      id: this.idOf(ordinal),
      session: session === NONE ? undefined : this.sessions.nameOf(session),
      speaker: speaker === NONE ? undefined : this.speakers.nameOf(speaker),
      order: columns.order[ordinal] as number,
      time: this.timeOf(ordinal),
      importance: this.importanceOf(ordinal),
      sequence: columns.sequence[ordinal] as number,
      life: this.lives.nameOf(life),
      end: this.lives.endOf(life),
      marks: this.marks.of(ordinal),
      length: this.lengthOf(ordinal),
      saysTime: this.saysTime(ordinal),
      spans: this.spansOf(ordinal),
      entries: this.#entries.subarray(this.startOf(ordinal), this.endOf(ordinal)),
    };
  }

  /** About, bytes. */
  get bytes(): number {
    let bytes = this.columns.bytes + this.marks.bytes + this.lives.bytes;
    bytes += this.#start.byteLength + this.#entries.byteLength;
    bytes += 150 * this.#ids.length + 100 * this.#spanCount;
    return bytes + this.terms.bytes + this.sessions.bytes;
  }

  #append(id: string, marks: readonly number[]): number {
    const ordinal = this.#ids.length;
    if (ordinal >= ORDINALS_MAX) throw new RangeError(`more than ${ORDINALS_MAX} documents`);
    this.#ids.push(id);
    const room = ordinal + 1;
    this.columns.fit(room);
    this.marks.append(ordinal, marks);
    this.#start = withRoom(this.#start, room + 1);
    this.#start[ordinal + 1] = this.#start[ordinal] as number;
    return ordinal;
  }

  #describe(ordinal: number, facts: Described): void {
    const { session, speaker, life, order = Number.NaN, sequence = Number.NaN } = facts;
    const { time = Number.NaN, importance = Number.NaN } = facts;
    this.columns.set(ordinal, {
      session: session === undefined ? NONE : this.sessions.idOf(session),
      speaker: speaker === undefined ? NONE : this.speakers.idOf(speaker),
      order,
      sequence,
      time,
      importance,
      life: life === undefined ? NONE : this.lives.idOf(life),
    });
  }

  #setTimes(ordinal: number, spans: readonly Span[], saysTime: boolean): void {
    this.columns.saysTime[ordinal] = saysTime ? 1 : 0;
    if (spans.length > 0) this.#spans.set(ordinal, spans);
    this.#spanCount += spans.length;
  }

  /** From now on it is there. */
  #enter(ordinal: number): void {
    const length = this.lengthOf(ordinal);
    this.#ordinals.set(this.idOf(ordinal), ordinal);
    this.columns.alive[ordinal] = 1;
    this.#count += 1;
    this.#lengths += length;
    this.eachTerm(ordinal, (term, weight) => this.terms.add(term, ordinal, weight));
    const [session, speaker] = [this.sessionOf(ordinal), this.speakerOf(ordinal)];
    if (session !== NONE) this.sessions.add(session, ordinal, length, this.compareTurns);
    if (speaker !== NONE) this.speakers.count(speaker, 1);
    if (this.#newest !== undefined) this.#see(this.timeOf(ordinal));
  }

  /** Whether the text may say a time. */
  #readFields(
    ordinal: number,
    text: string,
    title: string | undefined,
    tags: readonly string[] | undefined,
  ): boolean {
    let length = 0;
    let weight = 0;
    const start = this.#start[ordinal] as number;
    const take = (term: string, asked: boolean) => {
      length += weight;
      this.#countTerm(ordinal, start, this.terms.idOf(term), weight, asked);
    };
    try {
      weight = FIELD_WEIGHTS.title;
      if (title !== undefined) this.#analyzer.read(title, take);
      weight = FIELD_WEIGHTS.tags;
      for (const tag of tags ?? []) this.#analyzer.read(tag, take);
      weight = FIELD_WEIGHTS.text;
      const mayTime = this.#analyzer.read(text, take);
      this.columns.length[ordinal] = length;
      return mayTime;
    } finally {
      // Also after what is no text: the next document must not be counted with this one.
      for (let at = start; at < (this.#start[ordinal + 1] as number); at += 2) {
        this.#slots[this.#entries[at] as number] = 0;
      }
    }
  }

  #countTerm(ordinal: number, start: number, term: number, weight: number, asked: boolean): void {
    this.#slots = withRoom(this.#slots, term + 1);
    const slot = this.#slots[term] as number;
    if (slot === 0) {
      this.#slots[term] = 1 + ((this.#start[ordinal + 1] as number) - start) / 2;
      this.#entry(ordinal, term, weight, asked ? weight : 0);
      return;
    }
    const at = start + 2 * (slot - 1) + 1;
    const counts = this.#entries[at] as number;
    const sum = Math.min(WEIGHT_MAX, (counts & WEIGHT_MAX) + weight);
    const sumAsked = Math.min(sum, (counts >>> ASKED_SHIFT) + (asked ? weight : 0));
    this.#entries[at] = sum | (sumAsked << ASKED_SHIFT);
  }

  #entry(ordinal: number, term: number, weight: number, asked: number): void {
    const end = this.#start[ordinal + 1] as number;
    this.#entries = withRoom(this.#entries, end + 2);
    this.#entries[end] = term;
    this.#entries[end + 1] = weight | (asked << ASKED_SHIFT);
    this.#start[ordinal + 1] = end + 2;
  }

  #see(time: number): void {
    if (time > (this.#newest as number)) this.#newest = time;
  }
}
