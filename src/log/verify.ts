/**
 * Walks a log from its very beginning and checks everything that can be checked: checksums, groups, the chain of seals,
 * headers and closing lines, positions, times, versions, that data and events are as many. Damage is told, never thrown, and
 * nothing is changed.
 */
import { randomInt } from 'node:crypto';
import {
  HistoryPrunedError,
  invalidArgument,
  optionNames,
  StoreDamagedError,
  systemCode,
} from '../errors.js';
import { type Anchor, readAnchor } from './anchor.js';
import { ArchiveCheck } from './archive-check.js';
import { checkForm } from './decode.js';
import { type Envelope, LineProblem } from './envelope.js';
import { type DamageFacts, placeStands } from './examine.js';
import { ask, type Io } from './io.js';
import { LineReader } from './line-reader.js';
import { listLog, type Paths, readable } from './paths.js';
import { firstSeal, type Place, samePlace } from './place.js';
import { readRemains, remainsVersions } from './remains.js';
import { type SegmentBytes, withSegment } from './segment-bytes.js';
import type { StoreFacts } from './store-file.js';
import { StreamVersions } from './stream-versions.js';
import type { Head } from './types.js';
import { SegmentProblem, SegmentWalker } from './walk.js';

export interface VerifyOptions {
  /** A seal published earlier: whether the log still contains it, and with it all that stood before it. */
  readonly against?: string | undefined;
  /** Parse every commit and encode it again: finds repeated keys and other forms that a checksum takes as they are. Default false. */
  readonly deep?: boolean | undefined;
  /** Called now and then. Must not throw. */
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
}

export const VERIFY_OPTIONS: ReadonlySet<string> = optionNames<VerifyOptions>({
  against: true,
  deep: true,
  onProgress: true,
});

/** Of all that was walked, also of what another process dropped since. */
export interface VerifyProgress {
  readonly segments: number;
  readonly commits: number;
  readonly bytes: number;
  /** Of all segments; undefined when one of them cannot be measured. */
  readonly totalBytes: number | undefined;
}

export interface VerifyReport {
  /** No damage was found, and the seal asked for was. */
  readonly ok: boolean;
  /** What was walked: all, or what stands before the damage. */
  readonly segments: number;
  readonly groups: number;
  readonly commits: number;
  readonly events: number;
  readonly streams: number;
  /** Of their lines, also where they stand compressed in the archive. */
  readonly bytes: number;
  /** The first position walked, when retention dropped what stood before. */
  readonly firstPosition?: number;
  /** The end of what was walked. */
  readonly head: Head;
  readonly firstTime?: string;
  readonly lastTime?: string;
  /** The first damage. */
  readonly damage?: DamageFacts;
  /** Whether the log contains the seal that was asked for. */
  readonly against?: 'found' | 'missing';
}

export interface VerifyHooks {
  /** Called for each commit that was found right, its group not yet; what it stands in is valid during the call. */
  readonly commit?: (envelope: Envelope, buffer: Buffer) => void;
}

const SEAL = /^[0-9a-f]{64}$/i;
const CHUNK_BYTES = 1024 * 1024;
const MISSING = 'the segment is missing';

/**
 * Verifies the log up to `to`, a place that is proven to be its end.
 * Damage is never thrown; errors of the disk that say nothing about the log, such as too many open files, are.
 * @throws TypeError when `against` cannot be a seal
 */
export function* verifyLog(
  paths: Paths,
  store: StoreFacts,
  to: Place,
  options: VerifyOptions = {},
  hooks: VerifyHooks = {},
): Io<VerifyReport> {
  checkAgainst(options.against);
  const verification = new Verification(paths, store, to, options, hooks);
  const damage = yield* verification.run();
  return verification.report(damage);
}

/** @throws TypeError unless it can be a seal */
export function checkAgainst(seal: unknown): void {
  if (seal === undefined || (typeof seal === 'string' && SEAL.test(seal))) return;
  throw invalidArgument('against must be a seal: 64 hexadecimal digits');
}

/** The store's anchor, if it has one that is whole. */
export function* anchorOf(paths: Paths): Io<Anchor | undefined> {
  if ((yield* ask('facts', paths.anchor))?.kind !== 'file') return undefined;
  const file = yield* ask('open', paths.anchor, 'read');
  try {
    return yield* readAnchor(file);
  } finally {
    yield* ask('close', file);
  }
}

