import { loadRecollect } from './recollect.mjs';

/** The projections that are measured: a small object for each key, changed by every event. */
const initial = { count: 0, importance: 0, step: -1 };

function remember(state, { data }) {
  state.count += 1;
  state.importance += data.importance;
  state.step = data.step;
}

/** The same fold without a library, for what the store is compared with. */
export function rememberIn(states, key, event) {
  const known = states.get(key);
  const state = known ?? structuredClone(initial);
  if (known === undefined) states.set(key, state);
  remember(state, event);
}

/** @returns `byStream`, whose key is the stream, and `byTopic`, with keys of its own */
export async function defineProjections() {
  const { defineProjection } = await loadRecollect();
  const on = { 'message.remembered': remember };
  return {
    byStream: defineProjection({ name: 'by-stream', version: 1, initial, on }),
    byTopic: defineProjection({
      name: 'by-topic',
      version: 1,
      initial,
      key: (event) => `topic/${event.data.step % 1_000}`,
      on,
    }),
  };
}

export async function openStoreSync(directory, options) {
  const library = await loadRecollect();
  return library.openStoreSync(`${directory}/store`, { compaction: false, ...options });
}

export async function openStore(directory, options) {
  const library = await loadRecollect();
  return library.openStore(`${directory}/store`, { compaction: false, ...options });
}
