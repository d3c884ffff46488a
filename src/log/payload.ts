/**
 * What a caller hands in, checked and encoded in the caller's turn: nothing enters the queue that JSON would mangle, that is too large, or
 * that could change behind the caller's back while it waits.
 */
import {
  checkOptionNames,
  InvalidEventError,
  invalidArgument,
  LimitExceededError,
  optionNames,
  quote,
} from '../errors.js';
import type { CommitText } from './encode.js';
import type { CommitGuard } from './guard.js';
import { jsonText, kindOf, member } from './json.js';
import { commitStreamsMax, reasonBytesMax } from './limits.js';
import { checkName, checkNotOwn, knownName } from './names.js';
import type { CommitContext, CommitPart, ExpectedVersion, NewEvent, StreamCheck } from './types.js';

export interface EventLimits {
  readonly eventBytes: number;
  readonly commitBytes: number;
}

/** One condition, as the decision takes it. */
export interface Condition {
  readonly stream: string;
  readonly expected: ExpectedVersion;
}

/** A commit, ready but for its position and versions. */
export interface EncodedCommit {
  readonly streams: readonly string[];
  /** Each stream's name as JSON text. */
  readonly streamTexts: readonly string[];
  /** Events per stream. */
  readonly counts: readonly number[];
  /** Those of its own streams in their order, then those of others. */
  readonly conditions: readonly Condition[];
  readonly idempotencyKey: string | undefined;
  readonly text: CommitText;
  readonly guard: CommitGuard | undefined;
  /** An upper bound of the commit line's length. */
  readonly bytesMax: number;
}

/** More than any envelope takes besides texts: keys, position, tag, times, checksum, and per event a version and punctuation. */
const ENVELOPE_BYTES = 200;
const EVENT_ENVELOPE_BYTES = 32;

/** @throws TypeError, LimitExceededError */
export function checkReason(reason: unknown): asserts reason is string {
  if (typeof reason !== 'string')
    throw invalidArgument(`reason must be a string, not ${kindOf(reason)}`);
  if (!reason.isWellFormed())
    throw invalidArgument('reason has half a surrogate pair; use toWellFormed()');
  const bytes = Buffer.byteLength(reason);
  if (bytes > reasonBytesMax) {
    throw new LimitExceededError('reasonBytesMax', reasonBytesMax, bytes, 'reason');
  }
}

const PART_MEMBERS = optionNames<CommitPart>({ stream: true, events: true, expectedVersion: true });
const CHECK_MEMBERS = optionNames<StreamCheck>({ stream: true, expectedVersion: true });
const MEMBERS_OF_EVENT = new Set(['type', 'data', 'metadata', 'schemaVersion']);

function eventListOf(events: unknown): readonly NewEvent[] {
  const list = Array.isArray(events) ? (events as NewEvent[]) : [events as NewEvent];
  if (list.length === 0) throw invalidArgument('the list of events is empty; append at least one');
  return list;
}

/** Throws unless it is `{ type, data, metadata?, schemaVersion? }`. */
function checkShape(event: unknown, path: string): asserts event is NewEvent {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    throw new InvalidEventError(path, `${kindOf(event)} is no event`, 'Use { type, data }.');
  }
  for (const key in event) {
    if (MEMBERS_OF_EVENT.has(key)) continue;
    throw new InvalidEventError(
      member(path, key),
      'an event has no such member',
      'An event is { type, data, metadata?, schemaVersion? }; put more into data or metadata.',
    );
  }
}

/** The end of an event's envelope, `,"type"[,schemaVersion]]`, as the only one of a list. */
function typeTextsOf(event: NewEvent, path: string): readonly string[] {
  const { schemaVersion } = event;
  const known = knownName(event.type, path, '.type');
  if (schemaVersion === undefined || schemaVersion === 1) return known.asTypeAlone;
  if (Number.isSafeInteger(schemaVersion) && schemaVersion > 0) {
    return [`,${known.text},${schemaVersion}]`];
  }
  throw invalidArgument(`${path}.schemaVersion must be a positive integer`);
}

function metadataTextOf(event: NewEvent, path: string, limits: EventLimits): string | undefined {
  const { metadata } = event;
  if (metadata === undefined) return undefined;
  if (typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata)) {
    return jsonText(metadata, `${path}.metadata`, limits.eventBytes);
  }
  throw new InvalidEventError(
    `${path}.metadata`,
    `${kindOf(metadata)} is no object`,
    'Use an object, or leave it out.',
  );
}

