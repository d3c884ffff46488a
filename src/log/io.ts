/**
 * One implementation for synchronous and asynchronous callers: code that reads files is a generator that yields
 * the disk call it wants, and one of two drivers makes it. `runSync` makes it here and now; `runAsync` makes it
 * on the thread pool, so that no asynchronous call does file I/O on its caller's thread. One exception: the look at the mark
 * (docs/decisions/0006-a-look-at-the-mark-is-made-at-once.md).
 *
 * Never used between lock and unlock: that part runs on one thread without a return to an event loop.
 */
import { systemCode } from '../errors.js';
import type { Disk, DiskCalls } from './disk.js';
import { Turns, turn } from './turns.js';

/** A disk call that a generator asks its driver to make. */
export interface DiskRequest {
  readonly method: keyof DiskCalls | 'rest';
  readonly args: readonly unknown[];
}

const REST: DiskRequest = Object.freeze({ method: 'rest', args: Object.freeze([]) });

/** So long asynchronous work of its own may go on without a return to the event loop, ms. */
const WORK_MS_MAX = 5;
/** Of all other asynchronous work of this thread together: many callers at once must not each take that long in one turn. */
const turns = new Turns();

/** When asynchronous work began to go on without a return to the event loop. One for all pieces that follow each other. */
export interface Pace {
  began: number;
  /** So long it may go on, ms. */
  readonly workMsMax: number;
}

export function newPace(workMsMax: number = WORK_MS_MAX): Pace {
  return { began: performance.now(), workMsMax };
}

/**
 * Asks for nothing, between two portions of work that may need no disk call: asynchronous callers let others have their turn when there was none
 * for long, synchronous ones go on.
 */
export function* rest(): Io<void> {
  yield REST;
}

/** A piece of work with file I/O in it, giving `T`. */
export type Io<T> = Generator<DiskRequest, T, unknown>;

/** Asks for one disk call: `const count = yield* ask('read', file, buffer, 0, 512, 0)`. */
export function* ask<Name extends keyof DiskCalls>(
  method: Name,
  ...args: Parameters<DiskCalls[Name]>
): Io<ReturnType<DiskCalls[Name]>> {
  return (yield { method, args }) as ReturnType<DiskCalls[Name]>;
}

type AnyCall = (...args: readonly unknown[]) => unknown;

/** Makes every call on this thread. */
export function runSync<T>(disk: Disk, work: Io<T>): T {
  let step = work.next();
  while (!step.done) {
    const { method, args } = step.value;
    let answer: unknown;
    try {
      if (method !== 'rest') answer = (disk[method] as AnyCall).apply(disk, [...args]);
    } catch (error) {
      step = work.throw(error);
      continue;
    }
    step = work.next(answer);
  }
  return step.value;
}

/**
 * Makes every call off this thread (on a disk without asynchronous calls: directly).
 * @param pace - of its own; without it the work shares the turns of the event loop with all other
 */
export async function runAsync<T>(disk: Disk, work: Io<T>, pace?: Pace): Promise<T> {
  const calls = (disk.promises ?? disk) as unknown as Record<string, AnyCall>;
  let step = work.next();
  while (!step.done) {
    const { method, args } = step.value;
    let answer: unknown;
    try {
      if (method !== 'rest') answer = await calls[method]?.apply(calls, [...args]);
      else if (!pace) await turns.rest();
      else if (performance.now() - pace.began > pace.workMsMax) {
        await turn();
        pace.began = performance.now();
      }
    } catch (error) {
      step = work.throw(error);
      continue;
    }
    step = work.next(answer);
  }
  return step.value;
}

/**
 * Writes all the bytes with one call. A short count is a failure, not a reason to go on: two writes could be torn where they meet, in the
 * middle of a sector, which no reader could tell from damage.
 */
export function writeFully(disk: Disk, file: number, bytes: Uint8Array, position: number): void {
  const count = disk.write(file, bytes, 0, bytes.length, position);
  if (count === bytes.length) return;
  throw Object.assign(new Error(`the disk took ${count} of ${bytes.length} bytes`), {
    code: 'ENOSPC',
  });
}

/**
 * Closes a file whose content no longer depends on it: everything written through it was synced, or has failed already. The descriptor is
 * gone even when the call fails, and an error here must not stand in for the one that counts.
 */
export function closeQuietly(disk: Disk, file: number): void {
  try {
    disk.close(file);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}

/** A sync that failed. It is final: the kernel counts the pages as clean, so trying again would succeed without writing them. */
export class SyncFailure extends Error {
  constructor(cause: unknown) {
    super('a sync failed', { cause });
  }
}

/** @throws SyncFailure */
export function syncFile(disk: Disk, file: number): void {
  try {
    disk.sync(file);
  } catch (error) {
    throw new SyncFailure(error);
  }
}

/** @throws SyncFailure */
export function syncDirectory(disk: Disk, path: string): void {
  try {
    disk.syncDirectory(path);
  } catch (error) {
    // It never came to a sync: no descriptor was left to open the directory with.
    const code = systemCode(error);
    if (code === 'EMFILE' || code === 'ENFILE') throw error;
    throw new SyncFailure(error);
  }
}
