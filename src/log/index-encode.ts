/**
 * From the index of a segment in memory to the lines of an index file (docs/FORMAT.md, "Index files in detail").
 * The same segment always gives the same bytes, so it does not matter which process writes the file.
 */
import { crc32 } from 'node:zlib';
import { BloomFilter, hashName } from './bloom-filter.js';
import { finishedLine } from './encode.js';
import { LF } from './format.js';
import { type KeyPlace, POSITION_STRIDE, type TailIndex } from './segment-index.js';

/** What ties an index file to its segment. */
export interface ClosingFacts {
  /** The seal in the segment's closing line. */
  readonly seal: string;
  /** Size of the segment with its closing line. */
  readonly bytes: number;
}

/** A block is closed before it grows beyond this, unless a single line is longer. */
export const BLOCK_BYTES = 4096;
/** Commits in one line of postings, and strides in one line of positions. */
export const POSTINGS_MAX = 512;
export const TRAILER_BYTES = 256;
export const SECTIONS = ['streams', 'keys', 'positions'] as const;
export type SectionName = (typeof SECTIONS)[number];

export function checksumText(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, '0');
}

/** Collects lines into blocks, and what the directory says of them. */
class Section {
  readonly name: SectionName;
  #offset: number;
  #text = '';
  #bytes = 0;
  #first = '';
  readonly #entries: string[] = [];

  constructor(name: SectionName, offset: number) {
    this.name = name;
    this.#offset = offset;
  }

  /** Where the next block begins. */
  get offset(): number {
    return this.#offset;
  }

