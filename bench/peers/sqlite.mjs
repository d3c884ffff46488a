import { join } from 'node:path';
import { Group } from './group.mjs';

/** SQLite in WAL mode, synchronous=FULL: a transaction is durable when it returns. It runs on the caller's thread. */
export const variants = { 'sqlite, grouped': openGrouped, 'sqlite, single': openSingle };

async function openDatabase(directory) {
  const { default: Database } = await import('better-sqlite3');
  const database = new Database(join(directory, 'store.db'));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec('CREATE TABLE events (position INTEGER PRIMARY KEY, event TEXT NOT NULL)');
  return { database, insert: database.prepare('INSERT INTO events (event) VALUES (?)') };
}

async function openGrouped(directory) {
  const { database, insert } = await openDatabase(directory);
  const insertAll = database.transaction((texts) => {
    for (const text of texts) insert.run(text);
  });
  const group = new Group((texts, done) => {
    insertAll(texts);
    done();
  });
  return {
    append: (event) => group.add(JSON.stringify(event)),
    close: async () => void database.close(),
  };
}

async function openSingle(directory) {
  const { database, insert } = await openDatabase(directory);
  const appendSync = (event) => void insert.run(JSON.stringify(event));
  return {
    append: async (event) => appendSync(event),
    appendSync,
    close: async () => void database.close(),
  };
}
