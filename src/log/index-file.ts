/**
 * The index of a closed segment on the disk (docs/FORMAT.md, "Index files in detail"): derived from the segment, checked
 * whenever a piece of it is read, ignored and built again when it is not right.
 *
 * An opened index keeps a few facts; its directories and the blocks read last live in memory that all indexes share and that
 * is bounded. With the directories there, a look-up of a stream or a key is one small read.
 */
import { join } from 'node:path';
import { RecollectError, systemCode } from '../errors.js';
import { hashName, type NameHash } from './bloom-filter.js';
import { checksumHolds } from './decode.js';
import { closingLine } from './encode.js';
import { LF, segmentName } from './format.js';
import {
  Block,
  Directory,
  IndexGone,
  type IndexMemory,
  IndexProblem,
  parseLine,
  sectionNumber,
} from './index-directory.js';
import {
  type ClosingFacts,
  checksumText,
  encodeIndex,
  SECTIONS,
  type SectionName,
  TRAILER_BYTES,
} from './index-encode.js';
import { ask, type Io } from './io.js';
import { type OpenFiles, readFully } from './open-files.js';
import type { Paths } from './paths.js';
import { readAll } from './segment-bytes.js';
import type { SegmentFiles } from './segment-files.js';
import type {
  CommitPlace,
  KeyPlace,
  NamedKey,
  SegmentIndex,
  StreamVersion,
  TailIndex,
} from './segment-index.js';

const FORMAT = 1;
/** Longer than any header line or closing line. */
const SHORT_LINE_MAX = 512;

/** Bytes of an index. @throws IndexProblem when they cannot be had */
type Source = (offset: number, length: number) => Io<Buffer>;

export interface Header {
  readonly index: number;
  readonly format: number;
  readonly last: number;
  readonly events: number;
  readonly keyed: number;
  readonly firstTime: string;
  readonly lastTime: string;
  readonly stride: number;
  readonly bytes: number;
  readonly seal: string;
}

type SectionPlace = readonly [offset: number, length: number, checksum: string];
type Trailer = { readonly end: number } & Readonly<Record<SectionName, SectionPlace>>;

interface StreamLine {
  readonly s: string;
  /** First and last version. */
  readonly v: readonly [number, number];
  readonly o: readonly number[];
  /** Versions in each commit, left out when it is one in each. */
  readonly n?: readonly number[];
}

interface KeyLine {
  readonly k: string;
  readonly p: number;
  readonly o: number;
  readonly n: number;
}

interface PositionLine {
  readonly at: number;
  readonly o: readonly number[];
}

let lastNumber = 0;

export class IndexFile implements SegmentIndex, ClosingFacts {
  readonly first: number;
  readonly last: number;
  readonly events: number;
  readonly keyed: number;
  readonly firstTime: string;
  readonly lastTime: string;
  readonly seal: string;
  readonly bytes: number;
  readonly #stride: number;
  readonly #trailer: Trailer;
  readonly #source: Source;
  readonly #memory: IndexMemory;
  /** Tells what this index keeps in the shared memory from what others do. */
  readonly #number: number;

  constructor(
    header: Header,
    trailer: Trailer,
    source: Source,
    memory: IndexMemory,
    number: number,
  ) {
    this.first = header.index;
    this.last = header.last;
    this.events = header.events;
    this.keyed = header.keyed;
    this.firstTime = header.firstTime;
    this.lastTime = header.lastTime;
    this.seal = header.seal;
    this.bytes = header.bytes;
    this.#stride = header.stride;
    this.#trailer = trailer;
    this.#source = source;
    this.#memory = memory;
    this.#number = number;
  }

  get commits(): number {
    return this.last - this.first + 1;
  }

  mayHaveStream(stream: string): boolean {
    return this.mayHave('streams', hashName(stream)) ?? true;
  }

  mayHaveKey(key: string): boolean {
    return this.mayHave('keys', hashName(key)) ?? true;
  }

