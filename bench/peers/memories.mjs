import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * What agents keep their memories in, by name. Each is `open(directory) -> memory` with
 * - `put(key, text)`: a promise that resolves when the memory is acknowledged, which is when it is durable unless `isSynced` is false;
 * - `get(key)`: the text, undefined where there is none;
 * - `fill(entries)`: many at once, as fast as it goes;
 * - `told(key)` and `before(key)`, where there are such calls: who, when and why of the last change, and the text before it;
 * - `close()`.
 */
export const memories = {
  recollect: openRecollect,
  'JSON file': openJsonFile,
  'better-sqlite3': openSqlite,
  lmdb: openLmdb,
  'classic-level': openLevel,
  minisearch: openMinisearch,
};

const library = new URL('../../dist/index.js', import.meta.url);
const chunk = 1000;

async function openRecollect(directory) {
  if (!existsSync(library)) throw Object.assign(new Error('build it first'), { code: 'NOT_BUILT' });
  const { openMemory } = await import(library);
  const memory = await openMemory(`${directory}/memory`, { actor: 'bench' });
  return {
    isSynced: true,
    put: (key, text) => memory.records.store(key, { text }, {}, { reason: 'measured' }),
    get: async (key) => (await memory.records.get(key))?.value.text,
    async fill(entries) {
      for (let at = 0; at < entries.length; at += chunk) {
        const some = entries.slice(at, at + chunk);
        await memory.records.storeMany(some.map(([key, text]) => ({ key, value: { text } })));
      }
      await memory.engine.snapshot();
    },
    async told(key) {
      const { actor, time, reason } = (await memory.history(`records/${key}`).toArray()).at(
        -1,
      ).event;
      return { actor, time, reason };
    },
    async before(key) {
      const { position } = (await memory.history(`records/${key}`).toArray()).at(-1).event;
      return (await memory.at(position - 1).records.get(key))?.value.text;
    },
    close: () => memory.close(),
  };
}

/**
 * As the MCP memory server keeps its graph, without the server around it: one JSON object a line; each change reads the whole file, waits for the changes
 * of the same process before it, writes all of it to a temporary file and renames that. Nothing is synced, and no other process is waited for.
 */
async function openJsonFile(directory) {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'memory.jsonl');
  let last = Promise.resolve();

  async function load() {
    let text = '';
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    return lines.map((line) => JSON.parse(line));
  }

  async function change({ key, text }) {
    const entities = await load();
    const known = entities.find(({ name }) => name === key);
    if (known) known.observations = [text];
    else entities.push(entityOf([key, text]));
    const beside = `${file}.${randomBytes(16).toString('hex')}.tmp`;
    await writeFile(beside, linesOf(entities));
    await rename(beside, file);
  }

  return {
    isSynced: false,
    put(key, text) {
      const done = last.then(() => change({ key, text }));
      last = done.catch(() => {});
      return done;
    },
    get: async (key) => (await load()).find(({ name }) => name === key)?.observations[0],
    fill: async (entries) => writeFileSync(file, linesOf(entries.map(entityOf))),
    close: async () => {},
  };
}

function entityOf([name, text]) {
  return { type: 'entity', name, entityType: 'memory', observations: [text] };
}

function linesOf(entities) {
  return `${entities.map((entity) => JSON.stringify(entity)).join('\n')}\n`;
}

/** WAL, synchronous=FULL, each put a transaction; who finds it locked waits the 5 s that are the default of the package. */
async function openSqlite(directory) {
  const { default: Database } = await import('better-sqlite3');
  mkdirSync(directory, { recursive: true });
  const database = new Database(join(directory, 'memory.db'));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec('CREATE TABLE IF NOT EXISTS memories (key TEXT PRIMARY KEY, text TEXT NOT NULL)');
  const insert = database.prepare('INSERT OR REPLACE INTO memories VALUES (?, ?)');
  const select = database.prepare('SELECT text FROM memories WHERE key = ?');
  return {
    isSynced: true,
    put: async (key, text) => void insert.run(key, text),
    get: async (key) => select.get(key)?.text,
    fill: async (entries) => database.transaction(() => entries.map((each) => insert.run(each)))(),
    close: async () => void database.close(),
  };
}

async function openLmdb(directory) {
  const { open } = await import('lmdb');
  const database = open({
    path: directory,
    encoding: 'string',
    overlappingSync: false,
    separateFlushed: true,
  });
  return {
    isSynced: true,
    put: (key, text) => database.put(key, text).flushed,
    get: async (key) => database.get(key),
    fill: (entries) =>
      database.transaction(() => {
        for (const [key, text] of entries) database.put(key, text);
      }),
    close: () => database.close(),
  };
}

/** One process at a time may open it. */
async function openLevel(directory) {
  const { ClassicLevel } = await import('classic-level');
  const database = new ClassicLevel(join(directory, 'memory'));
  await database.open();
  return {
    isSynced: true,
    put: (key, text) => database.put(key, text, { sync: true }),
    get: (key) => database.get(key),
    fill: (entries) => database.batch(entries.map(([key, value]) => ({ type: 'put', key, value }))),
    close: () => database.close(),
  };
}

/** An index in memory. It keeps nothing itself: its JSON is written when it is filled, and read when it is opened. */
async function openMinisearch(directory) {
  const { default: MiniSearch } = await import('minisearch');
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'index.json');
  const options = { fields: ['text'], storeFields: ['text'] };
  const index = existsSync(file)
    ? MiniSearch.loadJSON(readFileSync(file, 'utf8'), options)
    : new MiniSearch(options);
  return {
    keepsNothing: true,
    get: async (key) => index.getStoredFields(key)?.text,
    async fill(entries) {
      index.addAll(entries.map(([id, text]) => ({ id, text })));
      writeFileSync(file, JSON.stringify(index));
    },
    close: async () => {},
  };
}
