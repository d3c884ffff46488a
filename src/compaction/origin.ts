/**
 * Where a restored store came from: its first commit after the restore, an event in a stream of the store's own. Everything before it stands as it
 * stood in the source, so that reading at the restored position gives what reading the source there gave.
 */
import {
  commitLine,
  commitStamp,
  groupTag,
  SEAL_LINE_ROOM,
  sealGroup,
  writeText,
} from '../log/encode.js';
import type { Environment } from '../log/environment.js';
import { SALT_DIGITS } from '../log/format.js';
import { isoTime } from '../log/group.js';
import { ask, type Io } from '../log/io.js';
import type { Paths } from '../log/paths.js';
import type { Place } from '../log/place.js';
import { writeAll } from '../log/whole-file.js';

export const ORIGIN_STREAM = '$store/origin';
export const ORIGIN_TYPE = '$restored';

/** Data of a `$restored` event. */
export interface Origin {
  readonly from: 'backup' | 'store';
  /** Id of the source. */
  readonly store: string;
  /** The last position that was taken over. */
  readonly position: number;
  /** Its time, null when there is none. */
  readonly time: string | null;
  /** The end of the source as it was read: its seal proves all that was taken over. */
  readonly head: { readonly position: number; readonly seal: string };
}

/** What stands before the event. */
export interface OriginPlace {
  readonly place: Place;
  /** Of the last commit, `''` when there is none. */
  readonly time: string;
  /** Events of the stream so far. */
  readonly version: number;
}

/** Appends the event to a log that nobody else knows of yet, synced; gives the place behind it. */
export function* appendOrigin(
  environment: Environment,
  paths: Paths,
  { place, time, version }: OriginPlace,
  origin: Origin,
): Io<Place> {
  const now = isoTime(environment.clock());
  const position = place.position + 1;
  const salt = environment.randomBytes(SALT_DIGITS / 2).toString('hex');
  const raw = now < time ? now : undefined;
  const stamp = commitStamp(groupTag(position, salt), raw === undefined ? now : time, raw);
  const text = { context: '', parts: [0], types: [`,${JSON.stringify(ORIGIN_TYPE)}]`] };
  const payload = `,"d":[${JSON.stringify(origin)}]`;
  const streams = [JSON.stringify(ORIGIN_STREAM)];
  const line = commitLine(position, stamp, text, payload, streams, [version + 1]);
  const buffer = Buffer.alloc(Buffer.byteLength(line) + SEAL_LINE_ROOM);
  const end = writeText(buffer, line, 0);
  const group = { firstPosition: position, lastPosition: position, salt };
  const { seal, length } = sealGroup(buffer, end, place.seal, group);
  const file = yield* ask('open', paths.segment(place.segment), 'write');
  try {
    yield* writeAll(file, buffer.subarray(0, length), place.offset);
    yield* ask('sync', file);
  } finally {
    yield* ask('close', file);
  }
  return { segment: place.segment, offset: place.offset + length, position, seal };
}
