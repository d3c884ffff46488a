/**
 * Hears of a signal's abort. However many wait on one signal, it has one listener of this package: a program that gives one
 * signal to all its calls is right to do so, and must not be warned of a leak.
 */
import { invalidArgument } from '../errors.js';

interface Listening {
  readonly waiting: Set<() => void>;
  readonly listener: () => void;
}

const signals = new WeakMap<AbortSignal, Listening>();

/** Calls back once when the signal is aborted. Gives a function that stops that. */
export function onAbort(signal: AbortSignal, aborted: () => void): () => void {
  const listening = signals.get(signal) ?? listen(signal);
  const { waiting } = listening;
  waiting.add(aborted);
  return () => {
    waiting.delete(aborted);
    if (waiting.size === 0 && signals.get(signal) === listening) forget(signal, listening);
  };
}

function listen(signal: AbortSignal): Listening {
  const waiting = new Set<() => void>();
  const listener = (): void => {
    forget(signal, listening);
    for (const aborted of [...waiting]) aborted();
  };
  const listening = { waiting, listener };
  signals.set(signal, listening);
  signal.addEventListener('abort', listener);
  return listening;
}

function forget(signal: AbortSignal, listening: Listening): void {
  signals.delete(signal);
  signal.removeEventListener('abort', listening.listener);
}

/** Takes anything with the members of an AbortSignal that are used here: other realms have classes of their own. @throws TypeError */
export function checkSignal(signal: unknown): asserts signal is AbortSignal | undefined {
  if (signal === undefined) return;
  const { aborted, addEventListener, removeEventListener } = (signal ?? {}) as Partial<AbortSignal>;
  const isSignal =
    typeof aborted === 'boolean' &&
    typeof addEventListener === 'function' &&
    typeof removeEventListener === 'function';
  if (!isSignal) throw invalidArgument('signal must be an AbortSignal');
}
