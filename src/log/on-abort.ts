/**
 * Hears of a signal's abort. However many wait on one signal, it has one listener of this package: a program that gives one
 * signal to all its calls is right to do so, and must not be warned of a leak.
 */

const waitingFor = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls back once when the signal is aborted. Gives a function that stops that. */
export function onAbort(signal: AbortSignal, aborted: () => void): () => void {
  const others = waitingFor.get(signal);
  const waiting = others ?? new Set();
  waiting.add(aborted);
  if (!others) {
    waitingFor.set(signal, waiting);
    signal.addEventListener('abort', tellAll);
  }
  return () => {
    waiting.delete(aborted);
    if (waiting.size === 0 && waitingFor.get(signal) === waiting) forget(signal);
  };
}

function tellAll(event: Event): void {
  const signal = event.target as AbortSignal;
  const waiting = waitingFor.get(signal) ?? [];
  forget(signal);
  for (const aborted of [...waiting]) aborted();
}

function forget(signal: AbortSignal): void {
  waitingFor.delete(signal);
  signal.removeEventListener('abort', tellAll);
}
