import { makeEvent } from './events.mjs';
import { inFreshDirectory } from './load.mjs';
import { defineProjections, openStore, rememberIn } from './peers/store.mjs';
import { appendAll, values } from './peers/values.mjs';

/** Runs in a child process: reads states by key, again and again or for the first time. */

const checkEvery = 1_000;
const eventsPerColdKey = 10;

export function probe({ variant }) {
  return inFreshDirectory(async (directory) => {
    const open = values[variant] ?? cold[variant];
    const store = await open(directory, [makeEvent('agent/0', 0)]);
    await store.close();
  });
}

/** Reads keys in an order without a pattern, for a time, after all of them were read once. */
export function hot({ variant, keys: count, measureMs }) {
  return inFreshDirectory(async (directory) => {
    const events = eventsOf(count, 1);
    const store = await values[variant](directory, events);
    const keys = shuffled(events.map(({ stream }) => stream));
    for (const key of keys) check(await store.read(key), 1);
    globalThis.gc?.();
    const run = store.isAsync ? readAsync : readSync;
    await run(store, keys, measureMs / 2);
    const result = await run(store, keys, measureMs);
    await store.close();
    return result;
  });
}

/** Reads each key once from a store that has just been opened, whose projections know where the events stand. */
export function first({ variant, keys: count }) {
  return inFreshDirectory(async (directory) => {
    const events = eventsOf(count, eventsPerColdKey);
    const store = await cold[variant](directory, events);
    const keys = shuffled(events.slice(0, count).map(({ stream }) => stream));
    globalThis.gc?.();
    const cpuBefore = process.cpuUsage();
    const begun = performance.now();
    for (const key of keys) check(await store.read(key), eventsPerColdKey);
    const result = summary(keys.length, begun, cpuBefore);
    await store.close();
    return result;
  });
}

/** Nothing that was read stays: no cache of states, and the bytes that were written last are those of another process. */
const cold = {
  'recollect get': (...all) =>
    openCold((store, projection) => store.get.bind(store, projection), ...all),
  'recollect getSync': (...all) =>
    openCold((store, projection) => store.getSync.bind(store, projection), ...all),
  'sqlite select + JSON.parse + fold': openColdSqlite,
};

async function openCold(reader, directory, events) {
  const { byStream } = await defineProjections();
  const filling = await openStore(directory);
  await appendAll(filling, events);
  await filling.close();
  const store = await openStore(directory, {
    projections: [byStream],
    freshnessMs: Infinity,
    cacheBytes: 0,
  });
  await store.refresh();
  return { read: reader(store, byStream), close: () => store.close() };
}

async function openColdSqlite(directory, events) {
  const { default: Database } = await import('better-sqlite3');
  const database = new Database(`${directory}/store.db`);
  database.pragma('journal_mode = WAL');
  database.exec(
    'CREATE TABLE events (position INTEGER PRIMARY KEY, stream TEXT NOT NULL, event TEXT NOT NULL); CREATE INDEX streams ON events (stream)',
  );
  const insert = database.prepare('INSERT INTO events (stream, event) VALUES (?, ?)');
  database.transaction(() => {
    for (const event of events) insert.run(event.stream, JSON.stringify(event));
  })();
  const select = database
    .prepare('SELECT event FROM events WHERE stream = ? ORDER BY position')
    .pluck();
  return {
    read: (key) => {
      const states = new Map();
      for (const event of select.all(key)) rememberIn(states, key, JSON.parse(event));
      return states.get(key);
    },
    close: async () => void database.close(),
  };
}

/** Events of all keys, in turns, so that the events of one key lie apart. */
function eventsOf(keys, perKey) {
  return Array.from({ length: keys * perKey }, (_, number) =>
    makeEvent(`agent/${number % keys}`, Math.floor(number / keys)),
  );
}

function readSync({ read }, keys, milliseconds) {
  const cpuBefore = process.cpuUsage();
  const begun = performance.now();
  const deadline = begun + milliseconds;
  let reads = 0;
  let found = 0;
  do {
    for (let turn = 0; turn < checkEvery; turn += 1, reads += 1) {
      if (read(keys[reads % keys.length]) !== undefined) found += 1;
    }
  } while (performance.now() < deadline);
  if (found !== reads) throw new Error(`${reads - found} of ${reads} reads found nothing`);
  return summary(reads, begun, cpuBefore);
}

/** One read after the other, each awaited. */
async function readAsync({ read }, keys, milliseconds) {
  const cpuBefore = process.cpuUsage();
  const begun = performance.now();
  const deadline = begun + milliseconds;
  let reads = 0;
  let found = 0;
  do {
    for (let turn = 0; turn < checkEvery; turn += 1, reads += 1) {
      if ((await read(keys[reads % keys.length])) !== undefined) found += 1;
    }
  } while (performance.now() < deadline);
  if (found !== reads) throw new Error(`${reads - found} of ${reads} reads found nothing`);
  return summary(reads, begun, cpuBefore);
}

function summary(reads, begun, cpuBefore) {
  const elapsedMs = performance.now() - begun;
  const cpu = process.cpuUsage(cpuBefore);
  return {
    reads,
    perSecond: (reads / elapsedMs) * 1_000,
    nanoseconds: (elapsedMs * 1e6) / reads,
    cpuMicroseconds: (cpu.user + cpu.system) / reads,
  };
}

/** Always the same order, which no cache can guess. */
function shuffled(keys) {
  const order = [...keys];
  let state = 1;
  for (let index = order.length - 1; index > 0; index -= 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = state % (index + 1);
    [order[index], order[other]] = [order[other], order[index]];
  }
  return order;
}

/** The getBinary variant gives bytes, which say nothing. */
function check(state, count) {
  if (state === undefined || (state.count !== undefined && state.count !== count))
    throw new Error(`read ${JSON.stringify(state)} where ${count} events were folded`);
}
