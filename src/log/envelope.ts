/**
 * Finds the parts of a commit line where they stand, without making a value of any: the envelope has a fixed order
 * (docs/FORMAT.md), so one pass over its bytes both checks the grammar and tells where everything is. Strings and objects are only
 * made of what is asked for.
 */
import { LINE_TAIL_BYTES } from './format.js';

/** Slices and writes of Buffer without the argument checks of `toString` and `write`: they are called for every line. */
interface FastBuffer extends Buffer {
  utf8Slice(start: number, end: number): string;
  latin1Slice(start: number, end: number): string;
  latin1Write(text: string, offset: number): number;
}

/** What is wrong with a line, in words, without where it stands. */
export class LineProblem extends Error {}

/** The envelope of a commit under the short keys of the format: all but data, metadata and checksum. */
export interface CommitHead {
  readonly p: number;
  readonly g: string;
  readonly t: string;
  readonly w?: string;
  readonly a?: string;
  readonly r?: string;
  readonly o?: string;
  readonly u?: string;
  readonly k?: string;
  /** stream, version, type, schema version when not 1 */
  readonly e: readonly (readonly [string, number, string, number?])[];
}

export type ContextKey = 'a' | 'r' | 'o' | 'u' | 'k';

const CONTEXT_KEYS: readonly ContextKey[] = ['a', 'r', 'o', 'u', 'k'];
const CONTEXT_BYTES: readonly number[] = CONTEXT_KEYS.map((key) => key.charCodeAt(0));
export const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const DIGITS_MAX = 16;
const TIME_BYTES = 24;
/** `0` stands for any digit. */
const TIME_SHAPE = Buffer.from('0000-00-00T00:00:00.000Z');
const TAG_MARK = Buffer.from(',"g":"');
const TIME_MARK = Buffer.from(',"t":"');
const DATA_MARK = Buffer.from('],"d":[');
const METADATA_MARK = Buffer.from(',"m":[');
/** Stream, its end, version, type, its end, schema version: where each event's parts stand. */
const EVENT_FIELDS = 6;

