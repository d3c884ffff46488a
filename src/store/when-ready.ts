/** Sequences that wait for what they read from. */
import type { AsyncSequence } from '../log/types.js';

/** The sequence, begun only when what it reads from is built. */
export function whenReady<T>(
  sequence: AsyncSequence<T>,
  ready: () => Promise<void> | undefined,
): AsyncSequence<T> {
  return {
    async *[Symbol.asyncIterator]() {
      await ready();
      yield* sequence;
    },
    async toArray() {
      await ready();
      return await sequence.toArray();
    },
  };
}
