/**
 * An index in parts of bytes. What is saved is what was read from the texts, term by term; postings and counts are made of it when it is loaded.
 *
 * Parts: `about` (JSON); names, some thousand in each, `terms-n`, `sessions-n`, `speakers-n` and `lives-n` (JSON); then, for each so many documents, `ids-n`
 * (JSON), `numbers-n` (a row of numbers for each), `entries-n` (a term and its counts, for each term of each), `spans-n` (two times each) and `marks-n`, in
 * the byte order of the machine.
 *
 * Between two `yield`s there is so much work as takes a millisecond or two, however large the index is.
 */
import type { Analyzed, Collection } from './collection.js';
import { withRoom } from './growing.js';
import { Names, type Numbered, type ReadPart, readNames, type WritePart } from './saved-names.js';

interface About {
  readonly format: number;
  readonly language: string;
  readonly documents: number;
  /** Numbers in all of `entries-n`. */
  readonly entries: number;
  readonly chunks: number;
  /** Parts of each kind of names. */
  readonly names: Numbered<number>;
  /** Numbers were written by a machine whose first byte is the least. */
  readonly littleEndian: boolean;
}

const FORMAT = 3;
/** So many documents, or numbers of entries, make a chunk. */
const CHUNK_DOCUMENTS = 256;
const CHUNK_ENTRIES = 16_384;
/** So many documents, or numbers of entries, are put in between two yields. */
const PORTION_DOCUMENTS = 64;
const PORTION_ENTRIES = 4096;
/** session, speaker, order, sequence, time, importance, length, saysTime, entries, spans, life, end, marks */
const ROW = 13;
/** Room for what comes behind what is loaded. */
const ROOM = 1.25;
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

class Chunk {
  ids: string[] = [];
  numbers: number[] = [];
  spans: number[] = [];
  marks: number[] = [];
  entryCount = 0;
  #entries = new Uint32Array(CHUNK_ENTRIES);

  get isFull(): boolean {
    return this.ids.length >= CHUNK_DOCUMENTS || this.entryCount >= CHUNK_ENTRIES;
  }

  add(term: number, counts: number): void {
    this.#entries = withRoom(this.#entries, this.entryCount + 2);
    this.#entries[this.entryCount] = term;
    this.#entries[this.entryCount + 1] = counts;
    this.entryCount += 2;
  }

