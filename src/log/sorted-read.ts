/**
 * Reads sorted files (docs/FORMAT.md, "Sorted files"): probed, never loaded. Branches, blocks and pages of a filter are checked when
 * they are read, and kept in memory that all sorted files share and that is bounded.
 */
import { RecollectError, systemCode } from '../errors.js';
import { BloomFilter, hashName, type NameHash } from './bloom-filter.js';
import { ByteLru } from './byte-lru.js';
import { checksumHolds } from './decode.js';
import { LF } from './format.js';
import { checksumText } from './index-encode.js';
import { ask, type Io } from './io.js';
import { OpenFiles, readFully } from './open-files.js';
import {
  BLOCK_BYTES,
  type BranchLine,
  pageLineBytes,
  pageOf,
  type SectionFacts,
  SORTED_FORMAT,
  SortedBlock,
  type SortedHeader,
  SortedProblem,
  type SortedTrailer,
  TRAILER_BYTES,
} from './sorted-format.js';

/** What all sorted files together keep in memory. */
export interface SortedMemory {
  readonly branches: ByteLru<string, SortedBlock>;
  /** Each is looked at in the turn in which it is taken from here, and not kept by anybody: its memory is used again when it goes. */
  readonly blocks: ByteLru<string, SortedBlock>;
  readonly spare: SpareBlocks;
  readonly pages: ByteLru<string, BloomFilter>;
}

export interface SortedMemoryLimits {
  readonly branchBytesMax?: number;
  readonly blockBytesMax?: number;
  readonly pageBytesMax?: number;
}

export function sortedMemory(limits: SortedMemoryLimits = {}): SortedMemory {
  const spare = new SpareBlocks();
  return {
    branches: new ByteLru(limits.branchBytesMax ?? 16 * 1024 * 1024),
    blocks: new ByteLru(limits.blockBytesMax ?? 8 * 1024 * 1024, (block) => spare.give(block)),
    spare,
    pages: new ByteLru(limits.pageBytesMax ?? 32 * 1024 * 1024),
  };
}

/**
 * Blocks that went, for those that come: each random read of a large file takes a block, and new ones would pile up, more than a hundred megabytes of them with
 * what goes with them, until they are collected.
 */
class SpareBlocks {
  readonly #blocks: SortedBlock[] = [];

  /** With room for so many bytes, which must be filled and told by `refill`. */
  take(length: number): SortedBlock {
    const block = length > BLOCK_BYTES ? undefined : this.#blocks.pop();
    if (block) return block;
    return new SortedBlock(Buffer.allocUnsafeSlow(Math.max(length, BLOCK_BYTES)), 0);
  }

  /** One that nobody looks at any more. */
  give(block: SortedBlock): void {
    if (block.bytes.length === BLOCK_BYTES && this.#blocks.length < SPARE_MAX) {
      this.#blocks.push(block);
    }
  }
}

/** Blocks that wait for their next use, four megabytes at most: as many as may be read at one time. */
const SPARE_MAX = 1024;
/** Read at once by who goes along. */
const RUN_BYTES = 64 * 1024;
/** Longer than any header but those of the longest names. */
const HEADER_BYTES = 1024;

/** The open sorted files of a store, and what they keep in memory. */
export class SortedFiles {
  readonly files: OpenFiles;
  readonly memory: SortedMemory;

  constructor(openFilesMax = 16, limits: SortedMemoryLimits = {}) {
    this.files = new OpenFiles(openFilesMax);
    this.memory = sortedMemory(limits);
  }

  /** @throws SortedProblem */
  *open(path: string): Io<SortedFile> {
    return yield* SortedFile.open(path, this.files, this.memory);
  }

  /** Lets go of a file: the next use opens what stands at the path then. */
  *forget(path: string): Io<void> {
    yield* this.files.forget(path);
  }

  *close(): Io<void> {
    yield* this.files.close();
  }
}

let lastNumber = 0;

export class SortedFile {
  readonly path: string;
  readonly header: SortedHeader;
  readonly #trailer: SortedTrailer;
  readonly #files: OpenFiles;
  readonly #memory: SortedMemory;
  /** Tells what this file keeps in the shared memory from what others do. */
  readonly #number: number;