function problem(): LineProblem {
  return new LineProblem('a commit whose envelope is not what the format says');
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** Offset of the quote that ends the string whose content begins at `at`. A line ends in an LF, which no string can hold. */
function stringEnd(buffer: Buffer, at: number): number {
  let index = at;
  for (;;) {
    const byte = buffer[index] as number;
    if (byte === QUOTE) return index;
    if (byte === BACKSLASH) index = escapeEnd(buffer, index + 1);
    else if (byte < 0x20) throw new LineProblem('a control character in a string');
    index += 1;
  }
}

/** Offset of the last byte of the escape whose first byte behind the backslash is at `at`. */
function escapeEnd(buffer: Buffer, at: number): number {
  const byte = buffer[at] as number;
  if (byte === 0x75) {
    for (let index = at + 1; index <= at + 4; index += 1) {
      const digit = (buffer[index] as number) | 0x20;
      if (!isDigit(digit) && !(digit >= 0x61 && digit <= 0x66)) {
        throw new LineProblem('a broken escape in a string');
      }
    }
    return at + 4;
  }
  if (byte < 0x20 || !'"\\/bfnrt'.includes(String.fromCharCode(byte))) {
    throw new LineProblem('a broken escape in a string');
  }
  return at;
}

/** The string whose content, as it stands in JSON, is at `[start, end)`. */
export function stringAt(buffer: Buffer, start: number, end: number): string {
  const text = utf8(buffer, start, end);
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}

/** The text at `[start, end)`. */
export function utf8(buffer: Buffer, start: number, end: number): string {
  return (buffer as FastBuffer).utf8Slice(start, end);
}

/** The text at `[start, end)`, which holds ASCII only. */
export function latin1(buffer: Buffer, start: number, end: number): string {
  return (buffer as FastBuffer).latin1Slice(start, end);
}

/** Writes a text that holds ASCII only. */
export function writeLatin1(buffer: Buffer, text: string, offset: number): void {
  (buffer as FastBuffer).latin1Write(text, offset);
}

function expect(buffer: Buffer, at: number, mark: Buffer): number {
  for (let index = 0; index < mark.length; index += 1) {
    if (buffer[at + index] !== mark[index]) throw problem();
  }
  return at + mark.length;
}

export class Envelope {
  position = 0;
  tag = '';
  time = '';
  eventCount = 0;
  /** Behind the `[` that begins the data. */
  dataStart = 0;
  #rawTime: string | undefined;
  /** From the comma behind the position to the comma behind the times: lines of one group mostly share it. */
  #stamp: Buffer = Buffer.alloc(0);
  readonly #context = new Int32Array(2 * CONTEXT_KEYS.length);
  #hasContext = false;
  readonly #events: number[] = [];
  /** Where the number read last ended. */
  #end = 0;

  /**
   * Reads the envelope of the commit line at `[start, end)`, whose checksum was looked at before.
   * @throws LineProblem
   */
  scan(buffer: Buffer, start: number, end: number): void {
    if (buffer[start] !== OPEN_BRACE || buffer[start + 1] !== QUOTE) throw problem();
    if (buffer[start + 3] !== QUOTE || buffer[start + 4] !== COLON) throw problem();
    this.position = this.#number(buffer, start + 5);
    let at = this.#stampEnd(buffer, this.#end);
    at = this.#contextEnd(buffer, at);
    at = this.#eventsEnd(buffer, at);
    this.dataStart = expect(buffer, at, DATA_MARK);
    if (this.dataStart >= end - LINE_TAIL_BYTES) throw new LineProblem('a commit without data');
  }

  /** Where the text of data and metadata begins, with its comma. */
  get payloadStart(): number {
    return this.dataStart - DATA_MARK.length + 1;
  }

  /** What was scanned, as a value. `buffer` is the one that was scanned, unchanged. */
  head(buffer: Buffer): CommitHead {
    const e: [string, number, string, number?][] = [];
    for (let index = 0; index < this.eventCount; index += 1) {
      const at = index * EVENT_FIELDS;
      const stream = this.#string(buffer, at);
      const version = this.#events[at + 2] as number;
      const type = this.#string(buffer, at + 3);
      const schema = this.#events[at + 5] as number;
      e.push(schema === 0 ? [stream, version, type] : [stream, version, type, schema]);
    }
    const head: { -readonly [Key in keyof CommitHead]: CommitHead[Key] } = {
      p: this.position,
      g: this.tag,
      t: this.time,
      e,
    };
    if (this.#rawTime !== undefined) head.w = this.#rawTime;
    for (const key of CONTEXT_KEYS) {
      const text = this.context(buffer, key);
      if (text !== undefined) head[key] = text;
    }
    return head;
  }

  /** Where the name of an event's stream begins and ends, as it stands in JSON, and the event's version. */
  streamStart(event: number): number {
    return this.#events[event * EVENT_FIELDS] as number;
  }

  streamEnd(event: number): number {
    return this.#events[event * EVENT_FIELDS + 1] as number;
  }

  version(event: number): number {
    return this.#events[event * EVENT_FIELDS + 2] as number;
  }

  typeStart(event: number): number {
    return this.#events[event * EVENT_FIELDS + 3] as number;
  }

  typeEnd(event: number): number {
    return this.#events[event * EVENT_FIELDS + 4] as number;
  }

  schemaVersion(event: number): number {
    return (this.#events[event * EVENT_FIELDS + 5] as number) || 1;
  }

  /** True when the commit says who, why or from what. */
  get hasContext(): boolean {
    return this.#hasContext;
  }

  /** What stands under that key; `undefined` when it does not stand there. `buffer` is the one that was scanned, unchanged. */
  context(buffer: Buffer, key: ContextKey): string | undefined {
    const index = CONTEXT_KEYS.indexOf(key);
    const start = this.#context[2 * index] as number;
    if (start === 0) return undefined;
    return stringAt(buffer, start, this.#context[2 * index + 1] as number);
  }

  /**
   * Checks, without making values of them, that data and metadata are as many as the events and that nothing else stands there.
   * @throws LineProblem
   */
  checkPayload(buffer: Buffer, end: number): void {
    const bodyEnd = end - LINE_TAIL_BYTES;
    let at = this.#listEnd(buffer, this.dataStart);
    if (at !== bodyEnd) at = this.#listEnd(buffer, expect(buffer, at, METADATA_MARK));
    if (at !== bodyEnd) throw new LineProblem('a commit with more in it than the format knows');
  }

  /** Offset behind the list of one element per event whose first element begins at `at`. */
  #listEnd(buffer: Buffer, at: number): number {
    let depth = 0;
    let commas = 0;
    let index = at;
    for (;;) {
      const byte = buffer[index] as number;
      index += 1;
      if (byte === QUOTE) index = stringEnd(buffer, index) + 1;
      else if (byte === COMMA) {
        if (depth === 0) commas += 1;
      } else if (byte === OPEN_BRACE || byte === OPEN) depth += 1;
      else if (byte === CLOSE_BRACE || byte === CLOSE) {
        depth -= 1;
        if (depth < 0) break;
      } else if (byte < 0x20) throw new LineProblem('data without an end');
    }
    const elements = index === at + 1 ? 0 : commas + 1;
    if (elements !== this.eventCount) {
      throw new LineProblem('a commit whose events and data differ in number');
    }
    return index;
  }

  #string(buffer: Buffer, field: number): string {
    return stringAt(buffer, this.#events[field] as number, this.#events[field + 1] as number);
  }

  #number(buffer: Buffer, at: number): number {
    let index = at;
    let value = 0;
    let byte = buffer[index] as number;
    while (isDigit(byte)) {
      // Not `value * 10 + byte - 0x30`: the sum in between would be rounded near the largest safe integer.
      value = value * 10 + (byte - 0x30);
      index += 1;
      byte = buffer[index] as number;
    }
    const right = index > at && index - at <= DIGITS_MAX && buffer[at] !== 0x30;
    if (!right || !Number.isSafeInteger(value)) throw problem();
    this.#end = index;
    return value;
  }

  #stampEnd(buffer: Buffer, at: number): number {
    const stamp = this.#stamp;
    const { length } = stamp;
    let same = 0;
    while (same < length && buffer[at + same] === stamp[same]) same += 1;
    // A raw time behind the time makes another stamp of it.
    if (length > 0 && same === length && buffer[at + length + 2] !== 0x77) return at + length;
    const tagStart = expect(buffer, at, TAG_MARK);
    const tagEnd = stringEnd(buffer, tagStart);
    const timeStart = expect(buffer, tagEnd + 1, TIME_MARK);
    let end = this.#timeEnd(buffer, timeStart);
    this.#rawTime = undefined;
    if (buffer[end + 2] === 0x77) {
      const rawStart = end + TIME_MARK.length;
      end = this.#timeEnd(buffer, rawStart);
      this.#rawTime = latin1(buffer, rawStart, rawStart + TIME_BYTES);
    }
    this.tag = stringAt(buffer, tagStart, tagEnd);
    this.time = latin1(buffer, timeStart, timeStart + TIME_BYTES);
    this.#stamp = Buffer.from(buffer.subarray(at, end));
    return end;
  }

  /** Offset behind the quote that ends the time at `at`. */
  #timeEnd(buffer: Buffer, at: number): number {
    for (let index = 0; index < TIME_BYTES; index += 1) {
      const shape = TIME_SHAPE[index] as number;
      const byte = buffer[at + index] as number;
      if (shape === 0x30 ? !isDigit(byte) : byte !== shape) {
        throw new LineProblem('a time that is none');
      }
    }
    if (buffer[at + TIME_BYTES] !== QUOTE) throw new LineProblem('a time that is none');
    return at + TIME_BYTES + 1;
  }

  #contextEnd(buffer: Buffer, from: number): number {
    if (this.#hasContext) this.#context.fill(0);
    this.#hasContext = false;
    let at = from;
    for (let index = 0; index < CONTEXT_KEYS.length; index += 1) {
      if (buffer[at + 2] !== CONTEXT_BYTES[index]) continue;
      if (buffer[at + 5] !== QUOTE) throw problem();
      this.#checkKey(buffer, at);
      const start = at + 6;
      const end = stringEnd(buffer, start);
      this.#hasContext = true;
      this.#context[2 * index] = start;
      this.#context[2 * index + 1] = end;
      at = end + 1;
    }
    return at;
  }

  /** `,"x":` with any one letter. */
  #checkKey(buffer: Buffer, at: number): void {
    const right =
      buffer[at] === COMMA &&
      buffer[at + 1] === QUOTE &&
      buffer[at + 3] === QUOTE &&
      buffer[at + 4] === COLON;
    if (!right) throw problem();
  }

  /** Offset of the bracket that ends the list of events. */
  #eventsEnd(buffer: Buffer, from: number): number {
    const events = this.#events;
    this.#checkKey(buffer, from);
    if (buffer[from + 2] !== 0x65 || buffer[from + 5] !== OPEN) throw problem();
    let at = from + 6;
    let field = 0;
    for (;;) {
      if (buffer[at] !== OPEN || buffer[at + 1] !== QUOTE) throw problem();
      const streamStart = at + 2;
      const streamEnd = stringEnd(buffer, streamStart);
      if (buffer[streamEnd + 1] !== COMMA) throw problem();
      const version = this.#number(buffer, streamEnd + 2);
      at = this.#end;
      if (buffer[at] !== COMMA || buffer[at + 1] !== QUOTE) throw problem();
      const typeStart = at + 2;
      const typeEnd = stringEnd(buffer, typeStart);
      at = typeEnd + 1;
      let schema = 0;
      if (buffer[at] === COMMA) {
        schema = this.#number(buffer, at + 1);
        at = this.#end;
      }
      if (buffer[at] !== CLOSE) throw problem();
      at += 1;
      events[field] = streamStart;
      events[field + 1] = streamEnd;
      events[field + 2] = version;
      events[field + 3] = typeStart;
      events[field + 4] = typeEnd;
      events[field + 5] = schema;
      field += EVENT_FIELDS;
      if (buffer[at] === CLOSE) break;
      if (buffer[at] !== COMMA) throw problem();
      at += 1;
    }
    this.eventCount = field / EVENT_FIELDS;
    return at;
  }
}
