/**
 * From the lines of a file to commits that a log can take: lines are cut, read strictly, checked by the rules of `append`, and put together to the commits
 * that they were. Nothing here does I/O.
 */
import { isUtf8 } from 'node:buffer';
import { checkedMoment } from '../audit/moment.js';
import { ImportFailedError, RecollectError } from '../errors.js';
import { LF, lineBytesMax } from '../log/format.js';
import { jsonText } from '../log/json.js';
import { commitBytesMax } from '../log/limits.js';
import type { BuildHead } from '../log/log-builder.js';
import { checkName, checkNotOwn } from '../log/names.js';
import { checkReason } from '../log/payload.js';
import { fromCloudEvent } from './cloud-events.js';
import {
  type ExportFormat,
  fromExported,
  type IncomingEvent,
  UnusableEvent,
} from './exported-event.js';
import { jsonProblem } from './json-problem.js';

/** A commit, ready for the builder. */
export interface IncomingCommit {
  readonly head: BuildHead;
  readonly payload: string;
}

export interface IncomingOptions {
  /** As the source is called in errors. */
  readonly name: string;
  readonly format: ExportFormat;
  /** Of events that say none. */
  readonly now: string;
  /** Take a time before that of the commit before as that one's, and keep what it was, instead of refusing it. */
  readonly clampTimes: boolean;
}

/** Where the file is gone on with. */
export interface IncomingPlace {
  /** Lines before it. */
  readonly line: number;
  readonly position: number;
  /** Of the last commit, `''` when there is none. */
  readonly time: string;
}

type Head = { -readonly [Key in keyof BuildHead]: BuildHead[Key] };
type HeadEvent = [string, number, string, number?];

/** A commit whose last event did not come yet. */
interface OpenCommit {
  readonly head: Omit<Head, 'e'>;
  readonly position: unknown;
  readonly events: HeadEvent[];
  readonly data: string[];
  readonly metadata: string[];
  hasMetadata: boolean;
  bytes: number;
}

const CONTEXT = [
  ['actor', 'a'],
  ['reason', 'r'],
  ['correlationId', 'o'],
  ['causationId', 'u'],
  ['idempotencyKey', 'k'],
] as const;
const GZIP = [0x1f, 0x8b];
const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

export class IncomingCommits {
  readonly #options: IncomingOptions;
  /** Version of each stream is the builder's to give out; what a file says must be the same. */
  readonly #versionOf: (stream: string) => number;
  #line: number;
  #position: number;
  #time: string;
  #open: OpenCommit | undefined;
  /** Versions that events of the open commit have taken. */
  readonly #taken = new Map<string, number>();

  constructor(
    options: IncomingOptions,
    from: IncomingPlace,
    versionOf: (stream: string) => number,
  ) {
    this.#options = options;
    this.#versionOf = versionOf;
    this.#line = from.line;
    this.#position = from.position;
    this.#time = from.time;
  }

  /** Lines so far. */
  get line(): number {
    return this.#line;
  }

  /** Whether all lines so far make whole commits. */
  get isWhole(): boolean {
    return this.#open === undefined;
  }

  /** Takes one line, without its LF; gives the commit that it ends, if it ends one. @throws ImportFailedError */
  take(bytes: Buffer): IncomingCommit | undefined {
    this.#line += 1;
    if (bytes.length > lineBytesMax)
      throw this.#failed(1, `a line longer than ${lineBytesMax} bytes`);
    const text = this.#text(bytes);
    if (text.trim() === '') return undefined;
    const value = this.#parsed(text);
    try {
      const event = this.#options.format === 'ndjson' ? fromExported(value) : fromCloudEvent(value);
      return this.#add(event);
    } catch (error) {
      throw this.#unusable(error);
    }
  }

