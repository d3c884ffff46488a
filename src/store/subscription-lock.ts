/**
 * The right to read under a name: one reader over all processes, an OS lock on a file of its own, which the kernel gives back when the reader dies.
 * The file is never removed: a lock on a removed file excludes nobody.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { SubscriptionInUseError, systemCode } from '../errors.js';
import { decodeHolder, encodeHolder, HOLDER_BYTES, type Holder } from '../locks/holder.js';
import { SUBSCRIPTION_LOCK } from '../log/format.js';
import type { LogInternals } from '../log/internals.js';
import { ask, closeQuietly, type Io } from '../log/io.js';
import { readFully } from '../log/open-files.js';

/** Names never become paths: a digest of the name does. */
function fileOf(name: string): string {
  return `${createHash('sha256').update(name).digest('hex').slice(0, 32)}.lock`;
}

/**
 * Gives the call that gives the name back.
 * @param label - told to those who find the name taken
 * @throws SubscriptionInUseError
 */
export function* takeSubscriptionLock(
  log: LogInternals,
  name: string,
  label: string,
): Io<() => void> {
  const { disk } = log;
  const file = yield* openLockFile(log, fileOf(name));
  let taken = false;
  try {
    // Here and now: whoever is left behind by this thread in between would hold what nobody knows of.
    taken = disk.tryLock(file, SUBSCRIPTION_LOCK, 'exclusive');
    if (!taken) throw inUse(name, yield* holderIn(file));
    sign(log, file, label);
  } catch (error) {
    // Gives back also what a call that failed may have taken.
    closeQuietly(disk, file);
    throw error;
  }
  return () => closeQuietly(disk, file);
}

/** Made when the first reader comes; what a power failure takes of it is made again. */
function* openLockFile({ paths }: LogInternals, name: string): Io<number> {
  const path = join(paths.subscriptions, name);
  for (;;) {
    const known = yield* unless('ENOENT', ask('open', path, 'write'));
    if (known !== undefined) return known;
    yield* unless('EEXIST', ask('makeDirectory', paths.subscriptions));
    const made = yield* unless('EEXIST', ask('open', path, 'create'));
    if (made !== undefined) return made;
  }
}

/** `undefined` when the call fails with that code. */
function* unless<T>(code: string, work: Io<T>): Io<T | undefined> {
  try {
    return yield* work;
  } catch (error) {
    if (systemCode(error) !== code) throw error;
    return undefined;
  }
}

/** Says who has the name. Best effort: it only serves error messages, and a full disk must not keep anyone from reading. */
function sign({ disk, environment }: LogInternals, file: number, label: string): void {
  const { writer, clock } = environment;
  const record = encodeHolder({ ...writer, startedAt: clock(), label });
  try {
    disk.write(file, record, 0, HOLDER_BYTES, 0);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}

function* holderIn(file: number): Io<Holder | undefined> {
  const bytes = Buffer.alloc(HOLDER_BYTES);
  try {
    yield* readFully(file, bytes, 0, HOLDER_BYTES, 0);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
  return decodeHolder(bytes);
}

function inUse(subscription: string, holder: Holder | undefined): SubscriptionInUseError {
  if (!holder) return new SubscriptionInUseError({ subscription });
  const { pid, host, startedAt, label } = holder;
  const since = new Date(startedAt);
  return new SubscriptionInUseError({ subscription, pid, host, since, label: label || undefined });
}
