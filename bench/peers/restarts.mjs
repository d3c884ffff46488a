import { mkdirSync } from 'node:fs';

/** Peers that are opened again: each is `open(directory) -> { fill, close }`, with one JSON object for each key. */

export async function openLmdb(directory) {
  const { open } = await import('lmdb');
  const database = open({ path: directory, encoding: 'json' });
  return {
    fill: (events) =>
      database.transaction(() => {
        for (const { stream, data } of events) database.put(stream, data);
      }),
    close: () => database.close(),
  };
}

export async function openLevel(directory) {
  const { ClassicLevel } = await import('classic-level');
  const database = new ClassicLevel(directory, { valueEncoding: 'json' });
  await database.open();
  return {
    fill: (events) =>
      database.batch(events.map(({ stream, data }) => ({ type: 'put', key: stream, value: data }))),
    close: () => database.close(),
  };
}

export async function openSqlite(directory) {
  const { default: Database } = await import('better-sqlite3');
  mkdirSync(directory, { recursive: true });
  const database = new Database(`${directory}/store.db`);
  database.pragma('journal_mode = WAL');
  database.exec(
    'CREATE TABLE IF NOT EXISTS states (key TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID',
  );
  return {
    async fill(events) {
      const insert = database.prepare('INSERT OR REPLACE INTO states VALUES (?, ?)');
      database.transaction(() => {
        for (const { stream, data } of events) insert.run(stream, JSON.stringify(data));
      })();
    },
    close: async () => void database.close(),
  };
}
