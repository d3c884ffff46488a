/** Whether two commits say the same: streams, types, data and metadata. Who said it and why may differ. */
import { isDeepStrictEqual } from 'node:util';
import { payloadOf } from './encode.js';
import type { EncodedCommit } from './payload.js';
import type { RecordedEvent } from './types.js';

interface Payload {
  readonly d: readonly unknown[];
  readonly m?: readonly unknown[];
}

/** The payload text `,"d":[…],"m":[…]` as values. */
function parsePayload(text: string): Payload {
  return JSON.parse(`{${text.slice(1)}}`) as Payload;
}

function samePayload(a: string, b: string): boolean {
  // The order of an object's members is no content.
  return a === b || isDeepStrictEqual(parsePayload(a), parsePayload(b));
}

/** Two commits that wait. */
export function sameContent(a: EncodedCommit, b: EncodedCommit): boolean {
  return (
    a.streams.length === b.streams.length &&
    a.streams.every((stream, index) => stream === b.streams[index]) &&
    a.text.types.length === b.text.types.length &&
    a.text.types.every((type, index) => type === b.text.types[index]) &&
    a.text.parts.every((part, index) => part === b.text.parts[index]) &&
    samePayload(payloadOf(a.text), payloadOf(b.text))
  );
}

/** A commit that waits and one that stands in the log. */
export function sameAsRecorded(commit: EncodedCommit, events: readonly RecordedEvent[]): boolean {
  const { parts, types } = commit.text;
  if (types.length !== events.length) return false;
  const sameEnvelope = events.every((recorded, index) => {
    if (commit.streams[parts[index] as number] !== recorded.stream) return false;
    const schema = recorded.schemaVersion === 1 ? '' : `,${recorded.schemaVersion}`;
    return types[index] === `,${JSON.stringify(recorded.type)}${schema}]`;
  });
  if (!sameEnvelope) return false;
  const data = events.map((event) => event.data);
  const metadata = events.map((event) => event.metadata ?? null);
  const anyMetadata = metadata.some((value) => value !== null);
  const body = JSON.stringify(anyMetadata ? { d: data, m: metadata } : { d: data });
  return samePayload(payloadOf(commit.text), `,${body.slice(1, -1)}`);
}
