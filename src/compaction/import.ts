/**
 * Import: a new store from a file of events. It is made beside its place, read back and verified, and gets its name by one rename, last: until then nothing
 * stands there, whatever is wrong with the file and wherever the process dies.
 *
 * Invariants:
 * - every event passes the rules of `append`, and what a file says of positions, versions and times holds in the new store, or it is refused;
 * - of a source that is a file, how far it was read is written down, behind what was synced; the same import after a kill goes on from there.
 */
import { createHash, type Hash } from 'node:crypto';
import { join, sep } from 'node:path';
import {
  checkOptionNames,
  ImportFailedError,
  invalidArgument,
  optionNames,
  StoreAccessError,
  systemCode,
} from '../errors.js';
import { Beside } from '../log/beside.js';
import { realDirectory } from '../log/directory.js';
import { type Environment, realEnvironment } from '../log/environment.js';
import { LF, LOCK_FILE, lineBytesMax } from '../log/format.js';
import { isoTime } from '../log/group.js';
import { ask, closeQuietly, type Io, runAsync } from '../log/io.js';
import { type BuildOptions, LogBuilder } from '../log/log-builder.js';
import { checkOptions } from '../log/log-options.js';
import { onAbort } from '../log/on-abort.js';
import { RealDisk } from '../log/real-disk.js';
import { asStoreError } from '../log/store-error.js';
import type { Durability } from '../log/store-file.js';
import type { Head } from '../log/types.js';
import { removeTree } from '../log/whole-file.js';
import { Course, type CourseOptions } from './course.js';
import { checkFormat } from './export.js';
import type { ExportFormat } from './exported-event.js';
import {
  IMPORT_FILE,
  type ImportPoint,
  readImportPoint,
  writeImportPoint,
} from './import-point.js';
import { IncomingCommits, LineCutter } from './incoming-commits.js';

/** A path of a file, or what gives bytes or text piece by piece, such as a stream of Node. */
export type ImportSource = string | AsyncIterable<Uint8Array | string>;

export interface ImportOptions extends CourseOptions {
  readonly format: ExportFormat;
  /** Take a time before that of the commit before as that one's, and keep what it was as the writer's clock. Default false: it is refused. */
  readonly clampTimes?: boolean | undefined;
  /** Of the new store. Default `'sync'`. */
  readonly durability?: Durability | undefined;
  /** Of the new store. Default 100 000. */
  readonly idempotencyWindow?: number | undefined;
}

const IMPORT_OPTIONS = optionNames<ImportOptions>({
  format: true,
  clampTimes: true,
  durability: true,
  idempotencyWindow: true,
  onProgress: true,
  signal: true,
});

export interface ImportReport {
  /** Where the new store stands. */
  readonly directory: string;
  readonly id: string;
  readonly commits: number;
  readonly events: number;
  readonly head: Head;
  /** Whether it went on where an import that was killed had come to. */
  readonly resumed: boolean;
}

const PIECE_BYTES = 1024 * 1024;
/** How much of the source is read before what was made of it is synced and written down. */
const POINT_BYTES = 16 * 1024 * 1024;
const SUFFIX = 'import.tmp';

/**
 * Makes a store at `directory`, where nothing may stand yet, of events in a file. Lines that name positions, versions and times keep them; those that do not,
 * as of other programs, are given the next ones. The new store has an id of its own.
 *
 * The same import of the same file after the process died goes on where it had come to.
 * @throws ImportFailedError with line and column, StoreAccessError, StoreFullError, TypeError (`TARGET_EXISTS` among others), what the source fails with, the
 * signal's reason: nothing was made
 */
export async function importStore(
  source: ImportSource,
  directory: string,
  options: ImportOptions,
): Promise<ImportReport> {
  const from = typeof source === 'string' ? realDirectory(source, 'the source') : source;
  const target = realDirectory(directory, 'the directory');
  return await importStoreOn(realEnvironment(new RealDisk()), from, target, options);
}

/** @internal {@link importStore} on any disk. `pointBytes` is for tests. */
export async function importStoreOn(
  environment: Environment,
  source: ImportSource,
  directory: string,
  options: ImportOptions,
  pointBytes: number = POINT_BYTES,
): Promise<ImportReport> {
  checkOptionNames(options, IMPORT_OPTIONS, 'importStore');
  checkFormat(options);
  if (typeof source !== 'string' && !isIterable(source)) {
    throw invalidArgument('the source must be a path, or give bytes or text when it is iterated');
  }
  if (typeof source === 'string' && source.startsWith(directory + sep)) {
    throw invalidArgument('the source must lie outside of the new store');
  }
  const { clampTimes } = options;
  if (clampTimes !== undefined && typeof clampTimes !== 'boolean') {
    throw invalidArgument('clampTimes must be true or false');
  }
  const { durability, idempotencyWindow } = checkOptions({
    durability: options.durability,
    idempotencyWindow: options.idempotencyWindow,
  });
  const course = new Course(options);
  const build = { durability, idempotencyWindow };
  const work = new Import(environment, source, directory, options, build, course, pointBytes);
  try {
    return await work.run();
  } catch (error) {
    throw asStoreError(error, directory);
  }
}