  /** False when the name is certainly not in that section; `undefined` when its filter is not in memory now. */
  mayHave(section: 'streams' | 'keys', hash: NameHash): boolean | undefined {
    return this.#memory.directories.peek(this.#directoryNumber(section))?.mayHave(hash);
  }

  *version(stream: string): Io<number> {
    const directory = yield* this.load('streams');
    if (!directory.mayHave(hashName(stream))) return 0;
    const block = yield* this.#block('streams', directory, directory.find(stream, Infinity));
    const number = block?.find<StreamLine>(({ s }) => s > stream) ?? -1;
    const line = number < 0 ? undefined : block?.line<StreamLine>(number);
    return line?.s === stream ? line.v[1] : 0;
  }

  *commitsOf(stream: string, from: number, to: number): Io<number[]> {
    const offsets: number[] = [];
    const directory = yield* this.load('streams');
    if (!directory.mayHave(hashName(stream))) return offsets;
    const isBehind = ({ s, v }: StreamLine) => (s === stream ? v[0] > from : s > stream);
    let number = Math.max(0, directory.find(stream, from));
    for (; number < directory.count && !directory.beginsBehind(number, stream, to); number += 1) {
      const block = yield* this.#block('streams', directory, number);
      if (!block) break;
      const begin = Math.max(0, block.find(isBehind));
      for (let index = begin; index < block.count; index += 1) {
        const line = block.line<StreamLine>(index);
        if (line.s > stream) return offsets;
        if (line.s === stream) addOffsets(offsets, line, from, to);
      }
    }
    return offsets;
  }

  /** The last version here of every stream. Reads all of the section and keeps none of it. */
  *lastVersions(): Io<Map<string, number>> {
    const versions = new Map<string, number>();
    const directory = yield* this.load('streams');
    for (let number = 0; number < directory.count; number += 1) {
      const { offset, length } = directory.place(number);
      const bytes = yield* this.#source(offset, length);
      directory.check(number, bytes);
      const block = new Block(bytes);
      for (let index = 0; index < block.count; index += 1) {
        const { s, v } = block.line<StreamLine>(index);
        versions.set(s, v[1]);
      }
    }
    return versions;
  }

  *streamNames(): Io<Iterable<string>> {
    return (yield* this.lastVersions()).keys();
  }

  *key(key: string): Io<KeyPlace | undefined> {
    const directory = yield* this.load('keys');
    if (!directory.mayHave(hashName(key))) return undefined;
    const block = yield* this.#block('keys', directory, directory.find(key, 0));
    const number = block?.find<KeyLine>(({ k }) => k > key) ?? -1;
    const line = number < 0 ? undefined : block?.line<KeyLine>(number);
    return line?.k === key ? { position: line.p, offset: line.o, ordinal: line.n } : undefined;
  }

