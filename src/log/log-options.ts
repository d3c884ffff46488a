/** Options of an open log, checked, with their defaults. */
import { invalidArgument, optionNames, quote } from '../errors.js';
import {
  commitBytesDefault,
  commitBytesMax,
  eventBytesDefault,
  idempotencyWindowDefault,
  lockTimeoutMsDefault,
  queueBytesDefault,
  segmentBytesDefault,
  segmentBytesMin,
} from './limits.js';
import { checkName } from './names.js';
import type { Durability } from './store-file.js';

export interface LogOptions {
  /** Make the store when there is none. Default true. */
  readonly create?: boolean | undefined;
  /** Change nothing, not even to repair; never takes the write lock. Default false. */
  readonly readOnly?: boolean | undefined;
  /** Who writes, unless a call says otherwise. Stored with each commit, and shown to others who wait for the lock. */
  readonly actor?: string | undefined;
  /** How long a call waits for other processes, ms. Default 10 000. */
  readonly lockTimeoutMs?: number | undefined;
  /**
   * Reads look for other processes' commits at most every this many ms. Default 0: at every read. `Infinity` leaves it to `refresh()`.
   */
  readonly freshnessMs?: number | undefined;
  /**
   * Set when the store is made, kept in store.json. `'os'` is UNSAFE against power loss: it acknowledges after the write, without a sync, and
   * then loses what was acknowledged last when the machine stops. Default `'sync'`.
   */
  readonly durability?: Durability | undefined;
  /** Set when the store is made: how many of the last commits with an idempotency key are remembered. Default 100 000. */
  readonly idempotencyWindow?: number | undefined;
  /** A segment is closed at the first group end beyond this size, bytes. Default 16 MiB. */
  readonly segmentBytes?: number | undefined;
  /** Bytes that may wait to be written; twice that and an append fails with QUEUE_FULL. Default 64 MiB. */
  readonly queueBytes?: number | undefined;
  /** Largest event (data and metadata as JSON), bytes. Default 1 MiB. */
  readonly eventBytes?: number | undefined;
  /** Largest commit, bytes. Default 8 MiB, at most 48 MiB. */
  readonly commitBytes?: number | undefined;
  /** Accept a directory in which other users may write. Default false. */
  readonly allowSharedDirectory?: boolean | undefined;
  /** Accept a file system on which locks or syncs may not hold. Acknowledged data can be lost there. Default false. */
  readonly allowFileSystem?: boolean | undefined;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly clock?: (() => number) | undefined;
  /** False: asynchronous appends are written on the calling thread too. Default true. */
  readonly writerThread?: boolean | undefined;
}

/** The members of {@link LogOptions}, for all that takes them and more. */
export const LOG_MEMBERS: Readonly<Record<keyof LogOptions, true>> = {
  create: true,
  readOnly: true,
  actor: true,
  lockTimeoutMs: true,
  freshnessMs: true,
  durability: true,
  idempotencyWindow: true,
  segmentBytes: true,
  queueBytes: true,
  eventBytes: true,
  commitBytes: true,
  allowSharedDirectory: true,
  allowFileSystem: true,
  clock: true,
  writerThread: true,
};

export const LOG_OPTIONS: ReadonlySet<string> = optionNames<LogOptions & { memory: true }>({
  ...LOG_MEMBERS,
  memory: true,
});

/** Options with nothing left open. */
export interface LogSettings {
  readonly create: boolean;
  readonly readOnly: boolean;
  readonly actor: string | undefined;
  readonly lockTimeoutMs: number;
  readonly freshnessMs: number;
  readonly durability: Durability;
  readonly idempotencyWindow: number;
  readonly segmentBytes: number;
  readonly queueBytes: number;
  readonly eventBytes: number;
  readonly commitBytes: number;
  readonly allowSharedDirectory: boolean;
  readonly allowFileSystem: boolean;
  readonly writerThread: boolean;
}

const SEGMENT_BYTES_MAX = 2 ** 40;

function flag(value: unknown, name: string, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  if (typeof value !== 'boolean') throw invalidArgument(`${name} must be true or false`);
  return value;
}

function number(
  value: unknown,
  name: string,
  otherwise: number,
  least: number,
  most: number,
): number {
  if (value === undefined) return otherwise;
  if (typeof value === 'number' && value >= least && value <= most) return value;
  throw invalidArgument(
    `${name} must be a number from ${least} to ${most}, not ${quote(String(value))}`,
  );
}

function integer(
  value: unknown,
  name: string,
  otherwise: number,
  least: number,
  most: number,
): number {
  const checked = number(value, name, otherwise, least, most);
  if (!Number.isSafeInteger(checked)) throw invalidArgument(`${name} must be an integer`);
  return checked;
}

/** @throws TypeError for an option of the wrong kind or beyond its bounds */
export function checkOptions(options: LogOptions): LogSettings {
  if (typeof options !== 'object' || options === null) {
    throw invalidArgument('the options must be an object');
  }
  const { actor, durability } = options;
  if (actor !== undefined) checkName(actor, 'actor');
  if (durability !== undefined && durability !== 'sync' && durability !== 'os') {
    throw invalidArgument(`durability must be 'sync' or 'os', not ${quote(String(durability))}`);
  }
  if (options.clock !== undefined && typeof options.clock !== 'function') {
    throw invalidArgument('clock must be a function that gives milliseconds since 1970');
  }
  return {
    create: flag(options.create, 'create', true),
    readOnly: flag(options.readOnly, 'readOnly', false),
    actor,
    lockTimeoutMs: number(
      options.lockTimeoutMs,
      'lockTimeoutMs',
      lockTimeoutMsDefault,
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    freshnessMs: number(options.freshnessMs, 'freshnessMs', 0, 0, Number.POSITIVE_INFINITY),
    durability: durability ?? 'sync',
    idempotencyWindow: integer(
      options.idempotencyWindow,
      'idempotencyWindow',
      idempotencyWindowDefault,
      0,
      1e9,
    ),
    segmentBytes: integer(
      options.segmentBytes,
      'segmentBytes',
      segmentBytesDefault,
      segmentBytesMin,
      SEGMENT_BYTES_MAX,
    ),
    queueBytes: integer(options.queueBytes, 'queueBytes', queueBytesDefault, 1024, 2 ** 34),
    eventBytes: integer(options.eventBytes, 'eventBytes', eventBytesDefault, 16, commitBytesMax),
    commitBytes: integer(
      options.commitBytes,
      'commitBytes',
      commitBytesDefault,
      1024,
      commitBytesMax,
    ),
    allowSharedDirectory: flag(options.allowSharedDirectory, 'allowSharedDirectory', false),
    allowFileSystem: flag(options.allowFileSystem, 'allowFileSystem', false),
    writerThread: flag(options.writerThread, 'writerThread', true),
  };
}
