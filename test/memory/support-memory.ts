/** Memories for tests: in a directory and with nothing on disk. */
import { onTestFinished } from 'vitest';
import { type Memory, type MemoryOptions, openMemory } from '#src/index.js';
import { ManualClock } from '../support/clock.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

export interface Opened {
  readonly memory: Memory;
  readonly clock: ManualClock;
}

/** Opens a memory that is closed when the running test has ended. */
export async function opened(location: string, options: MemoryOptions = {}): Promise<Opened> {
  const clock = new ManualClock();
  const memory = await openMemory(location, { clock: clock.now, ...options });
  onTestFinished(() => memory.close());
  return { memory, clock };
}

/** By the name of the place. */
export const places: readonly (readonly [name: string, location: () => string])[] = [
  ['a directory', temporaryDirectory],
  ['memory alone', () => 'memory:'],
];

/** What the promise, or the call, was refused with. */
export async function refusal(work: () => unknown): Promise<Error & { code?: string }> {
  try {
    await work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('it was not refused');
}
