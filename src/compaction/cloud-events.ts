/**
 * Events as CloudEvents 1.0 (JSON format, structured mode), and back. The stream is the subject; what CloudEvents has no attribute for stands in extension
 * attributes, whose names may hold lower-case letters and digits only and whose values are no objects.
 */
import { jsonText } from '../log/json.js';
import { commitBytesMax } from '../log/limits.js';
import { type ExportedEvent, type IncomingEvent, UnusableEvent } from './exported-event.js';

/** An Integer of CloudEvents has 32 bits; what is larger is written as a String. */
const INTEGER_MAX = 2 ** 31 - 1;
const SPEC_VERSION = '1.0';
const JSON_TYPE = 'application/json';

export type CloudEvent = Readonly<Record<string, unknown>>;

/** @param source - a URI reference that names the store: together with the id it names the event among all there are */
export function toCloudEvent(event: ExportedEvent, source: string): CloudEvent {
  const { id, type, stream, time, data, metadata } = event;
  const cloudEvent: Record<string, unknown> = {
    specversion: SPEC_VERSION,
    id,
    source,
    type,
    subject: stream,
    time,
    datacontenttype: JSON_TYPE,
    position: integer(event.position),
    commitindex: integer(event.index),
    commitlast: event.last,
    streamversion: integer(event.version),
  };
  if (event.schemaVersion !== 1) cloudEvent['schemaversion'] = integer(event.schemaVersion);
  if (event.clock !== undefined) cloudEvent['clock'] = event.clock;
  for (const [name, key] of CONTEXT) {
    if (event[key] !== undefined) cloudEvent[name] = event[key];
  }
  if (metadata !== undefined) cloudEvent['metadata'] = JSON.stringify(metadata);
  cloudEvent['data'] = data;
  return cloudEvent;
}

const CONTEXT = [
  ['actor', 'actor'],
  ['reason', 'reason'],
  ['correlationid', 'correlationId'],
  ['causationid', 'causationId'],
  ['idempotencykey', 'idempotencyKey'],
] as const;

function integer(value: number): number | string {
  return value <= INTEGER_MAX ? value : String(value);
}

function integerOf(value: unknown): unknown {
  return typeof value === 'string' && /^[1-9][0-9]{9,15}$/.test(value) ? Number(value) : value;
}

const ATTRIBUTE = /^[a-z0-9]+$/;
/** Attributes that together only this store's events have. */
const OWN_MARKS = ['position', 'commitindex', 'commitlast', 'streamversion'];
const OWN_MEMBERS = new Set(['specversion', 'id', 'source', 'type', 'subject', 'time', 'data']);

/**
 * An event of a file. One that another program wrote has no position: it is a commit of its own, its stream is its subject, or its source when it has none, and
 * what the store has no place for goes into `metadata.cloudevent`.
 * @throws UnusableEvent
 */
export function fromCloudEvent(value: CloudEvent): IncomingEvent {
  if (value['specversion'] !== SPEC_VERSION) {
    throw new UnusableEvent('$.specversion', `it must be "${SPEC_VERSION}"`);
  }
  for (const key of ['id', 'source', 'type'] as const) {
    if (typeof value[key] !== 'string' || value[key] === '') {
      throw new UnusableEvent(`$.${key}`, 'it must be a string that is not empty');
    }
  }
  for (const key of Object.keys(value)) {
    if (!ATTRIBUTE.test(key) && key !== 'data_base64') {
      throw new UnusableEvent(`$.${key}`, 'an attribute has lower-case letters and digits only');
    }
    if (key !== 'data' && typeof value[key] === 'object' && value[key] !== null) {
      throw new UnusableEvent(`$.${key}`, 'an attribute is no object and no list');
    }
  }
  return OWN_MARKS.every((name) => value[name] !== undefined) ? fromOwn(value) : fromForeign(value);
}

/** What `toCloudEvent` made. */
function fromOwn(value: CloudEvent): IncomingEvent {
  const { subject, type, data, metadata, ...rest } = value;
  if (typeof subject !== 'string') throw new UnusableEvent('$.subject', 'it must be a string');
  if (!Object.hasOwn(value, 'data')) throw new UnusableEvent('$.data', 'it is missing');
  const incoming: Record<string, unknown> = {
    stream: subject,
    type,
    data,
    time: rest['time'],
    clock: rest['clock'],
    position: integerOf(rest['position']),
    index: integerOf(rest['commitindex']),
    last: rest['commitlast'],
    version: integerOf(rest['streamversion']),
    schemaVersion: integerOf(rest['schemaversion']),
  };
  for (const [name, key] of CONTEXT) incoming[key] = rest[name];
  if (metadata !== undefined) incoming['metadata'] = metadataOf(metadata);
  return incoming as unknown as IncomingEvent;
}

function metadataOf(text: unknown): unknown {
  let metadata: unknown;
  try {
    metadata = JSON.parse(String(text));
  } catch {
    throw new UnusableEvent('$.metadata', 'it must be an object as JSON text');
  }
  // A key that stands twice would be lost without a word.
  if (jsonText(metadata, '$.metadata', commitBytesMax) === text) return metadata;
  throw new UnusableEvent('$.metadata', 'it reads back as something else, as with a repeated key');
}

function fromForeign(value: CloudEvent): IncomingEvent {
  const { subject, source, type, time } = value;
  const isNamed = typeof subject === 'string' && subject !== '';
  const kept: Record<string, unknown> = {};
  for (const [key, attribute] of Object.entries(value)) {
    const isKept = !OWN_MEMBERS.has(key) && key !== 'data_base64' && attribute !== null;
    if (isKept && !(key === 'datacontenttype' && attribute === JSON_TYPE)) kept[key] = attribute;
  }
  kept['id'] = value['id'];
  if (isNamed) kept['source'] = source;
  let { data = null } = value;
  if (value['data_base64'] !== undefined) {
    if (Object.hasOwn(value, 'data')) {
      throw new UnusableEvent('$.data_base64', 'an event has data or data_base64, not both');
    }
    data = value['data_base64'];
    kept['encoding'] = 'base64';
  }
  return {
    stream: String(isNamed ? subject : source),
    type: String(type),
    data,
    metadata: { cloudevent: kept },
    ...(time === undefined || time === null ? {} : { time }),
  };
}