  private constructor(
    path: string,
    header: SortedHeader,
    trailer: SortedTrailer,
    files: OpenFiles,
    memory: SortedMemory,
  ) {
    this.path = path;
    this.header = header;
    this.#trailer = trailer;
    this.#files = files;
    this.#memory = memory;
    lastNumber += 1;
    this.#number = lastNumber;
  }

  /** Reads header and trailer. @throws SortedProblem */
  static *open(path: string, files: OpenFiles, memory: SortedMemory): Io<SortedFile> {
    const size = yield* fromFile(files.use(path, (file) => ask('size', file)));
    if (size < TRAILER_BYTES) throw new SortedProblem('too short');
    const end = yield* bytesOf(files, path, size - TRAILER_BYTES, TRAILER_BYTES);
    const trailer = checkedLine<SortedTrailer>(end, end.lastIndexOf('}') + 1);
    if (trailer.end !== SORTED_FORMAT || trailer.bytes !== size - TRAILER_BYTES) {
      throw new SortedProblem('another format or length');
    }
    let beginning = yield* bytesOf(files, path, 0, Math.min(trailer.bytes, HEADER_BYTES));
    if (!beginning.includes(LF)) {
      beginning = yield* bytesOf(files, path, 0, Math.min(trailer.bytes, 8 * HEADER_BYTES));
    }
    const header = checkedLine<SortedHeader>(beginning, beginning.indexOf(LF));
    if (header.format !== SORTED_FORMAT) throw new SortedProblem('another format');
    return new SortedFile(path, header, trailer, files, memory);
  }

  /** Of the whole file. */
  get bytes(): number {
    return this.#trailer.bytes + TRAILER_BYTES;
  }

  /** Lines of a section. */
  count(section: string): number {
    return this.#trailer.sections[section]?.[0] ?? 0;
  }

  /** False for a file that was written before there was such a section. */
  has(section: string): boolean {
    return Object.hasOwn(this.#trailer.sections, section);
  }

  /** False when the name certainly is not in that section; `undefined` when that takes a look at the file. */
  mayHaveNow(section: string, hash: NameHash): boolean | undefined {
    const [count, , , , , , pages] = this.#facts(section);
    if (count === 0) return false;
    if (pages === 0) return true;
    const page = pageOf(hash.b, pages);
    return this.#memory.pages.peek(this.#name('f', section, page))?.mayHave(hash);
  }

  *#mayHave(section: string, key: string): Io<boolean> {
    const hash = hashName(key);
    const known = this.mayHaveNow(section, hash);
    if (known !== undefined) return known;
    const [, , , , , at, pages, pageBytes] = this.#facts(section);
    const page = pageOf(hash.b, pages);
    const length = pageLineBytes(pageBytes);
    const bytes = yield* this.#read(at + page * length, length);
    const line = checkedLine<{ page: string; bits: string }>(bytes, bytes.length - 1);
    if (Number(line.page) !== page) throw new SortedProblem('another page');
    const filter = new BloomFilter(Buffer.from(line.bits, 'base64'));
    this.#memory.pages.set(this.#name('f', section, page), filter, pageBytes + 100);
    return filter.mayHave(hash);
  }

  /** The key's line. @throws SortedProblem */
  *find<T>(section: string, key: string): Io<T | undefined> {
    if (!(yield* this.#mayHave(section, key))) return undefined;
    const block = yield* this.#blockOf(section, key);
    const index = block?.find(key) ?? -1;
    if (!block || index < 0 || block.key(index) !== key) return undefined;
    return block.line<T>(index);
  }

  *#blockOf(section: string, key: string): Io<SortedBlock | undefined> {
    const [count, ...root] = this.#facts(section);
    if (count === 0) return undefined;
    let at: BranchLine['at'] = [root[0], root[1], root[2]];
    for (let level = root[3]; level > 0; level -= 1) {
      const branch = yield* this.branchAt(at);
      const index = branch.find(key);
      if (index < 0) return undefined;
      at = branch.line<BranchLine>(index).at;
    }
    return yield* this.#leaf(at);
  }

  /** To be looked at before the next request to the disk. */
  *#leaf([offset, length, checksum]: BranchLine['at']): Io<SortedBlock> {
    const { blocks, spare } = this.#memory;
    const name = this.#name('b', '', offset);
    const known = blocks.get(name);
    if (known) return known;
    const block = spare.take(length);
    const bytes = block.bytes.subarray(0, length);
    yield* this.#read(offset, length, bytes);
    if (checksumText(bytes) !== checksum) throw new SortedProblem('a wrong checksum');
    block.refill(length);
    blocks.set(name, block, block.memoryBytes);
    return block;
  }

