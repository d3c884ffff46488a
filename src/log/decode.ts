/** From the lines of docs/FORMAT.md to values. Throws `LineProblem` when a line is not what the format says. */
import { crc32 } from 'node:zlib';
import { type CommitHead, Envelope, LineProblem, latin1, utf8 } from './envelope.js';
import { eventId } from './event-id.js';
import { ATTEMPT_DIGITS, LINE_TAIL_BYTES } from './format.js';
import { NameCache } from './name-cache.js';
import type { RecordedEvent } from './types.js';

export { type CommitHead, LineProblem };

export interface SealFacts {
  readonly seal: string;
  readonly g: string;
  readonly p: number;
  readonly n: number;
  readonly b: number;
  readonly salt: string;
}

export type LineKind = 'commit' | 'seal' | 'close' | 'segment' | 'other';

const CHECKSUM_MARK = Buffer.from(',"c":"');
const KINDS: readonly (readonly [Buffer, LineKind])[] = [
  [Buffer.from('{"p":'), 'commit'],
  [Buffer.from('{"seal":'), 'seal'],
  [Buffer.from('{"close":'), 'close'],
  [Buffer.from('{"segment":'), 'segment'],
];
const HEX_VALUE = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value += 1) {
  HEX_VALUE['0123456789abcdef'.charCodeAt(value)] = value;
}

function beginsWith(first: Buffer, buffer: Buffer, start: number): boolean {
  for (let index = 0; index < first.length; index += 1) {
    if (buffer[start + index] !== first[index]) return false;
  }
  return true;
}

/** The kind of the line that begins at `start`, by its first key. */
export function lineKind(buffer: Buffer, start: number): LineKind {
  for (const [first, kind] of KINDS) {
    if (beginsWith(first, buffer, start)) return kind;
  }
  return 'other';
}

/** Whether the line at `[start, end)`, LF included, ends in the right checksum of its body. */
export function checksumHolds(buffer: Buffer, start: number, end: number): boolean {
  const body = end - LINE_TAIL_BYTES;
  if (body <= start) return false;
  for (let index = 0; index < CHECKSUM_MARK.length; index += 1) {
    if (buffer[body + index] !== CHECKSUM_MARK[index]) return false;
  }
  if (buffer[end - 3] !== 0x22 || buffer[end - 2] !== 0x7d || buffer[end - 1] !== 0x0a)
    return false;
  let stored = 0;
  for (let index = end - 11; index < end - 3; index += 1) {
    const value = HEX_VALUE[buffer[index] as number] as number;
    if (value < 0) return false;
    stored = stored * 16 + value;
  }
  return stored === crc32(buffer.subarray(start, body));
}

/** Whether only lower-case hexadecimal digits stand at `[start, end)`. */
export function areHexDigits(buffer: Buffer, start: number, end: number): boolean {
  for (let index = start; index < end; index += 1) {
    if ((HEX_VALUE[buffer[index] as number] as number) < 0) return false;
  }
  return true;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new LineProblem('not valid JSON although its checksum is right');
  }
}

function isPosition(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

const envelope = new Envelope();
export const names: NameCache = new NameCache();

/** The envelope of the commit line at `[start, end)`. The data is not looked at. */
export function decodeHead(buffer: Buffer, start: number, end: number): CommitHead {
  envelope.scan(buffer, start, end);
  return envelope.head(buffer);
}

const SEAL_LINE =
  /^\{"seal":"([0-9a-f]{64})","g":"([^"\\]*)","p":([1-9][0-9]{0,15}),"n":([1-9][0-9]{0,15}),"b":([1-9][0-9]{0,15}),"salt":"([0-9a-f]{32})","c":"[0-9a-f]{8}"\}\n$/;
const SEAL_LINE_MAX = 512;

export function decodeSeal(buffer: Buffer, start: number, end: number): SealFacts {
  const match = end - start > SEAL_LINE_MAX ? null : SEAL_LINE.exec(latin1(buffer, start, end));
  if (!match) throw new LineProblem('a seal line that is not what the format says');
  const [, seal, g, p, n, b, salt] = match as unknown as [string, string, string, ...string[]];
  const facts = { seal, g, p: Number(p), n: Number(n), b: Number(b), salt: salt as string };
  if (![facts.p, facts.n, facts.b].every(isPosition)) {
    throw new LineProblem('a seal line with a number that is too large');
  }
  return facts;
}

/** First position of the group that a tag names; `undefined` when it is no tag. */
export function groupOfTag(tag: string): number | undefined {
  const dash = tag.length - ATTEMPT_DIGITS - 1;
  if (dash < 1 || tag[dash] !== '-') return undefined;
  const first = Number(tag.slice(0, dash));
  return isPosition(first) ? first : undefined;
}

/**
 * A line must be what encoding its values gives: keys once, no white space, numbers and strings in one form. Reading a value
 * hides what a checksum takes as it is.
 */
