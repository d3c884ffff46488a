/** Who decides what a power loss does. */
import { SeededRandom } from './random.js';

/** Gives one of the numbers from 0 to `count` - 1. 0 stands for the oldest or smallest, the last for the newest. */
export type Chooser = (count: number) => number;

/**
 * By chance, repeatable by its seed. Each chooser has its own leaning to old, to new or to anything, because states near
 * "all lost" and "all there but one" are the ones that find mistakes, and even odds hardly ever give them.
 */
export function seededChooser(seed: number | SeededRandom): Chooser {
  const random = typeof seed === 'number' ? new SeededRandom(seed) : seed;
  const leanings = [0, 0, 0.1, 0.5, 0.9];
  const toOld = random.pick(leanings);
  const toNew = random.pick(leanings);
  return (count) => {
    if (random.chance(toOld)) return 0;
    if (random.chance(toNew)) return count - 1;
    return random.below(count);
  };
}

/** Everything that reached the operating system is kept. */
export const keepNewest: Chooser = (count) => count - 1;

/** Nothing is kept but what was synced. */
export const keepOldest: Chooser = () => 0;

/** Runs `make` once with every possible sequence of choices. */
export function* everyChoice<T>(make: (choose: Chooser) => T): Generator<T> {
  const path: { choice: number; count: number }[] = [];
  for (;;) {
    let depth = 0;
    yield make((count) => {
      const step = path[depth] ?? { choice: 0, count };
      path[depth] = step;
      depth += 1;
      return step.choice;
    });
    path.length = Math.min(path.length, depth);
    let last = path.at(-1);
    while (last && last.choice === last.count - 1) {
      path.pop();
      last = path.at(-1);
    }
    if (!last) return;
    last.choice += 1;
  }
}