  /** No line comes any more. @throws ImportFailedError */
  end(): void {
    if (!this.#open) return;
    throw this.#failed(1, 'the file ends inside a commit: the event that ends it is missing');
  }

  #failed(column: number, problem: string, cause?: unknown): ImportFailedError {
    const place = { line: this.#line, column, ...(cause === undefined ? {} : { cause }) };
    return new ImportFailedError(this.#options.name, problem, place);
  }

  #unusable(error: unknown): unknown {
    if (error instanceof ImportFailedError) return error;
    if (error instanceof UnusableEvent) return this.#failed(1, `${error.path}: ${error.message}`);
    const isRefused =
      error instanceof RecollectError || (error instanceof TypeError && 'code' in error);
    return isRefused ? this.#failed(1, error.message.replace(/[.\s]+$/, ''), error) : error;
  }

  #text(bytes: Buffer): string {
    if (isUtf8(bytes)) return bytes.toString('utf8').replace(/\r$/, '');
    const isGzip = this.#line === 1 && bytes[0] === GZIP[0] && bytes[1] === GZIP[1];
    const problem = isGzip ? 'it is compressed; unpack it first' : 'bytes that are no UTF-8 text';
    throw this.#failed(firstBadCharacter(bytes), problem);
  }

  #parsed(text: string): Record<string, unknown> {
    let value: unknown;
    let isParsed = true;
    try {
      value = JSON.parse(text);
    } catch {
      isParsed = false;
    }
    // What encodes to the same text hides nothing; only other forms are looked at letter by letter.
    if (!isParsed || JSON.stringify(value) !== text) {
      const found = jsonProblem(text);
      if (found) throw this.#failed(found.column, found.problem);
    }
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
    throw this.#failed(1, 'a line must be one JSON object, an event');
  }

  #add(event: IncomingEvent): IncomingCommit | undefined {
    const isFirst = this.#open === undefined;
    const open = this.#open ?? this.#begin(event);
    if (!isFirst) this.#checkSame(open, event);
    const index = open.events.length;
    if (event.index !== undefined && event.index !== index) {
      throw new UnusableEvent(
        '$.index',
        `it must be ${index}: events of a commit are missing or stand in another order`,
      );
    }
    this.#open = open;
    this.#addEvent(open, event, index);
    const isLast = event.last === undefined ? event.position === undefined : event.last;
    if (typeof isLast !== 'boolean') throw new UnusableEvent('$.last', 'it must be true or false');
    return isLast ? this.#close(open) : undefined;
  }

  #begin(event: IncomingEvent): OpenCommit {
    const { position } = event;
    if (position !== undefined && position !== this.#position + 1) {
      const next = this.#position + 1;
      throw new UnusableEvent(
        '$.position',
        `it must be ${next}: commits are missing or stand in another order`,
      );
    }
    const head: Omit<Head, 'e'> = { t: this.#timeOf(event) };
    if (event.clock !== undefined) head.w = exactTime(event.clock, '$.clock');
    for (const [name, key] of CONTEXT) {
      const text = event[name];
      if (text === undefined) continue;
      if (name === 'reason') checkReason(text);
      else checkName(text, `$.${name}`);
      head[key] = text as string;
    }
    return { head, position, events: [], data: [], metadata: [], hasMetadata: false, bytes: 0 };
  }

  #timeOf({ time, position }: IncomingEvent): string {
    if (time === undefined) {
      if (position !== undefined) throw new UnusableEvent('$.time', 'it is missing');
      const { now } = this.#options;
      return now < this.#time ? this.#time : now;
    }
    if (typeof time !== 'string') throw new UnusableEvent('$.time', 'it must be a string');
    const checked = ISO.test(time) ? exactTime(time, '$.time') : momentOf(time);
    if (checked >= this.#time || this.#options.clampTimes) return checked;
    const problem = `${checked} is before ${this.#time}, the time of the commit before; times never go back in a log: sort the file, or pass clampTimes: true`;
    throw new UnusableEvent('$.time', problem);
  }

  /** All events of a commit say the same of it. */
  #checkSame(open: OpenCommit, event: IncomingEvent): void {
    if (event.position !== open.position) {
      throw new UnusableEvent(
        '$.position',
        `it must be ${open.position}: the event that ends the commit before is missing`,
      );
    }
    const same = {
      t: event.time,
      w: event.clock,
      ...Object.fromEntries(CONTEXT.map(([name, key]) => [key, event[name]])),
    };
    for (const [key, text] of Object.entries(same)) {
      if (text === open.head[key as 't']) continue;
      throw new UnusableEvent(
        '$',
        'it says another time or context than the event before it in the same commit',
      );
    }
  }

  #addEvent(open: OpenCommit, event: IncomingEvent, index: number): void {
    const { stream, type, schemaVersion, version, metadata } = event;
    checkName(stream, '$.stream');
    // What this store wrote itself comes back in; what others wrote must not pass for it.
    if (event.position === undefined) checkNotOwn(stream, '$.stream');
    checkName(type, '$.type');
    if (
      schemaVersion !== undefined &&
      !(Number.isSafeInteger(schemaVersion) && Number(schemaVersion) > 0)
    ) {
      throw new UnusableEvent('$.schemaVersion', 'it must be a positive integer');
    }
    const next = (this.#taken.get(stream) ?? this.#versionOf(stream)) + 1;
    if (version !== undefined && version !== next) {
      throw new UnusableEvent(
        '$.version',
        `it must be ${next}: events of the stream are missing or stand in another order`,
      );
    }
    this.#taken.set(stream, next);
    const data = jsonText(event.data, '$.data', commitBytesMax);
    open.data.push(data);
    open.bytes += data.length;
    if (metadata === undefined) open.metadata.push('null');
    else {
      if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
        throw new UnusableEvent('$.metadata', 'it must be an object');
      }
      const text = jsonText(metadata, '$.metadata', commitBytesMax);
      open.metadata.push(text);
      open.bytes += text.length;
      open.hasMetadata = true;
    }
    if (open.bytes > commitBytesMax) {
      throw new UnusableEvent(
        '$',
        `its commit has more than ${commitBytesMax} bytes by event ${index}`,
      );
    }
    const schema = schemaVersion as number | undefined;
    open.events.push(
      schema === undefined || schema === 1 ? [stream, next, type] : [stream, next, type, schema],
    );
  }

  #close(open: OpenCommit): IncomingCommit {
    this.#open = undefined;
    this.#taken.clear();
    this.#position += 1;
    const { head, events, data, metadata, hasMetadata } = open;
    if (head.t > this.#time) this.#time = head.t;
    const rest = hasMetadata ? `,"m":[${metadata.join(',')}]` : '';
    return { head: { ...head, e: events }, payload: `,"d":[${data.join(',')}]${rest}` };
  }
}