  *commitBefore(position: number): Io<CommitPlace> {
    const directory = yield* this.load('positions');
    const blockNumber = Math.max(0, directory.find('', position));
    const block = yield* this.#block('positions', directory, blockNumber);
    if (!block) return { position: this.first, offset: 0 };
    const number = block.find<PositionLine>(({ at }) => at > position);
    const line = block.line<PositionLine>(Math.max(0, number));
    const strides = Math.floor((position - line.at) / this.#stride);
    const steps = Math.min(Math.max(0, strides), line.o.length - 1);
    let offset = 0;
    for (let index = 0; index <= steps; index += 1) offset += line.o[index] as number;
    return { position: line.at + steps * this.#stride, offset };
  }

  *streamsBehind(after: string): Io<StreamVersion[]> {
    const found: StreamVersion[] = [];
    const directory = yield* this.load('streams');
    let number = Math.max(0, directory.find(after, Infinity));
    for (; number < directory.count; number += 1) {
      const block = (yield* this.#block('streams', directory, number)) as Block;
      for (let index = 0; index < block.count; index += 1) {
        const { s, v } = block.line<StreamLine>(index);
        if (s <= after) continue;
        if (found.at(-1)?.key === s) found.pop();
        found.push({ key: s, version: v[1] });
      }
      const last = found.at(-1);
      const goesOn =
        last !== undefined &&
        number + 1 < directory.count &&
        !directory.beginsBehind(number + 1, last.key, Infinity);
      if (last && !goesOn) break;
    }
    return found;
  }

  *streamCountMax(): Io<number> {
    return (yield* this.load('streams')).filter.namesMax;
  }

  *keysBehind(after: string): Io<NamedKey[]> {
    const found: NamedKey[] = [];
    const directory = yield* this.load('keys');
    let number = Math.max(0, directory.find(after, 0));
    for (; number < directory.count && found.length === 0; number += 1) {
      const block = (yield* this.#block('keys', directory, number)) as Block;
      for (let index = 0; index < block.count; index += 1) {
        const { k, p, o, n } = block.line<KeyLine>(index);
        if (k > after) found.push({ key: k, position: p, offset: o, ordinal: n });
      }
    }
    return found;
  }

  /** Reads a directory unless it is in memory. */
  *load(section: SectionName): Io<Directory> {
    const { directories } = this.#memory;
    const known = directories.get(this.#directoryNumber(section));
    if (known) return known;
    const [offset, length, checksum] = this.#trailer[section];
    const bytes = yield* this.#source(offset, length);
    if (checksumText(bytes) !== checksum) throw new IndexProblem('a wrong checksum');
    const directory = new Directory(bytes, section);
    directories.set(this.#directoryNumber(section), directory, directory.memoryBytes);
    return directory;
  }

  *#block(section: SectionName, directory: Directory, number: number): Io<Block | undefined> {
    if (number < 0 || number >= directory.count) return undefined;
    const { blocks } = this.#memory;
    const name = `${this.#directoryNumber(section)}:${number}`;
    const known = blocks.get(name);
    if (known) return known;
    const { offset, length } = directory.place(number);
    const bytes = yield* this.#source(offset, length);
    directory.check(number, bytes);
    const block = new Block(bytes);
    blocks.set(name, block, block.memoryBytes);
    return block;
  }

  #directoryNumber(section: SectionName): number {
    return this.#number * SECTIONS.length + sectionNumber(section);
  }
}

function addOffsets(offsets: number[], line: StreamLine, from: number, to: number): void {
  let offset = 0;
  let version = line.v[0];
  for (let index = 0; index < line.o.length && version <= to; index += 1) {
    offset += line.o[index] as number;
    version += line.n?.[index] ?? 1;
    if (version > from) offsets.push(offset);
  }
}

/** Reads header and trailer. @throws IndexProblem */
function* openIndex(
  source: Source,
  size: number,
  first: number,
  memory: IndexMemory,
  number: number,
): Io<IndexFile> {
  if (size < 2 * TRAILER_BYTES) throw new IndexProblem('too short');
  const beginning = yield* source(0, Math.min(size, SHORT_LINE_MAX));
  const end = yield* source(size - TRAILER_BYTES, TRAILER_BYTES);
  const header = indexHeader(beginning, first);
  const trailer = checkedLine<Trailer>(end, end.indexOf('}') + 1);
  if (trailer.end !== FORMAT) throw new IndexProblem('another format');
  return new IndexFile(header, trailer, source, memory, number);
}

/** The header at the beginning of an index file, which must be that segment's. @throws IndexProblem */
export function indexHeader(beginning: Buffer, first: number): Header {
  const header = checkedLine<Header>(beginning, beginning.indexOf(LF));
  if (header.index !== first || header.format !== FORMAT) {
    throw new IndexProblem('another segment or format');
  }
  return header;
}

/** The line at the beginning, `length` bytes long without its LF, if its checksum is right. */
function checkedLine<T>(bytes: Buffer, length: number): T {
  const line = Buffer.concat([bytes.subarray(0, Math.max(0, length)), Buffer.of(LF)]);
  if (!checksumHolds(line, 0, line.length)) throw new IndexProblem('a wrong checksum');
  return parseLine<T>(line, 0, line.length);
}

/** True for errors that say nothing about the file: the next attempt may well succeed. */
function isPassing(error: unknown): boolean {
  const code = systemCode(error);
  return code === undefined || code === 'EMFILE' || code === 'ENFILE';
}

function* fromFile<T>(work: Io<T>): Io<T> {
  try {
    return yield* work;
  } catch (error) {
    if (error instanceof RecollectError || error instanceof IndexProblem || isPassing(error)) {
      throw error;
    }
    throw new IndexProblem('it cannot be read', { cause: error });
  }
}

export function indexPath(paths: Paths, first: number): string {
  return join(paths.index, segmentName(first));
}

/** The files that indexes are read from, and those of the segments they must belong to. */
export interface IndexFiles {
  readonly files: OpenFiles;
  readonly segments: SegmentFiles;
}

/** The index file of that segment, or `undefined` when it is missing, broken, or the segment is another one now. */
export function* openIndexFile(
  paths: Paths,
  first: number,
  { files, segments }: IndexFiles,
  memory: IndexMemory,
): Io<IndexFile | undefined> {
  const path = indexPath(paths, first);
  try {
    const index = yield* openIndexAt(path, first, files, memory);
    const closing = yield* closingFactsOf(segments, first, index.last);
    if (closing?.seal === index.seal && closing.bytes === index.bytes) return index;
  } catch (error) {
    if (!(error instanceof IndexProblem)) throw error;
  }
  yield* files.forget(path);
  return undefined;
}

/** What is left of a dropped segment: its index, which nothing can build again. @throws IndexProblem when it is not whole */
export function* openRemains(
  paths: Paths,
  first: number,
  files: OpenFiles,
  memory: IndexMemory,
): Io<IndexFile> {
  return yield* openIndexAt(paths.remains(first), first, files, memory);
}

function* openIndexAt(
  path: string,
  first: number,
  files: OpenFiles,
  memory: IndexMemory,
): Io<IndexFile> {
  function* source(offset: number, length: number): Io<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length);
    const work = files.use(path, (file) => readFully(file, bytes, 0, length, offset));
    const count = yield* fromFile(work);
    if (count < length) throw new IndexProblem('too short');
    return bytes;
  }
  const size = yield* fromFile(files.use(path, (file) => ask('size', file)));
  lastNumber += 1;
  return yield* openIndex(source, size, first, memory, lastNumber);
}

/** The index of a segment whose index file cannot be written. Lasts as long as the shared memory has room for it. */
export function* openIndexImage(
  tail: TailIndex,
  closing: ClosingFacts,
  memory: IndexMemory,
): Io<IndexFile> {
  const image = Buffer.concat([...encodeIndex(tail, closing)]);
  lastNumber += 1;
  const number = lastNumber;
  memory.images.set(number, image, image.length);
  // biome-ignore lint/correctness/useYield: this source does no I/O, others do
  function* source(offset: number, length: number): Io<Buffer> {
    const bytes = memory.images.get(number);
    if (!bytes) throw new IndexGone('it had to make room');
    // A copy, because a piece that is kept would keep the whole image.
    return Buffer.from(bytes.subarray(offset, offset + length));
  }
  return yield* openIndex(source, image.length, tail.first, memory, number);
}

/** What the closing line of a segment says; `undefined` when there is none, or not for that position. */
export function* closingFactsOf(
  segments: SegmentFiles,
  first: number,
  last: number,
): Io<ClosingFacts | undefined> {
  return yield* segments.use(first, function* (source): Io<ClosingFacts | undefined> {
    const { archive } = source;
    if (archive) return archive.last === last ? archive : undefined;
    const size = yield* source.size();
    const from = Math.max(0, size - SHORT_LINE_MAX);
    const end = Buffer.alloc(size - from);
    const count = yield* readAll(source, end, from);
    const start = end.subarray(0, Math.max(0, count - 1)).lastIndexOf(LF) + 1;
    const line = end.subarray(start, count);
    const seal = /^\{"close":[0-9]+,"seal":"([0-9a-f]{64})"/.exec(line.toString('latin1'))?.[1];
    if (seal === undefined || !line.equals(closingLine(last, seal))) return undefined;
    return { seal, bytes: size };
  });
}
