import { join } from 'node:path';
import { defineProjections, openStore, rememberIn } from './store.mjs';

/**
 * Stores of one small object per key, for what is read again and again. Each is `open(directory, events) -> { read, close }`: all of
 * the events are in it, and `read(key)` gives the object, or a promise of it where `isAsync` is set. Peers keep the folded objects as JSON.
 */
export const values = {
  'Map.get': openMap,
  'recollect getSync, freshness Infinity': (...all) => openRecollect(Infinity, false, ...all),
  'recollect getSync, freshness 1000': (...all) => openRecollect(1_000, false, ...all),
  'recollect getSync, freshness 0': (...all) => openRecollect(0, false, ...all),
  'recollect get, freshness Infinity': (...all) => openRecollect(Infinity, true, ...all),
  'recollect get, freshness 0': (...all) => openRecollect(0, true, ...all),
  'lmdb get': openLmdb,
  'lmdb getBinary, not parsed': openLmdbBinary,
  'classic-level getSync': (...all) => openLevel(false, ...all),
  'classic-level get': (...all) => openLevel(true, ...all),
  'sqlite select + JSON.parse': openSqlite,
};

/** Appends all of them, with as many on their way at once as make large groups. */
export async function appendAll(store, events) {
  let next = 0;
  const caller = async () => {
    while (next < events.length) {
      const { stream, type, data } = events[next++];
      await store.append(stream, { type, data });
    }
  };
  await Promise.all(Array.from({ length: Math.min(4_096, events.length) }, caller));
}

function folded(events) {
  const states = new Map();
  for (const event of events) rememberIn(states, event.stream, event);
  return states;
}

async function openMap(_directory, events) {
  const states = folded(events);
  return { read: (key) => states.get(key), close: async () => undefined };
}

async function openRecollect(freshnessMs, isAsync, directory, events) {
  const { byStream } = await defineProjections();
  const store = await openStore(directory, { projections: [byStream], freshnessMs });
  await appendAll(store, events);
  await store.refresh();
  return {
    isAsync,
    read: isAsync ? (key) => store.get(byStream, key) : (key) => store.getSync(byStream, key),
    close: () => store.close(),
  };
}

/** Strings of JSON would be a copy more: `json` is how lmdb itself reads such values. */
async function openLmdb(directory, events) {
  const database = await fillLmdb(directory, events);
  return { read: (key) => database.get(key), close: () => database.close() };
}

async function openLmdbBinary(directory, events) {
  const database = await fillLmdb(directory, events);
  return { read: (key) => database.getBinary(key), close: () => database.close() };
}

async function fillLmdb(directory, events) {
  const { open } = await import('lmdb');
  const database = open({ path: join(directory, 'store'), encoding: 'json' });
  await database.transaction(() => {
    for (const [key, state] of folded(events)) database.put(key, state);
  });
  return database;
}

async function openLevel(isAsync, directory, events) {
  const { ClassicLevel } = await import('classic-level');
  const database = new ClassicLevel(join(directory, 'store'), { valueEncoding: 'json' });
  await database.batch([...folded(events)].map(([key, value]) => ({ type: 'put', key, value })));
  return {
    isAsync,
    read: isAsync ? (key) => database.get(key) : (key) => database.getSync(key),
    close: () => database.close(),
  };
}

async function openSqlite(directory, events) {
  const { default: Database } = await import('better-sqlite3');
  const database = new Database(join(directory, 'store.db'));
  database.pragma('journal_mode = WAL');
  database.exec('CREATE TABLE states (key TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID');
  const insert = database.prepare('INSERT INTO states VALUES (?, ?)');
  database.transaction(() => {
    for (const [key, state] of folded(events)) insert.run(key, JSON.stringify(state));
  })();
  const select = database.prepare('SELECT state FROM states WHERE key = ?').pluck();
  return {
    read: (key) => JSON.parse(select.get(key)),
    close: async () => void database.close(),
  };
}