/** In characters, from 1. */
function firstBadCharacter(bytes: Buffer): number {
  const text = bytes.toString('utf8');
  const bad = text.indexOf('\ufffd');
  return bad + 1;
}

/** A time in the only form that the log knows. */
function exactTime(time: unknown, path: string): string {
  if (
    typeof time === 'string' &&
    ISO.test(time) &&
    !Number.isNaN(Date.parse(time)) &&
    new Date(time).toISOString() === time
  )
    return time;
  throw new UnusableEvent(path, 'it must be a time such as 2026-01-31T12:00:00.000Z');
}

/** A time in another form of ISO 8601, to the millisecond. */
function momentOf(time: string): string {
  if (time.length > 10) {
    const moment = checkedMoment(time);
    if ('time' in moment) return moment.time;
  }
  throw new UnusableEvent('$.time', 'it must be a time with a zone, such as 2026-01-31T12:00:00Z');
}

/** Cuts what comes in pieces into lines, in bounded memory. */
export class LineCutter {
  /** Pieces of a line that no LF ended yet. */
  #begun: Buffer[] = [];
  #begunBytes = 0;

  /** Whole lines, without their LF; what is left comes with the next piece. */
  *cut(piece: Buffer): Generator<Buffer, void> {
    let from = 0;
    for (;;) {
      const end = piece.indexOf(LF, from);
      if (end < 0) break;
      const rest = piece.subarray(from, end);
      yield this.#begun.length === 0 ? rest : Buffer.concat([...this.#begun, rest]);
      this.#begun = [];
      this.#begunBytes = 0;
      from = end + 1;
    }
    if (from === piece.length) return;
    // Beyond what any line may have nothing more is kept than it takes to see that.
    if (this.#begunBytes <= lineBytesMax) this.#begun.push(Buffer.from(piece.subarray(from)));
    this.#begunBytes += piece.length - from;
  }

  get isEmpty(): boolean {
    return this.#begunBytes === 0;
  }

  get begunBytes(): number {
    return this.#begunBytes;
  }

  /** A last line that no LF ends. */
  rest(): Buffer {
    const rest = Buffer.concat(this.#begun);
    this.#begun = [];
    this.#begunBytes = 0;
    return rest;
  }
}
