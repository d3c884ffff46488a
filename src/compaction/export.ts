/** Export: every event of a store as a line of text, read while others go on writing. */
import { Readable, Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import ndjson from 'ndjson';
import {
  checkOptionNames,
  ExportFailedError,
  invalidArgument,
  optionNames,
  quote,
} from '../errors.js';
import { realDirectory } from '../log/directory.js';
import { type Environment, realEnvironment } from '../log/environment.js';
import type { FeedCommit, LogFeed } from '../log/feed.js';
import type { Io } from '../log/io.js';
import type { Log } from '../log/log.js';
import { openLogOn } from '../log/open-log.js';
import { RealDisk } from '../log/real-disk.js';
import { asStoreError } from '../log/store-error.js';
import type { Head } from '../log/types.js';
import { toCloudEvent } from './cloud-events.js';
import { Course, type CourseOptions } from './course.js';
import type { ExportedEvent, ExportFormat } from './exported-event.js';
import { requireBeginning, requireSound } from './restoring.js';
import { readingOptions, type SourceOptions } from './source.js';

/** Where lines go: a stream of Node, or a function that takes them as they come. Who takes slowly is waited for. */
export type ExportSink = NodeJS.WritableStream | ((lines: AsyncIterable<Buffer>) => Promise<void>);

type TakeLines = Exclude<ExportSink, NodeJS.WritableStream>;

export interface ExportOptions extends CourseOptions, SourceOptions {
  readonly format: ExportFormat;
  /** Of CloudEvents: a URI reference that names the store. Default `urn:uuid:` and the store's id. */
  readonly source?: string | undefined;
}

const EXPORT_OPTIONS = optionNames<ExportOptions>({
  format: true,
  source: true,
  lockTimeoutMs: true,
  allowSharedDirectory: true,
  allowFileSystem: true,
  onProgress: true,
  signal: true,
});

export interface ExportReport {
  readonly commits: number;
  readonly events: number;
  readonly bytes: number;
  /** The end of what was exported. */
  readonly head: Head;
}

const BEGINNING_HINT =
  'An export holds every event from the first one on: make a backup instead, or export a backup from before the events were removed.';
/** Events are read in portions of about that many bytes. */
const PORTION_BYTES = 256 * 1024;

/**
 * Writes every event of a store into a sink, oldest first, as it is stored, one JSON object a line. A stream is ended afterwards, or destroyed when the
 * export fails. What is committed after the beginning is left out. Memory does not grow with the store.
 * @throws ExportFailedError when the sink fails, with what it failed with as its cause; StoreNotFoundError, StoreDamagedError, HistoryPrunedError (before anything is written),
 * FormatTooNewError, LockTimeoutError, StoreAccessError, TypeError, the signal's reason
 */
export async function exportStore(
  directory: string,
  sink: ExportSink,
  options: ExportOptions,
): Promise<ExportReport> {
  const source = realDirectory(directory);
  return await exportStoreOn(realEnvironment(new RealDisk()), source, sink, options);
}

/** @internal {@link exportStore} on any disk. */
export async function exportStoreOn(
  environment: Environment,
  directory: string,
  sink: ExportSink,
  options: ExportOptions,
): Promise<ExportReport> {
  checkOptionNames(options, EXPORT_OPTIONS, 'exportStore');
  checkFormat(options);
  checkSink(sink);
  requireOpen(sink);
  const { source } = options;
  if (source !== undefined && (typeof source !== 'string' || source === '')) {
    throw invalidArgument('source must be a URI reference that is not empty');
  }
  const course = new Course(options);
  // A file that cannot be opened says so while the store is still being opened: somebody must listen by then.
  let early: { readonly error: unknown } | undefined;
  const listen = (error: unknown): void => {
    early ??= { error };
  };
  if (typeof sink !== 'function') sink.on('error', listen);
  try {
    const log = await openLogOn(environment, directory, readingOptions(options));
    try {
      requireSound(log, directory);
      await requireBeginning(log, BEGINNING_HINT);
      if (early) throw new ExportFailedError(pathOf(sink), early.error);
      requireOpen(sink);
      const report = await exportLog(log, sink, options, course);
      if (typeof sink !== 'function') sink.off('error', listen);
      return report;
    } finally {
      await log.close();
    }
  } catch (error) {
    throw options.signal?.aborted ? options.signal.reason : asStoreError(error, directory);
  }
}

/** @throws TypeError */
export function checkFormat(options: { readonly format: ExportFormat }): void {
  if (typeof options !== 'object' || options === null) {
    throw invalidArgument('the options must be an object that names the format');
  }
  const { format } = options;
  if (format === 'ndjson' || format === 'cloudevents') return;
  throw invalidArgument(`format must be 'ndjson' or 'cloudevents', not ${quote(String(format))}`);
}

function checkSink(sink: unknown): asserts sink is ExportSink {
  if (typeof sink === 'function') return;
  const { write, end, on } = (sink ?? {}) as Partial<NodeJS.WritableStream>;
  if ([write, end, on].every((call) => typeof call === 'function')) return;
  throw invalidArgument('the sink must be a stream to write to, or a function that takes lines');
}

/** A stream that has ended says so to nobody who begins to listen afterwards. @throws ExportFailedError */
function requireOpen(sink: ExportSink): void {
  const { writableEnded, destroyed, errored } = sink as Partial<Writable>;
  if (!(writableEnded || destroyed)) return;
  const state = destroyed ? 'destroyed' : 'ended';
  const cause = errored ?? new Error(`the stream was ${state} before it began`);
  throw new ExportFailedError(pathOf(sink), cause);
}

async function exportLog(
  log: Log,
  sink: ExportSink,
  { format, source, signal }: ExportOptions,
  course: Course,
): Promise<ExportReport> {
  const { head } = log;
  const counts = { events: 0, bytes: 0 };
  const name = source ?? `urn:uuid:${log.id}`;
  const feed = log.internals.feed(0);
  // What reading fails with; whatever else ends the export comes from where it goes, also through the generator.
  let unread: { readonly error: unknown } | undefined;
  const next = async (): Promise<ExportedEvent[] | undefined> => {
    try {
      course.reach(feed.position);
      if (feed.position < head.position) {
        return await log.internals.run(portionOf(feed, head.position));
      }
      course.end();
      return undefined;
    } catch (error) {
      unread = { error };
      throw error;
    }
  };
  const events = async function* (): AsyncGenerator<unknown> {
    for (let portion = await next(); portion; portion = await next()) {
      for (const event of portion) {
        counts.events += 1;
        yield format === 'ndjson' ? event : toCloudEvent(event, name);
      }
    }
  };
  const counting = new Transform({
    transform(line: Buffer, _encoding, done) {
      counts.bytes += line.length;
      done(null, line);
    },
  });
  course.begin('write', 'commits', head.position);
  // What a function throws would be told as an abort of the streams before it.
  let thrown: { readonly error: unknown } | undefined;
  const telling = (take: TakeLines) => async (lines: AsyncIterable<Buffer>) => {
    try {
      await take(lines);
    } catch (error) {
      thrown = { error };
      throw error;
    }
  };
  // The function's end is waited for like a stream's.
  const end = (typeof sink === 'function' ? telling(sink) : sink) as Writable;
  try {
    await pipeline(Readable.from(events()), ndjson.stringify(), counting, end, { signal });
  } catch (error) {
    if (unread) throw unread.error;
    throw new ExportFailedError(pathOf(sink), thrown ? thrown.error : error);
  }
  return Object.freeze({ commits: head.position, ...counts, head });
}

/** Of a stream that writes to a file. */
function pathOf(sink: ExportSink): string | undefined {
  const { path } = sink as { readonly path?: unknown };
  return typeof path === 'string' ? path : undefined;
}

function* portionOf(feed: LogFeed, to: number): Io<ExportedEvent[]> {
  const events: ExportedEvent[] = [];
  let bytes = 0;
  const take = (commit: FeedCommit): void => {
    const { w: clock } = commit.head();
    bytes += commit.payload().length;
    for (const event of commit.events())
      events.push(clock === undefined ? event : { ...event, clock });
  };
  while (feed.position < to && bytes < PORTION_BYTES) yield* feed.advance(take, feed.position + 1);
  return events;
}
