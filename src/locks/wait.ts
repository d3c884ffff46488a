/**
 * Waiting for an OS lock: a bounded poll. A blocking wait in the kernel could not be cancelled and would hang `terminate()` and exit.
 * Pauses grow from 0.05 to 1 ms with jitter: short enough that a free lock is noticed, long enough not to burn a core, and
 * bounded so that nobody backs off until it starves.
 */

export interface LockWait {
  /** Takes the lock if it is free. */
  tryLock(): boolean;
  /** Blocks this thread. */
  pause(milliseconds: number): void;
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  /** From 0 to 1. */
  random(): number;
  /** True when somebody wants this wait to end. */
  interrupted?(): boolean;
}

export const PAUSE_MS_MIN = 0.05;
export const PAUSE_MS_MAX = 1;

/** The pauses between two attempts, growing. */
export function nextPause(before: number, random: number): number {
  const grown = Math.min(PAUSE_MS_MAX, Math.max(PAUSE_MS_MIN, before * 1.5));
  return grown * (0.5 + random / 2);
}

/** Polls until the lock is taken, the deadline (on the same clock) has passed, or the wait is interrupted. */
export function pollLock(wait: LockWait, deadline: number): 'taken' | 'timeout' | 'interrupted' {
  let pause = 0;
  for (;;) {
    if (wait.tryLock()) return 'taken';
    if (wait.interrupted?.()) return 'interrupted';
    if (wait.now() >= deadline) return 'timeout';
    pause = nextPause(pause, wait.random());
    wait.pause(pause);
  }
}