  /** Goes along a section from the first key at `from` or behind it. */
  cursor(section: string, from = ''): SortedCursor {
    return new SortedCursor(this, this.#facts(section), from, undefined);
  }

  /** The same for whoever is done with the lines when it asks for more: they all stand in the same memory, one batch after the other. */
  passingCursor(section: string): SortedCursor {
    return new SortedCursor(this, this.#facts(section), '', new RunBuffer());
  }

  /** Kept for as long as somebody goes along it. @internal */
  *branchAt([offset, length, checksum]: BranchLine['at']): Io<SortedBlock> {
    const { branches } = this.#memory;
    const name = this.#name('b', '', offset);
    const known = branches.get(name);
    if (known) return known;
    const bytes = yield* this.#read(offset, length);
    if (checksumText(bytes) !== checksum) throw new SortedProblem('a wrong checksum');
    const block = new SortedBlock(bytes);
    branches.set(name, block, block.memoryBytes);
    return block;
  }

  /** @internal For cursors: blocks that stand one behind the other. */
  *blocksAt(places: readonly BranchLine['at'][], run?: RunBuffer): Io<SortedBlock[]> {
    const [first] = places;
    const last = places.at(-1);
    if (!first || !last) return [];
    const length = last[0] + last[1] - first[0];
    const bytes = yield* this.#read(first[0], length, run?.take(length));
    return places.map(([offset, length, checksum]) => {
      const start = offset - first[0];
      const piece = bytes.subarray(start, start + length);
      if (checksumText(piece) !== checksum) throw new SortedProblem('a wrong checksum');
      return new SortedBlock(piece);
    });
  }

  #facts(section: string): SectionFacts {
    const facts = this.#trailer.sections[section];
    if (!facts) throw new SortedProblem('a section is missing');
    return facts;
  }

  #name(what: string, section: string, at: number): string {
    return `${this.#number}${what}${section}${at}`;
  }

  *#read(offset: number, length: number, buffer?: Buffer): Io<Buffer> {
    if (offset + length > this.#trailer.bytes) throw new SortedProblem('beyond the end');
    return yield* bytesOf(this.#files, this.path, offset, length, buffer);
  }
}

/** Memory that one cursor reads into again and again. */
class RunBuffer {
  #buffer = Buffer.alloc(0);

  take(length: number): Buffer {
    if (this.#buffer.length < length) {
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(length, RUN_BYTES));
    }
    return this.#buffer.subarray(0, length);
  }
}

/**
 * A line of a sorted file.
 *
 * A class, as all that is made by the million on the way from one sorted file to the next: V8 learns that literals of one place live long, puts all of them
 * among the old objects from then on, and the texts they name with them, where they wait a hundred megabytes long to be collected.
 */
export class SortedLine {
  readonly key: string;
  readonly block: SortedBlock;
  readonly index: number;

  constructor(key: string, block: SortedBlock, index: number) {
    this.key = key;
    this.block = block;
    this.index = index;
  }
}

/** Goes along a section, a few blocks at a time. */
export class SortedCursor {
  readonly #file: SortedFile;
  readonly #root: BranchLine['at'] | undefined;
  readonly #levels: number;
  #from: string;
  /** From the root down to the lowest branch: each with the entry that comes next. */
  #path: { readonly branch: SortedBlock; next: number }[] | undefined;
  #done = false;
  readonly #run: RunBuffer | undefined;

  /** @internal Made by {@link SortedFile.cursor}. */
  constructor(file: SortedFile, facts: SectionFacts, from: string, run: RunBuffer | undefined) {
    this.#run = run;
    const [count, offset, bytes, checksum, levels] = facts;
    this.#file = file;
    this.#root = count === 0 ? undefined : [offset, bytes, checksum];
    this.#levels = levels;
    this.#from = from;
  }

