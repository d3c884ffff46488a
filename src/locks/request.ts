/** How a caller asks for a lock. */
import { checkOptionNames, invalidArgument, optionNames, quote } from '../errors.js';
import type { OwnerKey } from './owner.js';

export interface LockOptions {
  /** How long to wait at most, ms. 0: one try. `Infinity`: no bound. Default: to read 10 000, to write 30 000, between processes 60 000. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait with the signal's reason. What was had already is kept. Synchronous calls look at it once, before. */
  readonly signal?: AbortSignal | undefined;
  /** `critical` goes before `normal`, at most 8 times in a row. Within this process. Default `normal`. */
  readonly priority?: 'normal' | 'critical' | undefined;
  /** Shown to others who wait, in errors and in statistics. */
  readonly label?: string | undefined;
  /** Who asks: the same value is the same owner. Default: the async context that `withX` and the decorators enter. */
  readonly owner?: OwnerKey | undefined;
}

export const readTimeoutMsDefault = 10_000;
export const writeTimeoutMsDefault = 30_000;
export const fileLockTimeoutMsDefault = 60_000;

export interface LockRequest {
  readonly timeoutMs: number;
  /** What the caller gave, where `timeoutMs` is what is left of it. */
  readonly givenTimeoutMs?: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly critical: boolean;
  readonly label: string | undefined;
  readonly owner: OwnerKey | undefined;
}

const LOCK_OPTIONS = optionNames<LockOptions>({
  timeoutMs: true,
  signal: true,
  priority: true,
  label: true,
  owner: true,
});

/** The request for one of several names: it has what is left of the time. */
export function restOf(request: LockRequest, deadline: number): LockRequest {
  const timeoutMs = Math.max(0, deadline - performance.now());
  return { ...request, timeoutMs, givenTimeoutMs: request.timeoutMs };
}

/** The time limit as errors tell it. */
export function toldTimeoutMs({ timeoutMs, givenTimeoutMs = timeoutMs }: LockRequest): number {
  return givenTimeoutMs;
}

/** What most calls ask for, made once. */
const PLAIN: ReadonlyMap<number, LockRequest> = new Map(
  [readTimeoutMsDefault, writeTimeoutMsDefault, fileLockTimeoutMsDefault].map((timeoutMs) => [
    timeoutMs,
    { timeoutMs, signal: undefined, critical: false, label: undefined, owner: undefined },
  ]),
);

/** @throws TypeError for options that are none. @throws the reason of a signal that was aborted before */
export function lockRequest(
  options: LockOptions | undefined,
  timeoutMsDefault: number,
): LockRequest {
  if (options === undefined) {
    const plain = PLAIN.get(timeoutMsDefault);
    if (plain !== undefined) return plain;
  }
  const given = options === undefined ? {} : options;
  checkOptionNames(given, LOCK_OPTIONS, 'a lock');
  const { timeoutMs = timeoutMsDefault, signal, priority = 'normal', label, owner } = given;
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) {
    throw invalidArgument('timeoutMs must be a number from 0');
  }
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
    throw invalidArgument('signal must be an AbortSignal');
  }
  if (priority !== 'normal' && priority !== 'critical') {
    throw invalidArgument("priority must be 'normal' or 'critical'");
  }
  checkLabel(label);
  checkOwner(owner);
  signal?.throwIfAborted();
  return { timeoutMs, signal, critical: priority === 'critical', label, owner };
}

export function checkLabel(label: unknown): void {
  if (label !== undefined && typeof label !== 'string') throw invalidArgument('label must be text');
}

function checkOwner(owner: unknown): void {
  if (owner === undefined || typeof owner === 'symbol') return;
  if (typeof owner === 'string' && owner !== '') return;
  if ((typeof owner === 'object' && owner !== null) || typeof owner === 'function') return;
  throw invalidArgument('owner must be an object, a symbol, or a text that is not empty');
}

/** @throws TypeError */
export function checkWork(work: unknown): void {
  if (typeof work !== 'function')
    throw invalidArgument('what to do under the lock must be a function');
}

/** Promises, also those of another realm, and whatever else can be awaited. */
export function isThenable(result: unknown): result is PromiseLike<unknown> {
  return typeof (result as { then?: unknown } | null | undefined)?.then === 'function';
}

/** A synchronous call gives the lock back when its work returns, which a promise's work has only begun then. @throws TypeError */
export function checkEnded(result: unknown): void {
  if (!isThenable(result)) return;
  // Its failure comes after this call's, and nobody could handle it any more.
  Promise.resolve(result).catch(() => {});
  throw invalidArgument(
    'the work gave a promise, and would go on without the lock: use the call without Sync',
  );
}

const NAME_CHARACTERS_MAX = 1000;

/** The names in the order in which everybody takes them: each once, sorted by UTF-16 code units. @throws TypeError */
export function namesInOrder(names: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(names) ? names : [names];
  if (list.length === 0) throw invalidArgument('there must be at least one name');
  for (const name of list) checkName(name);
  return [...new Set(list as string[])].sort();
}

export function checkName(name: unknown): void {
  if (typeof name !== 'string' || name === '') {
    throw invalidArgument('the name of a lock must be a text that is not empty');
  }
  if (name.length > NAME_CHARACTERS_MAX || !name.isWellFormed()) {
    throw invalidArgument(
      `the name of a lock must have at most ${NAME_CHARACTERS_MAX} characters and no lone surrogates: ${quote(name)}`,
    );
  }
}
