/**
 * An index in parts of bytes. What is saved is what was read from the texts, term by term; postings and counts are made of it when it is loaded.
 *
 * Parts: `about`, `terms`, `sessions`, `speakers` and `lives` (JSON); then, for each so many documents, `ids-n` (JSON), `numbers-n` (a row of numbers for each),
 * `entries-n` (a term and its counts, for each term of each), `spans-n` (two times each) and `marks-n`, in the byte order of the machine.
 */
import type { Analyzed, Collection } from './collection.js';

/** Takes a part. Each name comes once. */
export type WritePart = (part: string, bytes: Uint8Array) => void;

/** Gives the bytes of a part. @throws when there is none of that name */
export type ReadPart = (part: string) => Uint8Array;

interface About {
  readonly format: number;
  readonly language: string;
  readonly documents: number;
  readonly chunks: number;
  /** Numbers were written by a machine whose first byte is the least. */
  readonly littleEndian: boolean;
}

const FORMAT = 2;
/** Few enough that writing or reading one takes a few milliseconds. */
const CHUNK_DOCUMENTS = 512;
/** session, speaker, order, sequence, time, importance, length, saysTime, terms, spans, life, end, marks */
const ROW = 13;
const NONE = -1;
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Gives each name a number, in order of appearance. */
class Numbering {
  readonly #numbers = new Map<string, number>();

  of(name: string | undefined): number {
    if (name === undefined) return NONE;
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.#numbers.set(name, this.#numbers.size);
    return this.#numbers.size - 1;
  }

  names(): string[] {
    return [...this.#numbers.keys()];
  }
}

class Chunk {
  readonly ids: string[] = [];
  readonly numbers: number[] = [];
  readonly entries: number[] = [];
  readonly spans: number[] = [];
  readonly marks: number[] = [];

  write(number: number, write: WritePart): void {
    write(`ids-${number}`, json(this.ids));
    write(`numbers-${number}`, bytesOf(Float64Array.from(this.numbers)));
    write(`entries-${number}`, bytesOf(Uint32Array.from(this.entries)));
    write(`spans-${number}`, bytesOf(Float64Array.from(this.spans)));
    write(`marks-${number}`, bytesOf(Uint32Array.from(this.marks)));
  }
}

/** Behind each portion others may have their turn; the collection must not change before the end. */
export function* writeCollection(
  collection: Collection,
  language: string,
  write: WritePart,
): Generator<void, void> {
  const [terms, sessions, speakers] = [new Numbering(), new Numbering(), new Numbering()];
  const lives = new Numbering();
  let chunks = 0;
  let chunk = new Chunk();
  for (const document of collection.analyzed()) {
    const { id, order, sequence, time, importance, length, saysTime, spans, marks } = document;
    chunk.ids.push(id);
    chunk.numbers.push(sessions.of(document.session), speakers.of(document.speaker));
    chunk.numbers.push(order, sequence, time, importance, length, saysTime ? 1 : 0);
    chunk.numbers.push(document.terms.length, spans.length);
    chunk.numbers.push(lives.of(document.life), document.end, marks.length);
    for (const { term, weight, asked } of document.terms) {
      chunk.entries.push(terms.of(term), weight | (asked << 8));
    }
    for (const { from, to } of spans) chunk.spans.push(from, to);
    for (const mark of marks) chunk.marks.push(mark);
    if (chunk.ids.length < CHUNK_DOCUMENTS) continue;
    chunk.write(chunks, write);
    chunks += 1;
    chunk = new Chunk();
    yield;
  }
  if (chunk.ids.length > 0) {
    chunk.write(chunks, write);
    chunks += 1;
    yield;
  }
  const documents = collection.size;
  const about: About = { format: FORMAT, language, documents, chunks, littleEndian };
  write('about', json(about));
  write('terms', json(terms.names()));
  write('sessions', json(sessions.names()));
  write('speakers', json(speakers.names()));
  write('lives', json(lives.names()));
}

/** The language of a saved index. @throws RangeError for what was written otherwise */
export function languageOf(read: ReadPart): string {
  return aboutOf(read).language;
}

/** Puts everything that was saved into a collection. @throws RangeError for what was written otherwise */
export function* readCollection(collection: Collection, read: ReadPart): Generator<void, void> {
  const { chunks, documents } = aboutOf(read);
  const names = {
    terms: texts(read('terms')),
    sessions: texts(read('sessions')),
    speakers: texts(read('speakers')),
    lives: texts(read('lives')),
  };
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    for (const document of documentsOf(chunk, names, read)) collection.putAnalyzed(document);
    yield;
  }
  if (collection.size !== documents) throw new RangeError('the saved index lacks documents');
}

function* documentsOf(
  chunk: number,
  names: {
    readonly terms: readonly string[];
    readonly sessions: readonly string[];
    readonly speakers: readonly string[];
    readonly lives: readonly string[];
  },
  read: ReadPart,
): Iterable<Analyzed> {
  const ids = texts(read(`ids-${chunk}`));
  const numbers = new Float64Array(aligned(read(`numbers-${chunk}`)));
  const entries = new Uint32Array(aligned(read(`entries-${chunk}`)));
  const times = new Float64Array(aligned(read(`spans-${chunk}`)));
  const marks = new Uint32Array(aligned(read(`marks-${chunk}`)));
  const next = { entry: 0, time: 0, mark: 0 };
  for (const [at, id] of ids.entries()) {
    const number = (column: number) => numbers[at * ROW + column] as number;
    if (!(number(ROW - 1) >= 0)) throw new RangeError('the saved index is cut short');
    const [termCount, spanCount, markCount] = [number(8), number(9), number(12)];
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
      terms: Array.from({ length: termCount }, (_, index) => {
        const counts = entries[next.entry + 2 * index + 1] as number;
        const term = names.terms[entries[next.entry + 2 * index] as number];
        if (term === undefined) throw new RangeError('the saved index lacks a term');
        return { term, weight: counts & 0xff, asked: counts >>> 8 };
      }),
    };
    next.entry += 2 * termCount;
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

function texts(bytes: Uint8Array): readonly string[] {
  return JSON.parse(new TextDecoder().decode(bytes)) as readonly string[];
}

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array | Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Bytes that begin where numbers may. */
function aligned(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer as ArrayBuffer;
}
