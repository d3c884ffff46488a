/** What the operating system or a stranger can put in the way of a store: each time a typed error, and nothing changed. */
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  FormatTooNewError,
  openLog,
  openLogSync,
  StoreAccessError,
  StoreMovedError,
  StoreNotFoundError,
} from '#src/index.js';
import type { OtherUserTask, StepReport } from '../support/other-user.mjs';
import { Program, run, until } from '../support/programs.js';
import type { StarvingTask, Try } from '../support/starving.mjs';
import { temporaryDirectory } from '../support/temporary-directory.js';

const event = { type: 'note.taken', data: { text: 'first' } };

async function failureOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** A store with one commit. */
async function madeStore(name = 'store'): Promise<string> {
  const directory = join(temporaryDirectory(), name);
  const log = await openLog(directory);
  await log.append('notes/first', event);
  await log.close();
  return directory;
}

/** Names, modes and contents of all that is in a directory. */
function contentOf(directory: string): Map<string, string> {
  const names = readdirSync(directory, { recursive: true }).map(String).sort();
  return new Map(
    names.map((name) => {
      const path = join(directory, name);
      const stats = statSync(path);
      const bytes = stats.isFile() ? readFileSync(path, 'latin1') : '';
      return [name, `${stats.mode} ${stats.ino} ${bytes}`];
    }),
  );
}

describe('an open log whose directory is no longer the one it opened', () => {
  test.each([true, false])(
    'stops when the directory is moved (writer thread: %s)',
    async (writerThread) => {
      const directory = await madeStore();
      const log = await openLog(directory, { writerThread, segmentBytes: 4096 });
      const reader = await openLog(directory, { readOnly: true });
      await log.append('notes/first', event);
      await new Promise((resolve) => setTimeout(resolve, 150));
      renameSync(directory, `${directory}-moved`);

      expect(await failureOf(() => log.append('notes/first', event))).toBeInstanceOf(
        StoreMovedError,
      );
      expect(await failureOf(() => log.appendSync('notes/first', event))).toBeInstanceOf(
        StoreMovedError,
      );
      expect(await failureOf(() => log.refresh())).toBeInstanceOf(StoreMovedError);
      expect(await failureOf(() => reader.readAll().toArray())).toBeInstanceOf(StoreMovedError);
      // Nothing appears where it was, neither by writing nor by closing.
      await log.close();
      await reader.close();
      expect(existsSync(directory)).toBe(false);

      const moved = await openLog(`${directory}-moved`);
      expect(moved.head.position).toBe(2);
      expect((await moved.append('notes/first', event)).position).toBe(3);
      await moved.close();
    },
  );

  test.each([true, false])(
    'does not touch another store that was put in its place (writer thread: %s)',
    async (writerThread) => {
      const directory = await madeStore();
      const log = await openLog(directory, { writerThread });
      await log.append('notes/first', event);
      await new Promise((resolve) => setTimeout(resolve, 150));
      renameSync(directory, `${directory}-before`);
      cpSync(`${directory}-before`, directory, { recursive: true, mode: 0 });
      chmodSync(directory, 0o700);
      const before = contentOf(directory);

      expect(await failureOf(() => log.append('notes/first', event))).toBeInstanceOf(
        StoreMovedError,
      );
      expect(await failureOf(() => log.appendSync('notes/first', event))).toBeInstanceOf(
        StoreMovedError,
      );
      expect(await failureOf(() => log.verify())).toBeInstanceOf(StoreMovedError);
      await log.close();
      expect(contentOf(directory)).toEqual(before);
    },
  );

  test('a follower ends with the error', async () => {
    const directory = await madeStore();
    const log = await openLog(directory, { readOnly: true });
    const following = log.follow();
    expect((await following.next()).value?.position).toBe(1);
    const next = failureOf(() => following.next());
    renameSync(directory, `${directory}-moved`);

    expect(await next).toBeInstanceOf(StoreMovedError);
    await log.close();
  });
});