class Verification {
  readonly #paths: Paths;
  readonly #storeId: string;
  /** A place that is proven to be the end; a later one when all before it was dropped meanwhile. */
  #to: Place;
  readonly #options: VerifyOptions;
  readonly #hooks: VerifyHooks;
  readonly #versions = new StreamVersions(randomInt(2 ** 32));
  readonly #against: string | undefined;
  /** Behind the last whole group, header or closing line. */
  #place: Place;
  /** Of the last commit before that place. */
  #time = '';
  #firstTime = '';
  #found: boolean;
  /** Position before the first commit walked. */
  #before = 0;
  #segments = 0;
  #groups = 0;
  #events = 0;
  #streams = 0;
  #bytes = 0;
  /** Of segments that were walked, and dropped since: no longer counted, but the way went through them. */
  #passed = { segments: 0, commits: 0, bytes: 0 };
  #totalBytes: number | undefined;

  constructor(
    paths: Paths,
    store: StoreFacts,
    to: Place,
    options: VerifyOptions,
    hooks: VerifyHooks,
  ) {
    this.#paths = paths;
    this.#storeId = store.id;
    this.#to = to;
    this.#options = options;
    this.#hooks = hooks;
    this.#against = options.against?.toLowerCase();
    this.#place = { segment: 1, offset: 0, position: 0, seal: firstSeal(store.id) };
    this.#found = this.#against === this.#place.seal;
  }

  /** Walks segment after segment; gives the first damage. */
  *run(): Io<DamageFacts | undefined> {
    let gone: number | undefined;
    for (;;) {
      let segments: readonly number[];
      try {
        segments = yield* this.#begin();
      } catch (error) {
        return this.#unreadable(error, this.#place.segment, 0);
      }
      const { segment } = this.#place;
      if (segment === gone) return this.#damage(segment, 0, MISSING);
      try {
        return yield* this.#walkAll(segments);
      } catch (error) {
        if (!(error instanceof HistoryPrunedError)) throw error;
        // The retention of another process dropped what was to be walked next.
        gone = this.#place.segment;
      }
    }
  }

