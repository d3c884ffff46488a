/** Makes the disk calls of several pieces of work one by one, in any order: what happens when asynchronous calls cross. */
import type { DiskCalls } from '#src/log/disk.js';
import type { Io } from '#src/log/io.js';

export interface Stepped {
  readonly done: boolean;
  /** What the disk answered to the last call, or the work's result. */
  readonly answer?: unknown;
  /** What the disk threw at the last call. */
  readonly error?: unknown;
}

/** Goes on with the work up to its next disk call and makes that call; the work learns of the answer with the next step. */
export function step(disk: DiskCalls, work: Io<unknown>, last: Stepped = { done: false }): Stepped {
  const next = 'error' in last ? work.throw(last.error) : work.next(last.answer);
  if (next.done) return { done: true, answer: next.value };
  const { method, args } = next.value;
  if (method === 'rest') return { done: false };
  const call = disk[method] as (...args: never) => unknown;
  try {
    return { done: false, answer: Reflect.apply(call, disk, args) };
  } catch (error) {
    return { done: false, error };
  }
}
