/**
 * Small programs with an open store, which end in different ways: by themselves, whatever of the store is still going on.
 */
import { defineProjection, openStore, openStoreSync } from '#src/index.js';

/**
 * @typedef {object} StoreEndingTask
 * @property {string} directory
 * @property {keyof typeof programs} program
 * @property {boolean} writerThread
 */

/** @type {StoreEndingTask} */
const { directory, program, writerThread } = JSON.parse(process.argv[2] ?? '{}');
const counter = defineProjection({
  name: 'counter',
  version: 1,
  initial: { n: 0 },
  on: {
    added: (draft) => {
      draft.n += 1;
    },
  },
});
const options = { projections: [counter], writerThread };
const event = { type: 'added', data: null };

/** @param {import('#src/index.js').Store} store */
function requireBuilding(store) {
  const [stats] = store.stats().projections;
  if (!stats || stats.progress === 1) throw new Error('there is nothing to build');
}

const programs = {
  'opens a store and does nothing': async () => {
    await openStore(directory, options);
  },
  'opens a store synchronously, writes and reads': () => {
    const store = openStoreSync(directory, options);
    store.appendSync('c/1', event);
    if (store.getSync(counter, 'c/1')?.n === undefined) throw new Error('it was not read');
  },
  'writes, reads, and leaves the store open': async () => {
    const store = await openStore(directory, options);
    await store.append('c/1', event);
    if (!(await store.get(counter, 'c/1'))) throw new Error('it was not read');
    for await (const [key] of store.entries(counter)) void key;
  },
  'leaves the store open while a projection is built': async () => {
    requireBuilding(await openStore(directory, options));
  },
  'waits for a projection that is built': async () => {
    const store = await openStore(directory, options);
    requireBuilding(store);
    const state = await store.get(counter, 'c/1');
    if (state?.n !== 21_000) throw new Error(`it has ${state?.n}`);
  },
  'closes the store while a projection is built': async () => {
    const store = await openStore(directory, options);
    requireBuilding(store);
    await store.close();
  },
  'begins subscriptions, reads what there is, and leaves them': async () => {
    const store = await openStore(directory, options);
    await store.append('c/1', event);
    for (const name of [undefined, 'left']) {
      const { done } = await store.subscribe({ name }).next();
      if (done) throw new Error('there is no event');
    }
  },
  'waits for an event that nothing else keeps it alive for': async () => {
    const store = await openStore(directory, options);
    const subscription = store.subscribe({ from: 'end', name: 'waiting' });
    setTimeout(() => void store.append('c/1', event), 400).unref();
    const { value } = await subscription.next();
    if (value?.stream !== 'c/1') throw new Error('it is another event');
  },
};

await programs[program]();
