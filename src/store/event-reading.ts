/** Reading the events of a store: as they are now, or, with `raw`, as they are stored. */
import { checkOptionNames, invalidArgument, optionNames } from '../errors.js';
import { type EventWork, mapped } from '../log/event-sequence.js';
import type { Io } from '../log/io.js';
import { READ_ALL_MEMBERS, READ_STREAM_MEMBERS } from '../log/reader.js';
import type { ReadAllOptions, ReadStreamOptions, RecordedEvent } from '../log/types.js';
import type { Reads } from './reads.js';

export interface StoreReadAllOptions extends ReadAllOptions {
  /** Events as they are stored: no upcasting, also of versions that this program does not know. Default false. */
  readonly raw?: boolean | undefined;
}

export interface StoreReadStreamOptions extends ReadStreamOptions {
  /** Events as they are stored. Default false. */
  readonly raw?: boolean | undefined;
}

const READ_ALL_OPTIONS = optionNames<StoreReadAllOptions>({ ...READ_ALL_MEMBERS, raw: true });
const READ_STREAM_OPTIONS = optionNames<StoreReadStreamOptions>({
  ...READ_STREAM_MEMBERS,
  raw: true,
});

/** What a reading of all events was asked for. @throws TypeError */
function rawAllOf(options: StoreReadAllOptions): [raw: boolean, range: ReadAllOptions] {
  return rawOf(options, READ_ALL_OPTIONS, 'readAll');
}

/** What a reading of one stream was asked for. @throws TypeError */
function rawStreamOf(options: StoreReadStreamOptions): [raw: boolean, range: ReadStreamOptions] {
  return rawOf(options, READ_STREAM_OPTIONS, 'readStream');
}

/** The options of the log, and whether events are wanted as they are stored. @throws TypeError */
function rawOf<Options extends { readonly raw?: boolean | undefined }>(
  options: Options,
  known: ReadonlySet<string>,
  what: string,
): [raw: boolean, range: Omit<Options, 'raw'>] {
  checkOptionNames(options, known, what);
  const { raw = false, ...range } = options;
  if (typeof raw !== 'boolean') throw invalidArgument('raw must be true or false');
  return [raw, range];
}

/** Events by position. @throws TypeError */
export function readingAll(reads: Reads, options: StoreReadAllOptions): () => EventWork {
  const [raw, range] = rawAllOf(options);
  return given(reads, raw, reads.log.readingAll(range));
}

/** Events by position, up to one that is known only when reading begins. @throws TypeError */
export function readingUpTo(
  reads: Reads,
  options: StoreReadAllOptions,
  end: () => Io<number>,
): () => EventWork {
  const { log } = reads;
  const [raw, range] = rawAllOf(options);
  // Checked now, although where the end lies is known only later.
  log.readingAll(range);
  return given(reads, raw, function* () {
    const position = yield* end();
    const to = Math.min(range.to ?? position, position);
    if ((range.from ?? 1) > to) return;
    yield* log.readingAll({ ...range, to })();
  });
}

/** Events of one stream by version. @throws TypeError */
export function readingStream(
  reads: Reads,
  stream: string,
  options: StoreReadStreamOptions,
): () => EventWork {
  const [raw, range] = rawStreamOf(options);
  return given(reads, raw, reads.log.readingStream(stream, range));
}

/** Where no types are declared, stored events are what readers get. */
function given(reads: Reads, raw: boolean, begin: () => EventWork): () => EventWork {
  if (raw || !reads.settings.typed) return begin;
  return () => mapped(begin(), interpreted(reads));
}

/** What makes events of older shapes what they are now. */
export function interpreted({ settings }: Reads): (event: RecordedEvent) => RecordedEvent {
  return (event) => settings.interpreter.interpret(event);
}