function checkEventBytes(
  dataText: string,
  metadataText: string | undefined,
  path: string,
  limits: EventLimits,
): void {
  const characters = dataText.length + (metadataText?.length ?? 0);
  if (characters * 3 <= limits.eventBytes) return;
  const bytes = Buffer.byteLength(dataText) + Buffer.byteLength(metadataText ?? '');
  if (bytes <= limits.eventBytes) return;
  throw new LimitExceededError('eventBytes', limits.eventBytes, bytes, path);
}

function encodeContext(context: CommitContext): string {
  let text = '';
  const { actor, reason, correlationId, causationId, idempotencyKey } = context;
  if (actor !== undefined) {
    checkName(actor, 'actor');
    text += `,"a":${JSON.stringify(actor)}`;
  }
  if (reason !== undefined) {
    checkReason(reason);
    text += `,"r":${JSON.stringify(reason)}`;
  }
  if (correlationId !== undefined) {
    checkName(correlationId, 'correlationId');
    text += `,"o":${JSON.stringify(correlationId)}`;
  }
  if (causationId !== undefined) {
    checkName(causationId, 'causationId');
    text += `,"u":${JSON.stringify(causationId)}`;
  }
  if (idempotencyKey !== undefined) {
    checkName(idempotencyKey, 'idempotencyKey');
    text += `,"k":${JSON.stringify(idempotencyKey)}`;
  }
  return text;
}

/** An expected version as the decision takes it: 0 is `'absent'`. */
export function checkExpected(expected: unknown, what: string): ExpectedVersion {
  if (expected === undefined || expected === 'any') return 'any';
  if (expected === 'absent' || expected === 0) return 'absent';
  if (expected === 'exists') return 'exists';
  if (typeof expected === 'number' && Number.isSafeInteger(expected) && expected > 0) {
    return expected;
  }
  throw invalidArgument(
    `${what} must be 'any', 'absent', 'exists' or a version (an integer from 0), not ${quote(String(expected))}`,
  );
}

/** What only the floors above may ask for. */
export interface CommitExtras {
  readonly guard?: CommitGuard | undefined;
  /** Streams of the store's own may be written. */
  readonly own?: boolean;
}

const NO_EXTRAS: CommitExtras = {};
const FIRST_PART = [0] as const;
const ONE_EVENT = [1] as const;
const NO_CONDITIONS: readonly Condition[] = [];

/**
 * Checks and encodes a commit of one event for one stream: most commits are, so they get by without lists of their own.
 * @throws InvalidEventError, LimitExceededError, TypeError
 */
export function encodeSingle(
  stream: string,
  event: NewEvent,
  expectedVersion: ExpectedVersion | undefined,
  context: CommitContext,
  limits: EventLimits,
): EncodedCommit {
  const name = knownName(stream, 'stream');
  checkNotOwn(stream, 'stream');
  checkShape(event, 'events[0]');
  const type = typeTextsOf(event, 'events[0]');
  const data = jsonText(event.data, 'events[0].data', limits.eventBytes);
  const metadata = metadataTextOf(event, 'events[0]', limits);
  checkEventBytes(data, metadata, 'events[0]', limits);
  const expected = checkExpected(expectedVersion, 'expectedVersion');
  const text: CommitText = {
    context: encodeContext(context),
    parts: FIRST_PART,
    types: type,
    data,
    metadata,
  };
  return {
    streams: name.alone,
    streamTexts: name.textAlone,
    counts: ONE_EVENT,
    conditions: expected === 'any' ? NO_CONDITIONS : [{ stream, expected }],
    idempotencyKey: context.idempotencyKey,
    text,
    guard: undefined,
    bytesMax: lineBytesOf(text, name.textAlone, limits),
  };
}

/**
 * Checks and encodes a commit.
 * @throws InvalidEventError, LimitExceededError, TypeError
 */