  /** @throws HistoryPrunedError when a segment was dropped before the walk came to it */
  *#walkAll(segments: readonly number[]): Io<DamageFacts | undefined> {
    for (;;) {
      const { segment } = this.#place;
      const damage = yield* this.#segment(segment);
      if (damage) return damage;
      if (segment === this.#to.segment) return this.#endProblem() ?? (yield* this.#anchorProblem());
      const next = this.#place.position + 1;
      const stray = segments.find((first) => first > segment && first < next);
      if (stray !== undefined) return this.#damage(stray, 0, 'a segment that no other leads to');
      this.#place = { ...this.#place, segment: next, offset: 0 };
      if (next > this.#to.segment) return this.#endProblem();
    }
  }

  /** Bytes of what is about to be walked; what cannot be measured is told by the walk. */
  *#measure(segments: readonly number[]): Io<number | undefined> {
    let { bytes } = this.#passed;
    for (const first of segments) {
      if (first < this.#place.segment || first > this.#to.segment) continue;
      try {
        const size = yield* withSegment(this.#paths, first, (source) => source.size());
        bytes += first === this.#to.segment ? Math.min(size, this.#to.offset) : size;
      } catch (error) {
        if (!(error instanceof HistoryPrunedError)) return undefined;
      }
    }
    return bytes;
  }

  /** Goes along what is left of dropped segments, from where the walk stands; gives the segments that are there. */
  *#begin(): Io<readonly number[]> {
    const listing = yield* listLog(this.#paths);
    let segments = readable(listing);
    const isDropped = (first: number) =>
      !segments.includes(first) && listing.dropped.includes(first);
    while (isDropped(this.#place.segment)) {
      const { segment } = this.#place;
      if (yield* this.#isAnyThere(segments.filter((first) => first < segment))) break;
      yield* this.#stepOver(segment);
    }
    if (this.#place.segment > this.#to.segment) {
      // All that was to be walked is gone; the anchor stands in what is there.
      const anchor = yield* anchorOf(this.#paths);
      this.#to = anchor && anchor.segment >= this.#place.segment ? anchor : this.#place;
      segments = readable(yield* listLog(this.#paths));
    }
    if (this.#options.onProgress) this.#totalBytes = yield* this.#measure(segments);
    return segments;
  }

  /** The oldest go first: where one of these is still there, none behind them was dropped, whatever is noted of it. */
  *#isAnyThere(segments: readonly number[]): Io<boolean> {
    for (const first of segments) {
      if (yield* ask('facts', this.#paths.archived(first))) return true;
      if (yield* ask('facts', this.#paths.segment(first))) return true;
    }
    return false;
  }

  /** What was walked so far is no longer there: it is counted from behind it. */
  *#stepOver(dropped: number): Io<void> {
    const { last, seal, lastTime } = yield* readRemains(this.#paths, dropped);
    for (const [stream, version] of yield* remainsVersions(this.#paths, dropped)) {
      this.#versions.set(Buffer.from(JSON.stringify(stream).slice(1, -1)), version);
    }
    const { segments, commits, bytes } = this.#passed;
    this.#passed = {
      segments: segments + this.#segments,
      commits: commits + this.#place.position - this.#before,
      bytes: bytes + this.#bytes,
    };
    this.#place = { segment: last + 1, offset: 0, position: last, seal };
    this.#time = lastTime;
    this.#before = last;
    this.#segments = 0;
    this.#groups = 0;
    this.#events = 0;
    this.#bytes = 0;
    this.#firstTime = '';
    if (seal === this.#against) this.#found = true;
  }

  report(damage: DamageFacts | undefined): VerifyReport {
    const { position, seal } = this.#place;
    const empty = position === 0;
    const before = this.#before;
    const against = this.#against === undefined ? undefined : this.#found ? 'found' : 'missing';
    return Object.freeze({
      ok: damage === undefined && against !== 'missing',
      segments: this.#segments,
      groups: this.#groups,
      commits: position - before,
      events: this.#events,
      streams: this.#streams,
      bytes: this.#bytes,
      ...(before === 0 ? {} : { firstPosition: before + 1 }),
      head: Object.freeze({ position, seal, time: empty ? undefined : this.#time }),
      ...(empty ? {} : { firstTime: this.#firstTime, lastTime: this.#time }),
      ...(damage === undefined ? {} : { damage: Object.freeze({ ...damage }) }),
      ...(against === undefined ? {} : { against }),
    });
  }

  #damage(segment: number, offset: number, problem: string, position?: number): DamageFacts {
    const file = this.#paths.segment(segment);
    return { file, offset, position: position ?? this.#place.position + 1, problem };
  }

  /** The log was durable up to a place at which the walk did not arrive. */
  #endProblem(): DamageFacts | undefined {
    if (samePlace(this.#place, this.#to)) return undefined;
    const { segment, offset } = this.#place;
    const { position } = this.#to;
    const problem =
      this.#place.position < position
        ? `the log ends here, but position ${position} was durable`
        : 'the log ends here in another way than it was durable';
    return this.#damage(segment, offset, problem);
  }

  /** Whatever can be found in the log itself, a log whose anchor is lost or names another one is refused at the next start. */
  *#anchorProblem(): Io<DamageFacts | undefined> {
    const { anchor: file } = this.#paths;
    let anchor = yield* anchorOf(this.#paths);
    for (;;) {
      if (!anchor) {
        const position = this.#place.position + 1;
        return { file, offset: 0, position, problem: 'neither slot of the anchor is whole' };
      }
      const problem = yield* placeStands(this.#paths, anchor, this.#storeId);
      if (problem === undefined) return undefined;
      const { segment, offset, position } = anchor;
      // Its segment may have been dropped between the two looks, but not before the anchor had gone on.
      const later = yield* anchorOf(this.#paths);
      if (later && samePlace(later, anchor)) {
        return this.#damage(segment, offset, `${problem} (told by ${file})`, position);
      }
      anchor = later;
    }
  }

  #unreadable(error: unknown, segment: number, offset: number): DamageFacts {
    if (error instanceof StoreDamagedError) {
      const { file, offset: at, position = segment, problem } = error;
      return { file, offset: at, position, problem };
    }
    switch (systemCode(error)) {
      case 'ENOENT':
      case 'ENOTDIR':
        return this.#damage(segment, offset, MISSING);
      case 'ELOOP':
      case 'EISDIR':
      case 'EINVAL':
        return this.#damage(segment, offset, 'it is no plain file');
      case 'EIO':
        return this.#damage(segment, offset, 'the disk cannot read it');
      default:
        throw error;
    }
  }

  *#segment(first: number): Io<DamageFacts | undefined> {
    try {
      return yield* withSegment(this.#paths, first, (bytes) => this.#walk(first, bytes));
    } catch (error) {
      return this.#unreadable(error, first, 0);
    }
  }

  *#walk(first: number, source: SegmentBytes): Io<DamageFacts | undefined> {
    const last = first === this.#to.segment;
    const size = yield* source.size();
    const end = last ? Math.min(size, this.#to.offset) : size;
    const reader = new LineReader(source, 0, end, { chunkBytes: CHUNK_BYTES });
    const check = source.archive && new ArchiveCheck(source.archive, this.#place.seal);
    const walker = this.#walker(check);
    this.#segments += 1;
    const bytesBefore = this.#bytes;
    for (;;) {
      let problem: DamageFacts | undefined;
      let more = false;
      try {
        const lines = yield* reader.next();
        more = lines !== undefined;
        if (lines) {
          walker.feed(lines.buffer, lines.start, lines.end, lines.offset);
          check?.add(lines.buffer.subarray(lines.start, lines.end));
        }
      } catch (error) {
        problem =
          error instanceof SegmentProblem
            ? this.#damage(first, error.offset, error.message, error.position)
            : this.#unreadable(error, first, reader.rest.offset);
      }
      this.#place = walker.place;
      this.#bytes = bytesBefore + walker.place.offset;
      const passed = this.#passed;
      this.#options.onProgress?.({
        segments: passed.segments + this.#segments,
        commits: passed.commits + this.#place.position - this.#before,
        bytes: passed.bytes + this.#bytes,
        totalBytes: this.#totalBytes,
      });
      if (problem) return problem;
      if (!more) break;
    }
    const { rest } = reader;
    if (rest.bytes > 0) {
      const what = walker.closed ? 'bytes behind the closing line' : 'a line without its end';
      return this.#damage(first, rest.offset, what, walker.nextPosition);
    }
    if (last && size < this.#to.offset) {
      const problem = `the file ends here, but it was durable up to byte ${this.#to.offset}`;
      return this.#damage(first, size, problem, walker.nextPosition);
    }
    if (walker.insideGroup) {
      return this.#damage(first, end, 'a group without its seal', walker.nextPosition);
    }
    // The one that was written to when this began may have been moved meanwhile: of its archive only a part is looked at.
    const told = end === size ? check?.problem(walker.place, this.#storeId) : undefined;
    if (told) return { file: source.path, offset: 0, position: first, problem: told };
    if (last || walker.closed) return undefined;
    return this.#damage(first, end, 'a segment that is not closed although another follows');
  }

  #walker(check: ArchiveCheck | undefined): SegmentWalker {
    let events = 0;
    let lastTime = this.#time;
    let firstTime = this.#firstTime;
    const versions = this.#versions;
    const deep = this.#options.deep === true;
    return new SegmentWalker(
      { place: this.#place, time: this.#time, storeId: this.#storeId },
      {
        envelope: (envelope, buffer, start, end) => {
          envelope.checkPayload(buffer, end);
          if (deep) checkForm(buffer, start, end);
          checkVersions(versions, envelope, buffer);
          this.#hooks.commit?.(envelope, buffer);
          events += envelope.eventCount;
          lastTime = envelope.time;
          if (firstTime === '') firstTime = lastTime;
          check?.commit(lastTime);
        },
        sealed: (end) => {
          const { seal } = end;
          check?.group(end);
          this.#groups += 1;
          this.#events += events;
          this.#streams = versions.count;
          this.#time = lastTime;
          this.#firstTime = firstTime;
          events = 0;
          if (seal === this.#against) this.#found = true;
        },
      },
    );
  }
}

function checkVersions(versions: StreamVersions, envelope: Envelope, buffer: Buffer): void {
  for (let event = 0; event < envelope.eventCount; event += 1) {
    const next = versions.next(buffer, envelope.streamStart(event), envelope.streamEnd(event));
    const version = envelope.version(event);
    if (version !== next) {
      throw new LineProblem(`version ${version} of a stream where ${next} must stand`);
    }
  }
}