  /** Is empty again afterwards. */
  write(number: number, write: WritePart): void {
    write(`ids-${number}`, json(this.ids));
    write(`numbers-${number}`, bytesOf(new Float64Array(this.numbers)));
    write(`entries-${number}`, bytesOf(this.#entries.subarray(0, this.entryCount)));
    write(`spans-${number}`, bytesOf(new Float64Array(this.spans)));
    write(`marks-${number}`, bytesOf(new Uint32Array(this.marks)));
    this.ids = [];
    this.numbers = [];
    this.spans = [];
    this.marks = [];
    this.entryCount = 0;
  }
}

/** Behind each portion others may have their turn; the collection must not change before the end. */
export function* writeCollection(
  collection: Collection,
  language: string,
  write: WritePart,
): Generator<void, void> {
  const { terms, sessions, speakers, lives } = collection;
  const names: Numbered<Names> = {
    terms: new Names('terms', terms.size, (id) => terms.termOf(id), write),
    sessions: new Names('sessions', sessions.size, (id) => sessions.nameOf(id), write),
    speakers: new Names('speakers', speakers.size, (id) => speakers.nameOf(id), write),
    lives: new Names('lives', lives.size, (id) => lives.nameOf(id) as string, write),
  };
  const chunk = new Chunk();
  let chunks = 0;
  let entries = 0;
  for (let ordinal = 0; ordinal < collection.ordinals; ordinal += 1) {
    // Deleted ones cost a look each.
    if (ordinal % CHUNK_ENTRIES === CHUNK_ENTRIES - 1) yield;
    if (!collection.isAlive(ordinal)) continue;
    addRow(chunk, collection, ordinal, names);
    const end = collection.endOf(ordinal);
    for (let at = collection.startOf(ordinal); at < end; at += 2) {
      const term = collection.entries[at] as number;
      chunk.add(names.terms.of(term), collection.entries[at + 1] as number);
      // A long text alone may have more terms than a part takes.
      if (names.terms.isFull) yield* names.terms.written();
    }
    entries += end - collection.startOf(ordinal);
    for (const each of [names.sessions, names.speakers, names.lives]) {
      if (each.isFull) yield* each.written();
    }
    if (!chunk.isFull) continue;
    chunk.write(chunks, write);
    chunks += 1;
    yield;
  }
  if (chunk.ids.length > 0) {
    chunk.write(chunks, write);
    chunks += 1;
    yield;
  }
  for (const each of Object.values(names)) yield* each.written();
  const about: About = {
    format: FORMAT,
    language,
    documents: collection.size,
    entries,
    chunks,
    names: {
      terms: names.terms.parts,
      sessions: names.sessions.parts,
      speakers: names.speakers.parts,
      lives: names.lives.parts,
    },
    littleEndian,
  };
  write('about', json(about));
}

function addRow(
  chunk: Chunk,
  collection: Collection,
  ordinal: number,
  { sessions, speakers, lives }: Numbered<Names>,
): void {
  const { columns } = collection;
  const [spans, marks] = [collection.spansOf(ordinal), collection.marks.of(ordinal)];
  const life = columns.life[ordinal] as number;
  chunk.ids.push(collection.idOf(ordinal));
  chunk.numbers.push(
    sessions.of(collection.sessionOf(ordinal)),
    speakers.of(collection.speakerOf(ordinal)),
    columns.order[ordinal] as number,
    columns.sequence[ordinal] as number,
    collection.timeOf(ordinal),
    collection.importanceOf(ordinal),
    collection.lengthOf(ordinal),
    collection.saysTime(ordinal) ? 1 : 0,
    collection.endOf(ordinal) - collection.startOf(ordinal),
    spans.length,
    lives.of(life),
    collection.lives.endOf(life),
    marks.length,
  );
  for (const { from, to } of spans) chunk.spans.push(from, to);
  for (const mark of marks) chunk.marks.push(mark);
}

/** The language of a saved index. @throws RangeError for what was written otherwise */
export function languageOf(read: ReadPart): string {
  return aboutOf(read).language;
}

/** Puts everything that was saved into a collection. @throws RangeError for what was written otherwise */
export function* readCollection(collection: Collection, read: ReadPart): Generator<void, void> {
  const { chunks, documents, entries, names: parts } = aboutOf(read);
  collection.reserve(Math.ceil(ROOM * documents), Math.ceil(ROOM * entries));
  const names = {
    sessions: yield* readNames('sessions', parts.sessions, read, (name) => name),
    speakers: yield* readNames('speakers', parts.speakers, read, (name) => name),
    lives: yield* readNames('lives', parts.lives, read, (name) => name),
    terms: yield* readNames('terms', parts.terms, read, (name) => collection.terms.idOf(name)),
  };
  const idOf = (term: number) => {
    const id = names.terms[term];
    if (id === undefined) throw new RangeError('the saved index lacks a term');
    return id;
  };
  let [putIn, entered] = [0, 0];
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    for (const document of documentsOf(chunk, names, read)) {
      collection.putAnalyzed(document, idOf);
      putIn += 1;
      entered += document.entries.length;
      if (putIn < PORTION_DOCUMENTS && entered < PORTION_ENTRIES) continue;
      [putIn, entered] = [0, 0];
      yield;
    }
  }
  if (collection.size !== documents) throw new RangeError('the saved index lacks documents');
}

function* documentsOf(
  chunk: number,
  names: Omit<Numbered<readonly string[]>, 'terms'>,
  read: ReadPart,
): Iterable<Analyzed> {
  const ids = JSON.parse(new TextDecoder().decode(read(`ids-${chunk}`))) as readonly string[];
  const numbers = new Float64Array(aligned(read(`numbers-${chunk}`)));
  const entries = new Uint32Array(aligned(read(`entries-${chunk}`)));
  const times = new Float64Array(aligned(read(`spans-${chunk}`)));
  const marks = new Uint32Array(aligned(read(`marks-${chunk}`)));
  const next = { entry: 0, time: 0, mark: 0 };
  for (const [at, id] of ids.entries()) {
    const number = (column: number) => numbers[at * ROW + column] as number;
    if (!(number(ROW - 1) >= 0)) throw new RangeError('the saved index is cut short');
    const [entryCount, spanCount, markCount] = [number(8), number(9), number(12)];
    if (next.entry + entryCount > entries.length) {
      throw new RangeError('the saved index lacks entries');
    }
    yield {
      id,
      session: names.sessions[number(0)],
      speaker: names.speakers[number(1)],
      order: number(2),
      sequence: number(3),
      time: number(4),
      importance: number(5),
      length: number(6),
      saysTime: number(7) === 1,
      life: names.lives[number(10)],
      end: number(11),
      spans: Array.from({ length: spanCount }, (_, index) => ({
        from: times[next.time + 2 * index] as number,
        to: times[next.time + 2 * index + 1] as number,
      })),
      marks: [...marks.subarray(next.mark, next.mark + markCount)],
      entries: entries.subarray(next.entry, next.entry + entryCount),
    };
    next.entry += entryCount;
    next.time += 2 * spanCount;
    next.mark += markCount;
  }
}

function aboutOf(read: ReadPart): About {
  const about = JSON.parse(new TextDecoder().decode(read('about'))) as Partial<About>;
  if (about.format === FORMAT && about.littleEndian === littleEndian) return about as About;
  throw new RangeError('the index was saved in another format');
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array | Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Bytes that begin where numbers may. */
function aligned(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer as ArrayBuffer;
}