export function encodeCommit(
  parts: readonly CommitPart[],
  checks: readonly StreamCheck[] | undefined,
  context: CommitContext,
  limits: EventLimits,
  { guard, own = false }: CommitExtras = NO_EXTRAS,
): EncodedCommit {
  if (!Array.isArray(parts) || parts.length === 0) {
    throw invalidArgument('a commit needs at least one { stream, events }');
  }
  const named = parts.length + (Array.isArray(checks) ? checks.length : 0);
  if (named > commitStreamsMax) {
    throw new LimitExceededError('commitStreamsMax', commitStreamsMax, named, 'the commit');
  }
  const streams: string[] = [];
  /** The same: asking the list for each part makes thousands of parts cost their square. */
  const written = new Set<string>();
  const streamTexts: string[] = [];
  const counts: number[] = [];
  const conditions: Condition[] = [];
  const eventParts: number[] = [];
  const types: string[] = [];
  const data: string[] = [];
  const metadata: string[] = [];
  let anyMetadata = false;
  for (const part of parts) {
    if (typeof part !== 'object' || part === null) {
      throw invalidArgument('a part of a commit must be { stream, events }');
    }
    checkOptionNames(part, PART_MEMBERS, 'a part of a commit');
    const name = knownName(part.stream, 'stream');
    if (!own) checkNotOwn(part.stream, 'stream');
    if (written.has(part.stream)) {
      throw invalidArgument(
        `the stream ${quote(part.stream)} stands twice in the commit; put its events into one list`,
      );
    }
    const expected = checkExpected(part.expectedVersion, 'expectedVersion');
    const list = eventListOf(part.events);
    const index = streams.length;
    for (let place = 0; place < list.length; place += 1) {
      const path = parts.length === 1 ? `events[${place}]` : `parts[${index}].events[${place}]`;
      const event: unknown = list[place];
      checkShape(event, path);
      types.push(...typeTextsOf(event, path));
      eventParts.push(index);
      const dataText = jsonText(event.data, `${path}.data`, limits.eventBytes);
      const metadataText = metadataTextOf(event, path, limits);
      checkEventBytes(dataText, metadataText, path, limits);
      data.push(dataText);
      metadata.push(metadataText ?? 'null');
      if (metadataText !== undefined) anyMetadata = true;
    }
    streams.push(part.stream);
    written.add(part.stream);
    streamTexts.push(name.text);
    counts.push(list.length);
    if (expected !== 'any') conditions.push({ stream: part.stream, expected });
  }
  if (checks !== undefined && !Array.isArray(checks)) {
    throw invalidArgument('checks must be a list of { stream, expectedVersion }');
  }
  for (const check of checks ?? []) {
    if (typeof check !== 'object' || check === null) {
      throw invalidArgument('a check must be { stream, expectedVersion }');
    }
    checkOptionNames(check, CHECK_MEMBERS, 'a check');
    knownName(check.stream, 'checks: stream');
    const expected = checkExpected(check.expectedVersion, 'checks: expectedVersion');
    if (written.has(check.stream)) {
      throw invalidArgument(
        `the stream ${quote(check.stream)} is written and checked; give it an expectedVersion instead`,
      );
    }
    if (expected !== 'any') conditions.push({ stream: check.stream, expected });
  }
  const text: CommitText = {
    context: encodeContext(context),
    parts: eventParts,
    types,
    data: data.join(','),
    metadata: anyMetadata ? metadata.join(',') : undefined,
  };
  return {
    streams,
    streamTexts,
    counts,
    conditions,
    idempotencyKey: context.idempotencyKey,
    text,
    guard,
    bytesMax: lineBytesOf(text, streamTexts, limits),
  };
}

/**
 * An upper bound of the commit line's length; the exact one when the bound is beyond the limit.
 * @throws LimitExceededError
 */
function lineBytesOf(
  text: CommitText,
  streamTexts: readonly string[],
  limits: EventLimits,
): number {
  const { context, parts, types, data, metadata = '' } = text;
  const envelope = ENVELOPE_BYTES + parts.length * EVENT_ENVELOPE_BYTES;
  let characters = data.length + metadata.length + context.length;
  for (let index = 0; index < parts.length; index += 1) {
    const stream = streamTexts[parts[index] as number] as string;
    characters += stream.length + (types[index] as string).length;
  }
  const bound = characters * 3 + envelope;
  if (bound <= limits.commitBytes) return bound;
  let bytes = envelope;
  for (const part of [data, metadata, context]) bytes += Buffer.byteLength(part);
  for (let index = 0; index < parts.length; index += 1) {
    const stream = streamTexts[parts[index] as number] as string;
    bytes += Buffer.byteLength(stream) + Buffer.byteLength(types[index] as string);
  }
  if (bytes <= limits.commitBytes) return bytes;
  throw new LimitExceededError('commitBytes', limits.commitBytes, bytes, 'the commit');
}
