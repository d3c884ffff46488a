/** Reads events back, by position or by version of a stream, in either direction, synchronously or asynchronously. */
import { checkOptionNames, invalidArgument, optionNames } from '../errors.js';
import { LineProblem } from './decode.js';
import { EventFilter } from './event-filter.js';
import {
  asyncSequence,
  type EventWork,
  nextBatch,
  type SequenceSource,
  syncSequence,
} from './event-sequence.js';
import type { Io } from './io.js';
import type { Place } from './place.js';
import { type Range, Reading } from './reading.js';
import type { Wanted } from './segment-lines.js';
import type { Segments } from './segments.js';
import type {
  AsyncEvents,
  ReadAllOptions,
  ReadStreamOptions,
  RecordedEvent,
  SyncEvents,
} from './types.js';

/** Where events are read from. */
export interface ReadSource extends SequenceSource {
  readonly segments: Segments;
  /** The end of the log as the segments know it. */
  readonly place: () => Place;
  /** Looks for what other processes appended, if it is time to. */
  readonly freshen: () => Io<void>;
}

/** Versions of a stream looked for at once: few at first, then more. */
const FIRST_STEP = 64;
const VERSIONS_STEP_MAX = 8192;
/** With more names than this a look into every index costs more than reading on. */
const INDEXED_NAMES_MAX = 64;

function* allEvents(source: ReadSource, range: Range, filter: EventFilter): EventWork {
  yield* source.freshen();
  const head = source.place();
  const reading = new Reading(source.segments, head, filter, range);
  const names = filter.streams?.exact;
  const indexed = names && names.length <= INDEXED_NAMES_MAX ? names : undefined;
  yield* reading.positions(range.from, Math.min(range.to, head.position), indexed);
}

/** The events of a stream, one version after the other: a gap is damage. */
class StreamVersions implements Wanted {
  readonly isOpen = true;
  readonly #stream: string;
  readonly #backward: boolean;
  /** The version that must come next. */
  next: number;
  #from = 0;
  #to = 0;

  constructor(stream: string, next: number, backward: boolean) {
    this.#stream = stream;
    this.#backward = backward;
    this.next = next;
  }

  /** Only these are wanted from now on. */
  between(from: number, to: number): void {
    this.#from = from;
    this.#to = to;
  }

  matchesAny(): boolean {
    return true;
  }