  /** Adds a line; `first` is what the directory keeps if it begins a block. Gives the block that it no longer fitted into. */
  add(line: string, first: string): Buffer | undefined {
    const bytes = Buffer.byteLength(line);
    const full = this.#bytes > 0 && this.#bytes + bytes > BLOCK_BYTES ? this.end() : undefined;
    if (this.#bytes === 0) this.#first = first;
    this.#text += line;
    this.#bytes += bytes;
    return full;
  }

  /** The block that was begun, if any. */
  end(): Buffer | undefined {
    if (this.#bytes === 0) return undefined;
    const block = Buffer.from(this.#text);
    const entry = `${this.#offset},${block.length},"${checksumText(block)}"`;
    this.#entries.push(`[${entry},${this.#first}]`);
    this.#offset += block.length;
    this.#text = '';
    this.#bytes = 0;
    return block;
  }

  directory(filter: BloomFilter | undefined): Buffer {
    const bits =
      filter === undefined ? '' : `,"filter":"${Buffer.from(filter.bytes).toString('base64')}"`;
    return Buffer.from(`{"blocks":"${this.name}","at":[${this.#entries.join(',')}]${bits}}\n`);
  }
}

interface Postings {
  readonly offsets: number[];
  readonly counts: number[];
  /** The version of the first event. */
  firstVersion: number;
}

/** A stream's postings, oldest first. */
function postingsOf(tail: TailIndex, stream: string): Postings {
  const postings: Postings = { offsets: [], counts: [], firstVersion: 0 };
  for (const { offset, lastVersion, count } of tail.postingsOf(stream)) {
    postings.offsets.push(offset);
    postings.counts.push(count);
    postings.firstVersion = lastVersion - count + 1;
  }
  if (postings.offsets.length > 1) {
    postings.offsets.reverse();
    postings.counts.reverse();
  }
  return postings;
}

/** The first offset, then how far it is from each to the next. */
function deltas(offsets: readonly number[], from: number, to: number): string {
  let text = `${offsets[from]}`;
  for (let index = from + 1; index < to; index += 1) {
    text += `,${(offsets[index] as number) - (offsets[index - 1] as number)}`;
  }
  return text;
}

/** The lines of a stream, each with what the directory says if it begins a block. */
function streamLines(tail: TailIndex, stream: string): { line: string; first: string }[] {
  const name = JSON.stringify(stream);
  const { offsets, counts, firstVersion } = postingsOf(tail, stream);
  const lines: { line: string; first: string }[] = [];
  let version = firstVersion;
  for (let from = 0; from < offsets.length; from += POSTINGS_MAX) {
    const to = Math.min(offsets.length, from + POSTINGS_MAX);
    let versions = 0;
    for (let index = from; index < to; index += 1) versions += counts[index] as number;
    const several = versions > to - from ? `,"n":[${counts.slice(from, to).join(',')}]` : '';
    const range = `${version},${version + versions - 1}`;
    lines.push({
      line: `{"s":${name},"v":[${range}],"o":[${deltas(offsets, from, to)}]${several}}\n`,
      first: `${name},${version}`,
    });
    version += versions;
  }
  return lines;
}

function* streamBlocks(
  tail: TailIndex,
  section: Section,
  names: readonly string[],
): Generator<Buffer, BloomFilter> {
  const filter = BloomFilter.forNames(names.length);
  for (const stream of names) {
    filter.add(hashName(stream));
    for (const { line, first } of streamLines(tail, stream)) {
      const block = section.add(line, first);
      if (block) yield block;
    }
  }
  return filter;
}

function* keyBlocks(
  tail: TailIndex,
  section: Section,
  names: readonly string[],
): Generator<Buffer, BloomFilter> {
  const filter = BloomFilter.forNames(names.length);
  for (const key of names) {
    const { position, offset, ordinal } = tail.keyNow(key) as KeyPlace;
    filter.add(hashName(key));
    const name = JSON.stringify(key);
    const line = `{"k":${name},"p":${position},"o":${offset},"n":${ordinal}}\n`;
    const block = section.add(line, name);
    if (block) yield block;
  }
  return filter;
}

function* positionBlocks(tail: TailIndex, section: Section): Generator<Buffer, void> {
  const offsets = tail.strides().map(({ offset }) => offset);
  for (let from = 0; from < offsets.length; from += POSTINGS_MAX) {
    const to = Math.min(offsets.length, from + POSTINGS_MAX);
    const position = tail.first + from * POSITION_STRIDE;
    const line = `{"at":${position},"o":[${deltas(offsets, from, to)}]}\n`;
    const block = section.add(line, `${position}`);
    if (block) yield block;
  }
}

function headerOf(tail: TailIndex, closing: ClosingFacts): Buffer {
  return finishedLine(
    `{"index":${tail.first},"format":1,"last":${tail.last},"events":${tail.events},"keyed":${tail.keyed},"firstTime":"${tail.firstTime}","lastTime":"${tail.lastTime}","stride":${POSITION_STRIDE},"bytes":${closing.bytes},"seal":"${closing.seal}"`,
  );
}

function trailerOf(places: ReadonlyMap<SectionName, string>): Buffer {
  const parts = SECTIONS.map((name) => `"${name}":[${places.get(name)}]`);
  const line = finishedLine(`{"end":1,${parts.join(',')}`);
  const trailer = Buffer.alloc(TRAILER_BYTES, ' ');
  line.copy(trailer, 0, 0, line.length - 1);
  trailer[TRAILER_BYTES - 1] = LF;
  return trailer;
}

/** Names in a segment, sorted by UTF-16 code units. */
export interface IndexNames {
  readonly streams: readonly string[];
  readonly keys: readonly string[];
}

/**
 * The whole index file, piece by piece, in order.
 * @param names - of its streams and keys, sorted; sorting many takes long, and may have been done in slices
 */
export function* encodeIndex(
  tail: TailIndex,
  closing: ClosingFacts,
  names: IndexNames = {
    streams: [...tail.streams()].sort(),
    keys: [...tail.keyNames()].sort(),
  },
): Generator<Buffer, void> {
  const header = headerOf(tail, closing);
  yield header;
  const section = new Section('streams', header.length);
  const streamFilter = yield* streamBlocks(tail, section, names.streams);
  yield* lastBlock(section);
  const keys = new Section('keys', section.offset);
  const keyFilter = yield* keyBlocks(tail, keys, names.keys);
  yield* lastBlock(keys);
  const positions = new Section('positions', keys.offset);
  yield* positionBlocks(tail, positions);
  yield* lastBlock(positions);

  let offset = positions.offset;
  const places = new Map<SectionName, string>();
  const directories = [
    { section, filter: streamFilter },
    { section: keys, filter: keyFilter },
    { section: positions, filter: undefined },
  ];
  for (const { section: part, filter } of directories) {
    const directory = part.directory(filter);
    places.set(part.name, `${offset},${directory.length},"${checksumText(directory)}"`);
    offset += directory.length;
    yield directory;
  }
  yield trailerOf(places);
}

function* lastBlock(section: Section): Generator<Buffer, void> {
  const block = section.end();
  if (block) yield block;
}