function isIterable(source: unknown): source is AsyncIterable<Uint8Array | string> {
  const { [Symbol.asyncIterator]: iterate } = (source ?? {}) as Partial<AsyncIterable<unknown>>;
  return typeof iterate === 'function';
}

class Import {
  readonly #environment: Environment;
  readonly #source: ImportSource;
  readonly #target: string;
  readonly #options: ImportOptions;
  readonly #build: BuildOptions;
  readonly #course: Course;
  readonly #pointBytes: number;
  #hash: Hash = createHash('sha256');
  /** Bytes of the source that were taken over, and how many of them when the last point was written. */
  #bytes = 0;
  #pointAt = 0;

  constructor(
    environment: Environment,
    source: ImportSource,
    target: string,
    options: ImportOptions,
    build: BuildOptions,
    course: Course,
    pointBytes: number,
  ) {
    this.#environment = environment;
    this.#source = source;
    this.#target = target;
    this.#options = options;
    this.#build = build;
    this.#course = course;
    this.#pointBytes = pointBytes;
  }

  async run(): Promise<ImportReport> {
    const source = this.#source;
    if (typeof source !== 'string') {
      const beside = await this.#io(Beside.begin(this.#environment, this.#target));
      return await this.#whole(beside, async () => await this.#fromPieces(beside, source));
    }
    const file = await this.#open(source);
    try {
      const beside = await this.#io(Beside.takeOver(this.#environment, this.#target, SUFFIX));
      if (!beside) {
        const cause = new Error('another import into it is under way');
        throw new StoreAccessError(this.#target, cause, 'Wait for that one to end.');
      }
      return await this.#whole(beside, () => this.#io(this.#fromFile(beside, source, file)));
    } finally {
      closeQuietly(this.#environment.disk, file);
    }
  }

  #io<T>(work: Io<T>): Promise<T> {
    return runAsync(this.#environment.disk, work);
  }

  async #open(path: string): Promise<number> {
    try {
      return await this.#io(ask('open', path, 'read'));
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      const problem = `it cannot be opened (${systemCode(error)})`;
      throw new ImportFailedError(path, problem, { cause: error });
    }
  }

  /** Leaves nothing behind when the work fails; only a process that dies does. */
  async #whole(beside: Beside, work: () => Promise<ImportReport>): Promise<ImportReport> {
    try {
      return await work();
    } catch (error) {
      await this.#io(beside.discard());
      throw error;
    }
  }

