/** Constants of docs/FORMAT.md. Reader, writer and repair share these and nothing else. */

export const FORMAT = 1;

export const STORE_FILE = 'store.json';
export const LOCK_FILE = 'lock';
export const ANCHOR_FILE = 'anchor';
/** Stands in a backup alone. */
export const MANIFEST_FILE = 'manifest.json';
export const LOG_DIRECTORY = 'log';
export const INDEX_DIRECTORY = 'index';
export const ARCHIVE_DIRECTORY = 'archive';
export const REGISTRY_DIRECTORY = 'registry';
export const SNAPSHOT_DIRECTORY = 'snapshots';
export const SUBSCRIPTION_DIRECTORY = 'subscriptions';

/** Bytes at the end of each line: `,"c":"` + 8 hex digits + `"}` + LF. */
export const LINE_TAIL_BYTES = 17;
/** Longest line a reader accepts, LF included. */
export const lineBytesMax: number = 64 * 1024 * 1024;
/** Power loss leaves each of these units old, new or zero. */
export const SECTOR_BYTES = 512;

export const SEAL_DIGITS = 64;
/** Digits of a group's salt that its tag repeats. */
export const ATTEMPT_DIGITS = 4;
export const SALT_DIGITS = 32;

interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Lock ranges, far beyond any content (Windows locks are mandatory). */
export const WRITE_LOCK: ByteRange = { offset: 2 ** 40, length: 1 };
export const COMPACTION_LOCK: ByteRange = { offset: 2 ** 40 + 1, length: 1 };
export const CREATION_LOCK: ByteRange = { offset: 2 ** 40 + 2, length: 1 };
/** Held, shared, by whoever waits for WRITE_LOCK: a writer that releases it sees whether to step back for a moment. */
export const WAITING_LOCK: ByteRange = { offset: 2 ** 40 + 3, length: 1 };
/** Held, shared, by copies that wait for COMPACTION_LOCK: no compaction begins meanwhile, or several that take turns would keep a copy out. */
export const COPY_LOCK: ByteRange = { offset: 2 ** 40 + 4, length: 1 };
/** Held, shared, by processes whose transactions have a turn or wait for one: others see that they must not pass them. */
export const QUEUE_LOCK: ByteRange = { offset: 2 ** 40 + 5, length: 1 };
/** Two bytes for each turn: held by whoever has it, and shared by whoever waits for it. */
export const TURN_LOCKS: ByteRange = { offset: 2 ** 41, length: 2 ** 13 };
/** In the lock file, four bytes for each turn: how often it was taken, little-endian, from 0 again behind the largest number. */
export const TURN_COUNTS: ByteRange = { offset: 4096, length: 2 ** 14 };
/** In a file of its own for each name of a subscription. */
export const SUBSCRIPTION_LOCK: ByteRange = { offset: 2 ** 40, length: 1 };

export const LF = 0x0a;

const SEGMENT_NAME = /^([0-9]{20})\.ndjson$/;
const ARCHIVE_NAME = /^([0-9]{20})\.ndjson\.gz$/;
const REMAINS_NAME = /^([0-9]{20})\.dropped\.ndjson$/;

/** `1` -> `00000000000000000001.ndjson` */
export function segmentName(first: number): string {
  return `${String(first).padStart(20, '0')}.ndjson`;
}

/** The first position a segment's name tells, or `undefined` for any other name. */
export function segmentOfName(name: string): number | undefined {
  return firstOf(SEGMENT_NAME.exec(name));
}

/** `1` -> `00000000000000000001.ndjson.gz` */
export function archiveName(first: number): string {
  return `${segmentName(first)}.gz`;
}

export function archiveOfName(name: string): number | undefined {
  return firstOf(ARCHIVE_NAME.exec(name));
}

/** What is left of a segment that retention dropped: `1` -> `00000000000000000001.dropped.ndjson` */
export function remainsName(first: number): string {
  return `${String(first).padStart(20, '0')}.dropped.ndjson`;
}

export function remainsOfName(name: string): number | undefined {
  return firstOf(REMAINS_NAME.exec(name));
}

function firstOf(match: RegExpExecArray | null): number | undefined {
  if (!match) return undefined;
  const first = Number(match[1]);
  return Number.isSafeInteger(first) && first > 0 ? first : undefined;
}