describe('a directory in which others may write', () => {
  test.each([0o777, 0o770, 0o702])('is refused with mode %o', async (mode) => {
    const directory = await madeStore();
    chmodSync(directory, mode);
    const before = contentOf(directory);

    for (const options of [{}, { readOnly: true }]) {
      expect(await failureOf(() => openLog(directory, options))).toMatchObject({
        code: 'STORE_ACCESS',
      });
      expect(await failureOf(() => openLogSync(directory, options))).toBeInstanceOf(
        StoreAccessError,
      );
    }
    expect(contentOf(directory)).toEqual(before);
    const log = await openLog(directory, { allowSharedDirectory: true });
    expect((await log.append('notes/first', event)).position).toBe(2);
    await log.close();
  });

  test('is refused before anything is made in it', async () => {
    const directory = temporaryDirectory();
    chmodSync(directory, 0o777);
    expect(await failureOf(() => openLog(directory))).toBeInstanceOf(StoreAccessError);
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('a file of the store that is a symbolic link', () => {
  test.each(['store.json', 'lock', 'anchor', 'log/00000000000000000001.ndjson'])(
    'is not followed: %s',
    async (name) => {
      const directory = await madeStore();
      const target = join(temporaryDirectory(), 'target');
      renameSync(join(directory, name), target);
      symlinkSync(target, join(directory, name));
      const before = readFileSync(target, 'latin1');

      for (const options of [{}, { readOnly: true }]) {
        // A reader needs no anchor as long as the mark holds.
        if (name === 'anchor' && options.readOnly) continue;
        for (const failure of [
          await failureOf(() => openLog(directory, options)),
          await failureOf(() => openLogSync(directory, options)),
        ]) {
          expect(failure).toMatchObject({
            code: expect.stringMatching(/^STORE_(ACCESS|DAMAGED)$/),
            message: expect.stringContaining(name),
          });
        }
      }
      expect(readFileSync(target, 'latin1')).toBe(before);
    },
  );

  test('is not followed when it is an index file, which is made anew instead', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const log = await openLog(directory, { segmentBytes: 4096 });
    for (let number = 0; number < 40; number += 1) {
      await log.append('notes/first', { type: 'note.taken', data: 'x'.repeat(300) });
    }
    await log.close();
    const index = join(directory, 'index', '00000000000000000001.ndjson');
    const target = join(temporaryDirectory(), 'target');
    writeFileSync(target, 'mine');
    rmSync(index, { force: true });
    symlinkSync(target, index);

    const again = await openLog(directory);
    expect(await again.readStream('notes/first').toArray()).toHaveLength(40);
    expect((await again.append('notes/first', event, { expectedVersion: 40 })).version).toBe(41);
    await again.close();
    expect(readFileSync(target, 'utf8')).toBe('mine');
  });

  test('may be above the store: the directory itself can be reached through one', async () => {
    const directory = await madeStore();
    const link = join(temporaryDirectory(), 'link');
    symlinkSync(directory, link);
    const log = await openLog(link);
    expect((await log.append('notes/first', event)).position).toBe(2);
    await log.close();
  });
});

describe('a directory that holds something else', () => {
  test.each([
    ['a file', (directory: string) => writeFileSync(join(directory, 'notes.txt'), 'mine')],
    ['a folder', (directory: string) => mkdirSync(join(directory, 'src'))],
    ['a hidden file', (directory: string) => writeFileSync(join(directory, '.profile'), 'mine')],
    ['a file named log', (directory: string) => writeFileSync(join(directory, 'log'), 'mine')],
    [
      'a folder named log with other files',
      (directory: string) => {
        mkdirSync(join(directory, 'log'));
        writeFileSync(join(directory, 'log', 'app.log'), 'mine');
      },
    ],
    ['a file named lock', (directory: string) => writeFileSync(join(directory, 'lock'), '4711')],
    [
      'a file named anchor',
      (directory: string) => writeFileSync(join(directory, 'anchor'), 'mine'),
    ],
  ])('is refused and left as it is: %s', async (_, fill) => {
    const directory = temporaryDirectory();
    fill(directory);
    const before = contentOf(directory);

    for (const failure of [
      await failureOf(() => openLog(directory)),
      await failureOf(() => openLogSync(directory)),
      await failureOf(() => openLog(directory, { create: false })),
      await failureOf(() => openLog(directory, { readOnly: true })),
    ]) {
      expect(failure).toBeInstanceOf(StoreNotFoundError);
    }
    expect(contentOf(directory)).toEqual(before);
  });

  test('is refused when it is a file', async () => {
    const file = join(temporaryDirectory(), 'file');
    writeFileSync(file, 'mine');
    expect(await failureOf(() => openLog(file))).toBeInstanceOf(StoreNotFoundError);
    expect(await failureOf(() => openLog(join(file, 'below')))).toMatchObject({
      code: expect.stringMatching(/^STORE_/),
    });
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  test('is not made where none is and none was asked for', async () => {
    const directory = join(temporaryDirectory(), 'store');
    for (const options of [{ create: false }, { readOnly: true }]) {
      expect(await failureOf(() => openLog(directory, options))).toBeInstanceOf(StoreNotFoundError);
    }
    expect(existsSync(directory)).toBe(false);
  });
});

describe('a store of a newer format', () => {
  test('is refused before anything else is looked at', async () => {
    const directory = await madeStore();
    const body = '{"format":2,"id":"later","kind":"something new"';
    const line = `${body},"c":"${crc32(body).toString(16).padStart(8, '0')}"}\n`;
    writeFileSync(join(directory, 'store.json'), line);
    writeFileSync(join(directory, 'log', '00000000000000000001.ndjson'), 'other bytes');
    writeFileSync(join(directory, 'anchor'), 'other bytes');
    const before = contentOf(directory);

    for (const options of [{}, { readOnly: true }, { create: false }]) {
      for (const failure of [
        await failureOf(() => openLog(directory, options)),
        await failureOf(() => openLogSync(directory, options)),
      ]) {
        expect(failure).toBeInstanceOf(FormatTooNewError);
        expect(failure).toMatchObject({ found: 2, supported: 1 });
      }
    }
    expect(contentOf(directory)).toEqual(before);
  });
});

/** Who owns nothing. Only root can become somebody else; anybody else loses rights by the modes alone. */
const stranger = process.getuid?.() === 0 ? 65_534 : undefined;

describe('a user without the rights', () => {
  async function asStranger(
    directory: string,
    steps: OtherUserTask['steps'],
  ): Promise<StepReport[]> {
    const task: OtherUserTask = { directory, uid: stranger, steps };
    const { code, output, errors } = await run('./other-user.mjs', { task });
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    return output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as StepReport);
  }

  /** The stranger can reach what is in there, if it is let in. */
  function openToAll(): string {
    const parent = temporaryDirectory();
    chmodSync(parent, 0o755);
    return parent;
  }

  const refused = (step: string) => ({
    step,
    error: 'StoreAccessError',
    code: 'STORE_ACCESS',
    cause: 'EACCES',
  });

  async function storeWithModes(directoryMode: number, fileMode: number): Promise<string> {
    const directory = join(openToAll(), 'store');
    const log = await openLog(directory);
    await log.append('notes/first', event);
    await log.close();
    const paths = readdirSync(directory, { recursive: true })
      .map((name) => join(directory, String(name)))
      .sort();
    const folders = [directory, ...paths.filter((path) => statSync(path).isDirectory())];
    onTestFinished(() => {
      for (const folder of folders) chmodSync(folder, 0o700);
    });
    for (const path of paths) if (!folders.includes(path)) chmodSync(path, fileMode);
    for (const folder of folders.toReversed()) chmodSync(folder, directoryMode);
    return directory;
  }

  test('is told so when it may not enter the directory', async () => {
    const directory = await storeWithModes(stranger === undefined ? 0o000 : 0o700, 0o600);
    const steps = await asStranger(directory, ['open', 'openSync', 'read']);
    expect(steps).toEqual([refused('open'), refused('openSync'), refused('read')]);
  });

  test('is told so when it may not read the files', async () => {
    const directory = await storeWithModes(0o755, stranger === undefined ? 0o000 : 0o600);
    const steps = await asStranger(directory, ['open', 'openSync', 'read']);
    expect(steps).toEqual([refused('open'), refused('openSync'), refused('read')]);
  });

  test('reads, and is told that it may not write, when it may only read', async () => {
    const directory = await storeWithModes(0o755, stranger === undefined ? 0o444 : 0o644);
    const before = contentOf(directory);
    const steps = await asStranger(directory, ['open', 'read', 'openSync', 'read']);
    expect(steps).toEqual([
      refused('open'),
      { step: 'read', count: 1 },
      refused('openSync'),
      { step: 'read', count: 1 },
    ]);
    expect(contentOf(directory)).toEqual(before);
  });

  test('is told so when it may not make a store there, and nothing is left', async () => {
    const parent = openToAll();
    if (stranger === undefined) chmodSync(parent, 0o555);
    const steps = await asStranger(join(parent, 'deep', 'store'), ['open', 'openSync']);
    expect(steps).toEqual([refused('open'), refused('openSync')]);
    expect(readdirSync(parent)).toEqual([]);
    chmodSync(parent, 0o755);
  });

  test('is told so when a right is taken while the log is open, and goes on when it has it back', async () => {
    const directory = join(openToAll(), 'store');
    await (await openLog(directory)).close();
    if (stranger !== undefined) {
      for (const name of ['', ...readdirSync(directory, { recursive: true }).map(String)]) {
        chownSync(join(directory, name), stranger, stranger);
      }
    }
    const task: OtherUserTask = {
      directory,
      uid: stranger,
      // Each event fills most of a segment: the third needs a new file.
      steps: [
        'open',
        'append',
        'append',
        'await',
        'append',
        'appendSync',
        'await',
        'append',
        'appendSync',
      ],
    };
    const program = new Program('./other-user.mjs', { task });
    const steps: StepReport[] = [];
    program.onLine((line) => steps.push(JSON.parse(line) as StepReport));
    await until(() => steps.length === 3 || !program.running);
    chmodSync(join(directory, 'log'), 0o500);
    program.tell('go on');
    await until(() => steps.length === 6 || !program.running);
    chmodSync(join(directory, 'log'), 0o700);
    program.tell('go on');

    expect(await program.ended).toMatchObject({ code: 0, errors: '' });
    expect(steps).toEqual([
      { step: 'open' },
      { step: 'append' },
      { step: 'append' },
      { step: 'await' },
      refused('append'),
      refused('appendSync'),
      { step: 'await' },
      { step: 'append' },
      { step: 'appendSync' },
    ]);
    const log = await openLog(directory);
    expect(await log.version('notes/other')).toBe(4);
    expect((await log.verify()).ok).toBe(true);
    await log.close();
  });
});

describe('a process that runs out of file descriptors', () => {
  // As many as a segment change takes to come round, with none to spare, and then more and more.
  const few = [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 4, 5, 6, 8, 11];
  const cases = [
    'opens',
    'opens synchronously',
    'opens for reading',
    'creates',
    'appends',
    'appends synchronously',
    'opens and appends',
    'reads',
    'reads a stream synchronously',
    'verifies',
  ] as const;

  test.each(cases)('is told so, and the next attempt works, when it %s', async (name) => {
    for (const writerThread of [true, false]) {
      const directory = join(temporaryDirectory(), 'store');
      const task: StarvingTask = { directory, task: name, spare: few, writerThread };
      const { code, output, errors } = await run('./starving.mjs', {
        task,
        shellSetting: 'ulimit -n 200',
      });
      expect({ code, errors }).toEqual({ code: 0, errors: '' });
      const tries = output
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Try);
      expect(tries).toHaveLength(2 * few.length);
      const starved = tries.filter(({ spare, error }) => spare >= 0 && error !== undefined);
      expect(starved.length).toBeGreaterThan(0);
      for (const failure of starved) {
        expect(failure).toMatchObject({
          error: 'StoreAccessError',
          code: 'STORE_ACCESS',
          cause: 'EMFILE',
        });
      }
      for (const fed of tries.filter(({ spare }) => spare < 0)) expect(fed).toEqual({ spare: -1 });

      const log = await openLog(directory);
      expect(log.recovery.state).toBe('clean');
      expect((await log.verify()).ok).toBe(true);
      await log.close();
    }
  });
});