  async #fromPieces(
    beside: Beside,
    source: AsyncIterable<Uint8Array | string>,
  ): Promise<ImportReport> {
    const builder = await this.#io(LogBuilder.within(this.#environment, beside, this.#build));
    const commits = this.#commits(builder, 0);
    const cutter = new LineCutter();
    try {
      this.#course.begin('read', 'bytes');
      for await (const piece of untilAborted(source, this.#options.signal)) {
        await this.#io(this.#take(bytesOf(piece), cutter, commits, builder));
      }
      return await this.#io(this.#finish(beside, cutter, commits, builder, false));
    } catch (error) {
      await this.#io(builder.discard());
      throw error;
    }
  }

  *#fromFile(beside: Beside, path: string, file: number): Io<ImportReport> {
    const size = yield* ask('size', file);
    const point = yield* this.#usablePoint(beside, path, file);
    const resumed = point
      ? yield* LogBuilder.resume(this.#environment, beside, point, this.#build)
      : undefined;
    if (!resumed || !point) this.#restart();
    const builder = resumed ?? (yield* this.#fresh(beside));
    try {
      const commits = this.#commits(builder, resumed && point ? point.lines : 0);
      const cutter = new LineCutter();
      this.#course.begin('read', 'bytes', size);
      const buffer = Buffer.allocUnsafe(Math.min(PIECE_BYTES, this.#pointBytes));
      for (let at = this.#bytes; ; ) {
        const count = yield* ask('read', file, buffer, 0, buffer.length, at);
        if (count === 0) break;
        at += count;
        const piece = buffer.subarray(0, count);
        const lines = piece.lastIndexOf(LF) + 1;
        yield* this.#take(piece.subarray(0, lines), cutter, commits, builder);
        const isDue = this.#bytes - this.#pointAt >= this.#pointBytes;
        if (isDue && commits.isWhole && cutter.isEmpty) {
          yield* this.#writePoint(beside, path, builder, commits.line);
        }
        yield* this.#take(piece.subarray(lines), cutter, commits, builder);
      }
      return yield* this.#finish(beside, cutter, commits, builder, resumed !== undefined);
    } catch (error) {
      yield* builder.discard();
      throw error;
    }
  }

  #restart(): void {
    this.#hash = createHash('sha256');
    this.#bytes = 0;
    this.#pointAt = 0;
  }

  *#fresh(beside: Beside): Io<LogBuilder> {
    for (const name of yield* ask('list', beside.directory)) {
      if (name !== LOCK_FILE) yield* removeTree(join(beside.directory, name));
    }
    return yield* LogBuilder.within(this.#environment, beside, this.#build);
  }

  /** How far an import of this very file came; of one whose beginning is another now nothing is used. */
  *#usablePoint(beside: Beside, path: string, file: number): Io<ImportPoint | undefined> {
    const point = yield* readImportPoint(beside.directory);
    if (point?.source !== path || point.format !== this.#options.format) return undefined;
    const { durability, idempotencyWindow } = point.store;
    const isSame =
      durability === this.#build.durability && idempotencyWindow === this.#build.idempotencyWindow;
    if (!isSame) return undefined;
    const buffer = Buffer.allocUnsafe(PIECE_BYTES);
    while (this.#bytes < point.bytes) {
      this.#course.check();
      const want = Math.min(buffer.length, point.bytes - this.#bytes);
      const count = yield* ask('read', file, buffer, 0, want, this.#bytes);
      if (count === 0) return undefined;
      this.#hash.update(buffer.subarray(0, count));
      this.#bytes += count;
    }
    if (this.#hash.copy().digest('hex') !== point.sha256) return undefined;
    this.#pointAt = this.#bytes;
    return point;
  }

  *#writePoint(beside: Beside, path: string, builder: LogBuilder, lines: number): Io<void> {
    const made = yield* builder.synced();
    const { format } = this.#options;
    const sha256 = this.#hash.copy().digest('hex');
    const point = { ...made, source: path, format, bytes: this.#bytes, sha256, lines };
    yield* writeImportPoint(beside.directory, point);
    this.#pointAt = this.#bytes;
  }

  #commits(builder: LogBuilder, line: number): IncomingCommits {
    const { format, clampTimes = false } = this.#options;
    const name = typeof this.#source === 'string' ? this.#source : 'the source';
    const now = isoTime(this.#environment.clock());
    const { position, head } = builder;
    const from = { line, position, time: head.time ?? '' };
    return new IncomingCommits({ name, format, now, clampTimes }, from, (stream) =>
      builder.version(stream),
    );
  }

  *#take(
    piece: Buffer,
    cutter: LineCutter,
    commits: IncomingCommits,
    builder: LogBuilder,
  ): Io<void> {
    for (const line of cutter.cut(piece)) {
      const commit = commits.take(line);
      if (commit) yield* builder.add(commit.head, commit.payload);
    }
    // A line without an end must not fill the memory before it is refused.
    if (cutter.begunBytes > lineBytesMax) commits.take(cutter.rest());
    this.#hash.update(piece);
    this.#bytes += piece.length;
    this.#course.reach(this.#bytes);
  }

  *#finish(
    beside: Beside,
    cutter: LineCutter,
    commits: IncomingCommits,
    builder: LogBuilder,
    resumed: boolean,
  ): Io<ImportReport> {
    const last = cutter.isEmpty ? undefined : commits.take(cutter.rest());
    if (last) yield* builder.add(last.head, last.payload);
    commits.end();
    if (builder.position === 0) {
      const name = typeof this.#source === 'string' ? this.#source : 'the source';
      throw new ImportFailedError(name, 'there is no event in it', { line: 1, column: 1 });
    }
    this.#course.end();
    this.#course.begin('verify', 'bytes');
    yield* builder.publish({
      onProgress: ({ bytes }) => this.#course.reach(bytes),
      before: () => removeTree(join(beside.directory, IMPORT_FILE)),
    });
    return Object.freeze({
      directory: this.#target,
      id: builder.store.id,
      commits: builder.position,
      events: builder.events,
      head: builder.head,
      resumed,
    });
  }
}

function bytesOf(piece: unknown): Buffer {
  if (typeof piece === 'string') return Buffer.from(piece);
  if (piece instanceof Uint8Array) {
    return Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
  }
  throw invalidArgument(
    'the source must give bytes or text; a stream in object mode gives neither',
  );
}

/** The pieces of the source, until the signal is aborted: a source that gives nothing is not waited for. */
export async function* untilAborted<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void> {
  const iterator = source[Symbol.asyncIterator]();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    if (signal) stop = onAbort(signal, () => reject(signal.reason));
  });
  aborted.catch(() => {});
  let isDone = false;
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted]);
      isDone = next.done === true;
      if (next.done) return;
      yield next.value;
    }
  } finally {
    stop();
    // Not waited for: one that gives nothing would not end either.
    if (!isDone) Promise.resolve(iterator.return?.()).catch(() => {});
  }
}