  of(events: RecordedEvent[]): RecordedEvent[] {
    const wanted = events.filter(
      ({ stream, version }) =>
        stream === this.#stream && version >= this.#from && version <= this.#to,
    );
    const begin = (this.#backward ? wanted.at(-1) : wanted[0])?.version;
    const contiguous =
      (wanted.at(-1)?.version ?? 0) - (wanted[0]?.version ?? 0) === wanted.length - 1;
    if (begin !== this.next || !contiguous) {
      throw new LineProblem(`not version ${this.next} of the stream, which must stand here`);
    }
    this.next += this.#backward ? -wanted.length : wanted.length;
    return wanted;
  }
}

function* streamEvents(source: ReadSource, stream: string, range: Range): EventWork {
  const { segments } = source;
  const { backward, limit } = range;
  yield* source.freshen();
  const version = yield* segments.version(stream);
  const head = source.place();
  let to = Math.min(range.to, version);
  let { from } = range;
  // Versions have no gaps: a limit is a range.
  if (backward) from = Math.max(from, to - limit + 1);
  else to = Math.min(to, from + limit - 1);
  if (from > to) return;

  const wanted = new StreamVersions(stream, backward ? to : from, backward);
  const reading = new Reading(segments, head, wanted, range);
  let first = yield* segments.holding(stream, wanted.next);
  let step = FIRST_STEP;
  while (!reading.done && wanted.next >= from && wanted.next <= to) {
    if (first === undefined) {
      const problem = `version ${wanted.next} of a stream stands in no segment`;
      throw segments.damaged(segments.tail.first, 0, undefined, problem);
    }
    const low = backward ? Math.max(from, wanted.next - step + 1) : wanted.next;
    const high = backward ? wanted.next : Math.min(to, wanted.next + step - 1);
    const offsets = yield* segments.commitsIn(first, stream, low, high);
    if (offsets.length === 0) {
      first = yield* segments.nextHolding(first, stream, backward ? -1 : 1);
      continue;
    }
    wanted.between(low, high);
    const before = wanted.next;
    yield* reading.commits(first, offsets);
    // Only an index that knows more than the log could bring that about; asking it again would not end.
    if (wanted.next === before && !reading.done) first = undefined;
    step = Math.min(2 * step, VERSIONS_STEP_MAX);
  }
}

function checkedInteger(value: number | undefined, least: number, option: string): void {
  if (value !== undefined && (!Number.isSafeInteger(value) || value < least)) {
    throw invalidArgument(`${option} must be an integer from ${least}`);
  }
}

/** The members of {@link ReadStreamOptions}, for all that takes them and more. */
export const READ_STREAM_MEMBERS: Readonly<Record<keyof ReadStreamOptions, true>> = {
  from: true,
  to: true,
  direction: true,
  limit: true,
};
/** The members of {@link ReadAllOptions}, for all that takes them and more. */
export const READ_ALL_MEMBERS: Readonly<Record<keyof ReadAllOptions, true>> = {
  ...READ_STREAM_MEMBERS,
  types: true,
  streams: true,
};
const READ_STREAM_OPTIONS = optionNames<ReadStreamOptions>(READ_STREAM_MEMBERS);
const READ_ALL_OPTIONS = optionNames<ReadAllOptions>(READ_ALL_MEMBERS);

/** @throws TypeError */
function checkedRange(options: ReadStreamOptions, names: ReadonlySet<string>, what: string): Range {
  checkOptionNames(options, names, what);
  const { from, to, direction = 'forward', limit } = options;
  checkedInteger(from, 1, 'from');
  checkedInteger(to, 0, 'to');
  checkedInteger(limit, 0, 'limit');
  if (from !== undefined && to !== undefined && from > to) {
    throw invalidArgument(
      `from (${from}) must not be beyond to (${to}); direction turns the order round`,
    );
  }
  if (direction !== 'forward' && direction !== 'backward') {
    throw invalidArgument(`direction must be 'forward' or 'backward'`);
  }
  return {
    from: from ?? 1,
    to: to ?? Number.MAX_SAFE_INTEGER,
    backward: direction === 'backward',
    limit: limit ?? Number.MAX_SAFE_INTEGER,
  };
}

/**
 * Events by position: checks the arguments at once; each call of what it gives begins to read.
 * @throws TypeError
 */
export function readingAll(source: ReadSource, options: ReadAllOptions): () => EventWork {
  const range = checkedRange(options, READ_ALL_OPTIONS, 'readAll');
  const filter = new EventFilter(options.streams, options.types);
  return () => allEvents(source, range, filter);
}

/** @throws TypeError */
export function checkedStream(stream: string): void {
  if (typeof stream !== 'string') throw invalidArgument('the stream must be a name');
}

/** The same of one stream's events, by version. @throws TypeError */
export function readingStream(
  source: ReadSource,
  stream: string,
  options: ReadStreamOptions,
): () => EventWork {
  checkedStream(stream);
  const range = checkedRange(options, READ_STREAM_OPTIONS, 'readStream');
  return () => streamEvents(source, stream, range);
}

/** {@link readingAll} as a sequence. */
export const readAll: {
  async(source: ReadSource, options: ReadAllOptions): AsyncEvents;
  sync(source: ReadSource, options: ReadAllOptions): SyncEvents;
} = {
  async: (source, options) => asyncSequence(source, readingAll(source, options)),
  sync: (source, options) => syncSequence(source, readingAll(source, options)),
};

/** {@link readingStream} as a sequence. */
export const readStream: {
  async(source: ReadSource, stream: string, options: ReadStreamOptions): AsyncEvents;
  sync(source: ReadSource, stream: string, options: ReadStreamOptions): SyncEvents;
} = {
  async: (source, stream, options) => asyncSequence(source, readingStream(source, stream, options)),
  sync: (source, stream, options) => syncSequence(source, readingStream(source, stream, options)),
};

/** The stream's version as of a position that this process knows. Costs what was appended to the stream since. */
export function* versionAt(source: ReadSource, stream: string, position: number): Io<number> {
  const backward = {
    from: 1,
    to: Number.MAX_SAFE_INTEGER,
    backward: true,
    limit: Number.MAX_SAFE_INTEGER,
  };
  const work = streamEvents({ ...source, freshen: nothing }, stream, backward);
  for (;;) {
    const batch = yield* nextBatch(work);
    if (!batch) return 0;
    const found = batch.find((event) => event.position <= position);
    if (found) return found.version;
  }
}

function* nothing(): Io<void> {}
