import { inFreshDirectory, Load } from './load.mjs';
import { defineProjections, openStore } from './peers/store.mjs';

/** Runs in a child process: appends to a store with projections, then reads all that they hold. */

const attached = {
  'no projections': () => [],
  'one projection, key is the stream': ({ byStream }) => [byStream],
  'one projection, key from the data': ({ byTopic }) => [byTopic],
  'two projections': ({ byStream, byTopic }) => [byStream, byTopic],
};

export const variants = Object.keys(attached);

export function probe({ variant }) {
  return closedLoop({ variant, callers: 1, warmUpMs: 1, measureMs: 1 });
}

export function closedLoop({ variant, callers, warmUpMs, measureMs }) {
  return inFreshDirectory(async (directory) => {
    const projections = attached[variant](await defineProjections());
    const store = await openStore(directory, { projections });
    const load = new Load(
      {
        append: ({ stream, type, data }) => store.append(stream, { type, data }),
        stored: () => store.head.position,
      },
      callers,
    );
    await load.run(warmUpMs);
    await readAll(store, projections);
    globalThis.gc?.();
    const cpuBefore = process.cpuUsage();
    const result = await load.run(measureMs);
    const begun = performance.now();
    const folded = await readAll(store, projections);
    const foldMs = performance.now() - begun;
    const cpu = process.cpuUsage(cpuBefore);
    load.check();
    for (const count of folded)
      if (count !== load.total) throw new Error(`${load.total} are stored, ${count} are folded`);
    await store.close();
    return {
      ...result,
      foldMs,
      perSecondFolded:
        (result.count / ((result.count / result.perSecond) * 1_000 + foldMs)) * 1_000,
      cpuMicrosecondsFolded: (cpu.user + cpu.system) / result.count,
    };
  });
}

/** How many events each projection has folded. */
async function readAll(store, projections) {
  const counts = [];
  for (const projection of projections) {
    let sum = 0;
    for (const [, { count }] of await store.entries(projection).toArray()) sum += count;
    counts.push(sum);
  }
  return counts;
}