  /** The next lines, none empty; `undefined` at the end. @throws SortedProblem */
  *next(): Io<SortedLine[] | undefined> {
    while (!this.#done) {
      const places = yield* this.#places();
      if (places.length === 0) {
        this.#done = true;
        break;
      }
      const lines: SortedLine[] = [];
      for (const block of yield* this.#file.blocksAt(places, this.#run)) {
        for (let index = 0; index < block.count; index += 1) {
          const key = block.key(index);
          if (key >= this.#from) lines.push(new SortedLine(key, block, index));
        }
      }
      if (lines.length > 0) return lines;
    }
    return undefined;
  }

  /** Where the next blocks stand. */
  *#places(): Io<BranchLine['at'][]> {
    if (!this.#root) return [];
    if (this.#levels === 0) {
      const first = this.#path === undefined;
      this.#path = [];
      return first ? [this.#root] : [];
    }
    const path = this.#path ?? (yield* this.#descend());
    if (!(yield* this.#climb(path))) return [];
    const lowest = path.at(-1) as { branch: SortedBlock; next: number };
    const places: BranchLine['at'][] = [];
    let bytes = 0;
    while (lowest.next < lowest.branch.count) {
      const { at } = lowest.branch.line<BranchLine>(lowest.next);
      if (places.length > 0 && bytes + at[1] > RUN_BYTES) break;
      bytes += at[1];
      places.push(at);
      lowest.next += 1;
    }
    return places;
  }

  *#descend(): Io<{ readonly branch: SortedBlock; next: number }[]> {
    const path: { readonly branch: SortedBlock; next: number }[] = [];
    let at = this.#root as BranchLine['at'];
    for (let level = this.#levels; level > 0; level -= 1) {
      const branch = yield* this.#file.branchAt(at);
      const index = Math.max(0, branch.find(this.#from));
      // The lowest branch begins with the entry itself, those above with the one behind what is entered now.
      path.push({ branch, next: level === 1 ? index : index + 1 });
      at = branch.line<BranchLine>(index).at;
    }
    this.#path = path;
    return path;
  }

  /** Makes the lowest branch have a next entry; false at the end. */
  *#climb(path: { readonly branch: SortedBlock; next: number }[]): Io<boolean> {
    let depth = path.length - 1;
    while (depth >= 0 && (path[depth]?.next ?? 0) >= (path[depth]?.branch.count ?? 0)) depth -= 1;
    if (depth < 0) return false;
    while (depth < path.length - 1) {
      const step = path[depth] as { readonly branch: SortedBlock; next: number };
      const { at } = step.branch.line<BranchLine>(step.next);
      step.next += 1;
      depth += 1;
      path[depth] = { branch: yield* this.#file.branchAt(at), next: 0 };
    }
    return true;
  }
}

/** @param bytes - to be filled, of that length; new without it */
function* bytesOf(
  files: OpenFiles,
  path: string,
  offset: number,
  length: number,
  bytes: Buffer = Buffer.allocUnsafeSlow(length),
): Io<Buffer> {
  const work = files.use(path, (file) => readFully(file, bytes, 0, length, offset));
  if ((yield* fromFile(work)) < length) throw new SortedProblem('too short');
  return bytes;
}

/** The line at the beginning, `length` bytes long without its LF, if its checksum is right. */
function checkedLine<T>(bytes: Buffer, length: number): T {
  const line = Buffer.concat([bytes.subarray(0, Math.max(0, length)), Buffer.of(LF)]);
  if (!checksumHolds(line, 0, line.length)) throw new SortedProblem('a wrong checksum');
  try {
    return JSON.parse(line.toString('utf8')) as T;
  } catch {
    throw new SortedProblem('not valid JSON');
  }
}

/** What the disk says, as a word on the file; but not that too many files are open, which says nothing about it. */
function* fromFile<T>(work: Io<T>): Io<T> {
  try {
    return yield* work;
  } catch (error) {
    const code = systemCode(error);
    if (error instanceof RecollectError || error instanceof SortedProblem) throw error;
    if (code === undefined || code === 'EMFILE' || code === 'ENFILE') throw error;
    throw new SortedProblem('it cannot be read', { cause: error });
  }
}
