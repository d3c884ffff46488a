/** What a newcomer meets in the first ten minutes: each error says what is wrong, where, and what to do. */
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import type * as recollect from '#src/index.js';
import {
  defineProjection,
  type Memory,
  openMemory,
  openStore,
  openStoreSync,
  type Store,
} from '#src/index.js';
import { temporaryDirectory } from './support/temporary-directory.js';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Told {
  readonly code: string | undefined;
  readonly message: string;
}

async function told(work: () => unknown): Promise<Told> {
  try {
    await work();
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    return { code, message };
  }
  throw new Error('it did not fail');
}

/** Code that the types would not let through, as JavaScript would run it. */
// biome-ignore lint/suspicious/noExplicitAny: what is wrong on purpose has no type
type Untyped = any;

const counter = defineProjection({
  name: 'counter',
  version: 1,
  initial: 0,
  on: { counted: (n) => n + 1 },
});

describe('opening', () => {
  const cases: readonly (readonly [
    string,
    (directory: string) => unknown,
    code: string,
    RegExp,
  ])[] = [
    ['nothing', () => undefined, 'INVALID_ARGUMENT', /the directory must be a path/],
    [
      'a URL',
      (directory) => pathToFileURL(directory),
      'INVALID_ARGUMENT',
      /must be a path.*fileURLToPath/,
    ],
    [
      'a file',
      (directory) => {
        const file = join(directory, 'file');
        writeFileSync(file, 'text');
        return file;
      },
      'STORE_NOT_FOUND',
      /it is not a directory/,
    ],
    [
      'a directory with something else in it',
      (directory) => {
        writeFileSync(join(directory, 'package.json'), '{}');
        return directory;
      },
      'STORE_NOT_FOUND',
      /other files \("package\.json"\).*choose an empty or a new directory/,
    ],
  ];

  test.each(cases)('%s says why not', async (_, make, code, message) => {
    const place = make(temporaryDirectory()) as string;
    for (const open of [() => openStore(place), () => openStoreSync(place)]) {
      expect(await told(open)).toEqual({ code, message: expect.stringMatching(message) });
    }
  });

  test('a name with a slip is told what it is like, of however many there are', async () => {
    const directory = temporaryDirectory();
    for (const name of ['aa', 'bb', 'cc', 'dd', 'memory']) {
      await (await openStore(join(directory, name))).close();
    }
    const { message } = await told(() => openStore(join(directory, 'memori'), { create: false }));
    expect(message).toContain(join(directory, 'memory'));
  });

  test('a path whose parents are missing makes them, or names what is there with create: false', async () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'a', 'b', 'memory');
    const error = await told(() => openStore(path, { create: false }));
    expect(error).toEqual({
      code: 'STORE_NOT_FOUND',
      message: expect.stringContaining('there is no such directory'),
    });
    const store = await openStore(path);
    await store.close();
  });

  test('with a misspelt option names the right one', async () => {
    const error = await told(() =>
      openStore(temporaryDirectory(), { projection: [counter] } as Untyped),
    );
    expect(error).toEqual({
      code: 'UNKNOWN_OPTION',
      message: expect.stringContaining('did you mean projections?'),
    });
  });
});

describe('the store', () => {
  const cases: readonly (readonly [
    string,
    (store: Store) => unknown,
    code: string,
    message: RegExp,
  ])[] = [
    [
      'a Date in the data',
      (store) => store.append('a/1', { type: 'x', data: { list: [{ at: new Date() }] } }),
      'INVALID_EVENT',
      /^events\[0\]\.data\.list\[0\]\.at: Date cannot be stored as JSON\. Use toISOString\(\)\.$/,
    ],
    [
      'a forgotten await in the data',
      (store) => store.append('a/1', { type: 'x', data: { text: Promise.resolve('') } }),
      'INVALID_EVENT',
      /data\.text: Promise cannot be stored as JSON\. Await it first\.$/,
    ],
    [
      'a Map in the data',
      (store) => store.append('a/1', { type: 'x', data: new Map() }),
      'INVALID_EVENT',
      /Object\.fromEntries/,
    ],
    [
      'an event that is a text',
      (store) => store.append('a/1', 'hello' as Untyped),
      'INVALID_EVENT',
      /string is no event\. Use \{ type, data \}/,
    ],
    [
      'a name of the store’s own',
      (store) => store.append('$mine', { type: 'x', data: null }),
      'INVALID_ARGUMENT',
      /use another name/,
    ],
    [
      'at(Date.now())',
      (store) => store.at(Date.now()).version('a/1'),
      'POSITION_AHEAD',
      /For a moment in time pass a Date/,
    ],
    [
      'a time without a zone',
      (store) => store.at('2026-01-31T12:00'),
      'INVALID_ARGUMENT',
      /ISO 8601 with a zone/,
    ],
    [
      'an unregistered projection',
      (store) => store.get(counter, 'a/1'),
      'PROJECTION_NOT_REGISTERED',
      /Add it to the option projections/,
    ],
    [
      'an unregistered projection, synchronously',
      (store) => store.getSync(counter, 'a/1'),
      'PROJECTION_NOT_REGISTERED',
      /Add it to the option projections/,
    ],
    [
      'the name of a projection',
      (store) => store.get('counter' as Untyped, 'a/1'),
      'INVALID_ARGUMENT',
      /not its name/,
    ],
    [
      'no projection',
      (store) => store.getSync(undefined as Untyped, 'a/1'),
      'INVALID_ARGUMENT',
      /not undefined/,
    ],
    [
      'a transaction without a function',
      (store) => (store.transaction as Untyped)(),
      'INVALID_ARGUMENT',
      /takes a function/,
    ],
  ];

  test.each(cases)('is told of %s', async (_, work, code, message) => {
    const store = await openStore({ memory: true });
    expect(await told(() => work(store))).toEqual({
      code,
      message: expect.stringMatching(message),
    });
    expect(store.head.position).toBe(0);
    await store.close();
    expect(await told(() => store.append('a/1', { type: 'x', data: null }))).toEqual({
      code: 'STORE_CLOSED',
      message: expect.stringContaining('Open it again'),
    });
  });

  test('tells a transaction that was not awaited', async () => {
    const store = await openStore({ memory: true, projections: [counter] });
    let late: Promise<Told> | undefined;
    await store.transaction((tx) => {
      const read = tx.get(counter, 'a/1');
      late = told(async () => {
        await read.catch(() => undefined);
        await new Promise(setImmediate);
        tx.append('a/1', { type: 'counted', data: null });
      });
    });
    expect(await late).toEqual({
      code: 'TRANSACTION_ENDED',
      message: expect.stringContaining('await them'),
    });
    await store.close();
  });
});

