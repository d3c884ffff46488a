/** What a subscription is asked for, checked. */
import {
  checkOptionNames,
  invalidArgument,
  LimitExceededError,
  optionNames,
  quote,
  StoreReadOnlyError,
} from '../errors.js';
import { type Beginning, checkedFrom } from '../log/follow.js';
import type { LogInternals } from '../log/internals.js';
import { nameBytesMax } from '../log/limits.js';
import { checkName } from '../log/names.js';
import { checkSignal } from '../log/on-abort.js';
import type { FollowOptions, ReadAllOptions } from '../log/types.js';
import { CHECKPOINT_STREAMS } from './checkpoint-record.js';

export interface SubscribeOptions extends FollowOptions {
  /**
   * Keeps a durable checkpoint under this name, for one reader at a time over all processes: whoever reads under it next goes on behind what was done. Then `from` says
   * where the first one begins. 1 to 186 bytes without control characters.
   */
  readonly name?: string | undefined;
  /** Events as they are stored: no upcasting, also of versions that this program does not know. Default false. */
  readonly raw?: boolean | undefined;
}

export interface SubscriptionSettings {
  readonly begin: Beginning;
  readonly filter: Pick<ReadAllOptions, 'types' | 'streams'>;
  readonly name: string | undefined;
  readonly raw: boolean;
  /** Whether the checkpoints of subscriptions were asked for. */
  readonly checkpoints: boolean;
  readonly signal: AbortSignal | undefined;
}

const SUBSCRIBE_OPTIONS = optionNames<SubscribeOptions>({
  from: true,
  types: true,
  streams: true,
  name: true,
  raw: true,
  signal: true,
});

/** @throws TypeError, LimitExceededError, StoreReadOnlyError */
export function subscriptionSettings(
  log: LogInternals,
  options: SubscribeOptions,
): SubscriptionSettings {
  checkOptionNames(options, SUBSCRIBE_OPTIONS, 'subscribe');
  const { name, raw = false, signal, types, streams } = options;
  if (typeof raw !== 'boolean') throw invalidArgument('raw must be true or false');
  checkSignal(signal);
  // A copy: what the caller does with its lists later changes nothing.
  const filter = { types: copyOf(types), streams: copyOf(streams) };
  log.readingAll(filter);
  const from = checkedFrom(options.from);
  if (name !== undefined) checkSubscriptionName(name);
  const checkpoints = wantsCheckpoints(filter.streams, name);
  if (name !== undefined && !log.writable) throw new StoreReadOnlyError(log.paths.directory);
  const begin = from === 'end' ? { position: log.runSync(log.end()) + 1, index: 0 } : from;
  return { begin, filter, name, raw, checkpoints, signal };
}

/** What is no list is left for the log to refuse. */
function copyOf<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return Array.isArray(list) ? [...(list as readonly T[])] : list;
}

function checkSubscriptionName(name: unknown): asserts name is string {
  checkName(name, 'the name of a subscription');
  const bytesMax = nameBytesMax - CHECKPOINT_STREAMS.length;
  const bytes = Buffer.byteLength(name);
  if (bytes > bytesMax) {
    throw new LimitExceededError(
      'subscriptionNameBytesMax',
      bytesMax,
      bytes,
      `name ${quote(name)}`,
    );
  }
}

/**
 * Only who names them gets the checkpoints of subscriptions, and only without a checkpoint of its own: each that it was given would be followed by one of its own,
 * which somebody else may be given, and so on for ever.
 */
function wantsCheckpoints(
  streams: readonly string[] | undefined,
  name: string | undefined,
): boolean {
  const named = streams?.find((pattern) => pattern.startsWith(CHECKPOINT_STREAMS));
  if (named === undefined) return name === undefined && (streams ?? []).some(isOfTheStore);
  if (name === undefined) return true;
  throw invalidArgument(
    `a subscription with a name cannot ask for ${quote(named)}: what moves one would move the other; leave the name out`,
  );
}

function isOfTheStore(pattern: string): boolean {
  return (
    pattern.endsWith('*') && pattern !== '*' && CHECKPOINT_STREAMS.startsWith(pattern.slice(0, -1))
  );
}