export function checkForm(buffer: Buffer, start: number, end: number): void {
  const text = buffer.toString('utf8', start, end - 1);
  let again: string;
  try {
    again = JSON.stringify(JSON.parse(text));
  } catch {
    // Too deep a nesting fails here as well.
    throw new LineProblem('not JSON that can be read although its checksum is right');
  }
  if (again !== text) {
    throw new LineProblem(
      'a line that reads back as something else, such as one with a repeated key',
    );
  }
}

/** Freezes a JSON value that nobody else holds yet, with all that it holds. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) freeze(value);
  return value;
}

function freeze(value: object): void {
  // By index, and without a list of the keys: this runs for every object that is read.
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      const item: unknown = value[index];
      if (typeof item === 'object' && item !== null) freeze(item);
    }
  } else {
    const values = value as Readonly<Record<string, unknown>>;
    for (const key in values) {
      const item = values[key];
      // Not what somebody hung onto the prototype of all objects.
      if (typeof item === 'object' && item !== null && Object.hasOwn(values, key)) freeze(item);
    }
  }
  Object.freeze(value);
}

/** What stands between the data and the metadata of a commit, and, rarely, inside of data. */
const METADATA_BEGINNING = '],"m":[';

interface Payload {
  readonly d: unknown;
  readonly m?: unknown;
}

function payloadOf(buffer: Buffer, envelope: Envelope, end: number): Payload {
  const text = utf8(buffer, envelope.dataStart - 1, end - LINE_TAIL_BYTES);
  // Without an object around it the list is parsed in four fifths of the time.
  if (!text.includes(METADATA_BEGINNING)) return { d: parse(text) };
  return parse(`{"d":${text}}`) as Payload;
}

/** Names that somebody has made of a line already. */
export interface KnownNames {
  stream(index: number): string;
  type(index: number): string;
}

/**
 * The events of the scanned commit line that ends at `end`, deeply frozen. `buffer` is the one that was scanned, unchanged.
 * @throws LineProblem
 */
export function eventsIn(
  envelope: Envelope,
  buffer: Buffer,
  end: number,
  known?: KnownNames,
): RecordedEvent[] {
  const { position, time, eventCount: count } = envelope;
  const { d: data, m: metadata } = payloadOf(buffer, envelope, end);
  if (
    !Array.isArray(data) ||
    data.length !== count ||
    (metadata !== undefined && (!Array.isArray(metadata) || metadata.length !== count))
  ) {
    throw new LineProblem('a commit whose events and data differ in number');
  }
  const context = envelope.hasContext ? contextOf(envelope, buffer) : undefined;
  const events: RecordedEvent[] = [];
  for (let index = 0; index < count; index += 1) {
    const event: Mutable<RecordedEvent> = {
      id: eventId(position, index),
      position,
      index,
      last: index === count - 1,
      time,
      stream: known
        ? known.stream(index)
        : names.text(buffer, envelope.streamStart(index), envelope.streamEnd(index)),
      version: envelope.version(index),
      type: known
        ? known.type(index)
        : names.text(buffer, envelope.typeStart(index), envelope.typeEnd(index)),
      schemaVersion: envelope.schemaVersion(index),
      data: deepFreeze(data[index]),
    };
    if (metadata?.[index] !== undefined && metadata[index] !== null) {
      event.metadata = deepFreeze(metadata[index]);
    }
    if (context) addContext(event, context);
    events.push(Object.freeze(event));
  }
  return events;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

interface Context {
  readonly actor: string | undefined;
  readonly reason: string | undefined;
  readonly correlationId: string | undefined;
  readonly causationId: string | undefined;
  readonly idempotencyKey: string | undefined;
}

function contextOf(envelope: Envelope, buffer: Buffer): Context {
  return {
    actor: envelope.context(buffer, 'a'),
    reason: envelope.context(buffer, 'r'),
    correlationId: envelope.context(buffer, 'o'),
    causationId: envelope.context(buffer, 'u'),
    idempotencyKey: envelope.context(buffer, 'k'),
  };
}

function addContext(event: Mutable<RecordedEvent>, context: Context): void {
  const { actor, reason, correlationId, causationId, idempotencyKey } = context;
  if (actor !== undefined) event.actor = actor;
  if (reason !== undefined) event.reason = reason;
  if (correlationId !== undefined) event.correlationId = correlationId;
  if (causationId !== undefined) event.causationId = causationId;
  if (idempotencyKey !== undefined) event.idempotencyKey = idempotencyKey;
}

/** The whole commit line at `[start, end)` as events, deeply frozen. Its checksum was looked at before. */
export function decodeEvents(buffer: Buffer, start: number, end: number): RecordedEvent[] {
  envelope.scan(buffer, start, end);
  return eventsIn(envelope, buffer, end);
}