describe('the memory', () => {
  const cases: readonly (readonly [string, (memory: Memory) => unknown, RegExp])[] = [
    ['no key', (memory) => (memory.records.store as Untyped)(), /the key must be/],
    [
      'a misspelt option',
      (memory) => memory.records.store('a', 1, { ttl: 5 } as Untyped),
      /"ttl".*ttlMs/,
    ],
    [
      'an importance out of range',
      (memory) => memory.records.store('a', 1, { importance: 5 }),
      /from 0 to 1/,
    ],
    [
      'what is no address',
      (memory) => memory.sites.recordVisit('not an address'),
      /http or https address.*"not an address"/,
    ],
    [
      'another kind of memory',
      (memory) =>
        memory.conversations.store({
          conversationId: 'a',
          memoryType: 'medium',
          data: ['x'],
        } as Untyped),
      /working, short-term, long-term/,
    ],
    [
      'a name without its model',
      (memory) => memory.history('alice').toArray(),
      /begins with one of records\/.*"alice"/,
    ],
  ];

  test.each(cases)('is told of %s', async (_, work, message) => {
    const memory = await openMemory('memory:');
    expect(await told(() => work(memory))).toEqual({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    });
    expect(memory.engine.head.position).toBe(0);
    await memory.close();
  });

  test('of a kind that nobody provides says which there are', async () => {
    expect(await told(() => openMemory('sqlite:/memory'))).toEqual({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/file:, memory:.*registerProvider/),
    });
  });
});

describe('two copies of the package in one program', () => {
  test('write one directory, and say whose definitions are whose', async () => {
    const project = temporaryDirectory();
    const copy = join(project, 'node_modules', 'recollect');
    mkdirSync(copy, { recursive: true });
    cpSync(join(root, 'dist'), join(copy, 'dist'), { recursive: true });
    cpSync(join(root, 'package.json'), join(copy, 'package.json'));
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'dir');
    const entry = pathToFileURL(join(copy, 'dist', 'index.js')).href;
    const other = (await import(entry)) as typeof recollect;
    expect(other.openStore).not.toBe(openStore);

    const events = other.defineEvents({ counted: other.event<null>() });
    const foreign = other.defineProjection({
      name: 'c',
      version: 1,
      initial: 0,
      on: { counted: (n) => n + 1 },
    });
    for (const options of [{ projections: [foreign] }, { events }]) {
      expect(await told(() => openStore({ memory: true, ...(options as object) }))).toEqual({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('npm ls recollect'),
      });
    }
    const directory = join(project, 'memory');
    const [one, two] = await Promise.all([openStore(directory), other.openStore(directory)]);
    const appends = Array.from({ length: 20 }, (_, index) =>
      (index % 2 === 0 ? one : two).append('a/1', { type: 'counted', data: index }),
    );
    await Promise.all(appends);
    one.appendSync('a/1', { type: 'counted', data: 20 });
    two.appendSync('a/1', { type: 'counted', data: 21 });
    expect(await one.version('a/1')).toBe(22);
    const refused = await told(() =>
      two.append('a/1', { type: 'counted', data: 0 }, { expectedVersion: 1 }),
    );
    // The class is the other copy's: the code is the same.
    expect(refused.code).toBe('VERSION_CONFLICT');
    await Promise.all([one.close(), two.close()]);
  });
});
