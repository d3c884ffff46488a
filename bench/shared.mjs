import { setTimeout as sleep } from 'node:timers/promises';
import { Load } from './load.mjs';
import { variants } from './peers/index.mjs';
import { loadRecollect } from './peers/recollect.mjs';

/** Runs in each of several processes that write to one directory. */

let store;
let load;

export async function join({ directory, variant, callers, label }) {
  store = await variants[variant](directory);
  load = new Load(store, callers, `${label}-`);
}

/** Warms up together with the others, then measures from `startAt` on (wall clock), which is the same moment for all. */
export async function write({ warmUpMs, startAt, measureMs }) {
  await load.run(warmUpMs);
  globalThis.gc?.();
  await sleep(Math.max(0, startAt - Date.now()));
  return load.run(measureMs);
}

/** Returns how many appends were acknowledged to this process since it joined. */
export async function leave() {
  await store.close();
  return load.total;
}

/** The commits that stand in the directory, as a process sees them that wrote none. */
export async function stored({ directory }) {
  const { openLog } = await loadRecollect();
  const log = await openLog(`${directory}/store`);
  const { position } = log.head;
  await log.close();
  return position;
}
