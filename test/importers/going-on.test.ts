import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import {
  ImportSourceChangedError,
  importMemory,
  type Memory,
  type MemoryImportCommit,
  type MemoryImportProgress,
  openMemory,
  StoreAccessError,
} from '#src/index.js';
import { contentOf, episodesIn, fileWith, inMemory } from '../support/imported.js';
import { Program, run } from '../support/programs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

function chat(messages: number, of = 'tea'): string {
  const lines = Array.from({ length: messages }, (_, index) => {
    const at = new Date(1_700_000_000_000 + index * 1000).toISOString();
    const session = `s${index % 3}`;
    return JSON.stringify({ role: 'user', session, content: `${of} ${index}`, at });
  });
  return `${lines.join('\n')}\n`;
}

/** What an undisturbed import of the source gives. */
async function undisturbed(source: string) {
  return await inMemory(async (memory) => {
    await importMemory(source, memory);
    return await contentOf(memory);
  });
}

async function marksIn(memory: Memory) {
  return await memory.engine.readAll({ streams: ['imports/*'] }).toArray();
}

describe('an import', () => {
  test('tells how it goes on, and of each commit with its key in the log', async () => {
    const file = fileWith(chat(10));
    const told: MemoryImportProgress[] = [];
    const commits: MemoryImportCommit[] = [];
    await inMemory(async (memory) => {
      const report = await importMemory(file, memory, {
        itemsPerCommit: 4,
        actor: 'importer',
        reason: 'moved',
        onProgress: (progress) => told.push(progress),
        onCommit: async (commit) => {
          await Promise.resolve();
          commits.push(commit);
        },
      });
      expect(report).toMatchObject({ items: 10, imported: 10, commits: 3, resumed: false });
      expect(commits.map(({ items, done }) => [items, done])).toEqual([
        [4, 4],
        [4, 8],
        [2, 10],
      ]);
      for (const { idempotencyKey } of commits) {
        const position = await memory.engine.positionOf(idempotencyKey);
        expect(position).toBeGreaterThan(0);
      }
      const marks = await marksIn(memory);
      expect(marks.map(({ type, actor, reason }) => [type, actor, reason])).toEqual([
        ['import.advanced', 'importer', 'moved'],
        ['import.advanced', 'importer', 'moved'],
        ['import.finished', 'importer', 'moved'],
      ]);
    });
    expect(told.at(-1)).toMatchObject({ phase: 'write', items: 10, totalItems: 10 });
    expect(told.some(({ phase, totalBytes }) => phase === 'check' && totalBytes)).toBe(true);
  });

  test('that was aborted goes on where it was, and does nothing when it is done', async () => {
    const file = fileWith(chat(20));
    await inMemory(async (memory) => {
      const abort = new AbortController();
      const reason = new Error('enough');
      const call = importMemory(file, memory, {
        itemsPerCommit: 3,
        signal: abort.signal,
        onCommit: ({ done }) => {
          if (done === 9) abort.abort(reason);
        },
      });
      await expect(call).rejects.toBe(reason);
      expect(await episodesIn(memory)).toHaveLength(9);

      const again = await importMemory(file, memory);
      expect(again).toMatchObject({ items: 20, imported: 11, resumed: true });
      expect(await contentOf(memory)).toEqual(await undisturbed(file));
      const { position } = memory.engine.head;
      expect(await importMemory(file, memory)).toMatchObject({
        items: 20,
        imported: 0,
        commits: 0,
      });
      expect(memory.engine.head.position).toBe(position);
    });
    const aborted = importMemory(file, 'memory:', { signal: AbortSignal.abort() });
    await expect(aborted).rejects.toThrow('aborted');
  });

  test('takes what was added to its source', async () => {
    const file = fileWith(chat(5));
    await inMemory(async (memory) => {
      await importMemory(file, memory);
      appendFileSync(file, chat(3, 'coffee'));
      expect(await importMemory(file, memory)).toMatchObject({ items: 8, imported: 3 });
      expect(await contentOf(memory)).toEqual(await undisturbed(file));
    });
  });

  test.each<[string, (text: string) => string]>([
    ['changed', (text) => text.replace('tea 2', 'tea two')],
    ['shorter', (text) => text.slice(0, text.lastIndexOf('{'))],
  ])('of a source that is %s is refused, and taken anew when told to', async (_, change) => {
    const text = chat(6);
    const file = fileWith(text);
    await inMemory(async (memory) => {
      await importMemory(file, memory);
      const { position } = memory.engine.head;
      writeFileSync(file, change(text));
      const error: unknown = await importMemory(file, memory).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ImportSourceChangedError);
      expect(error).toMatchObject({ code: 'IMPORT_SOURCE_CHANGED', items: 6 });
      expect(memory.engine.head.position).toBe(position);

      const news = change(text).includes('two') ? 1 : 0;
      const anew = await importMemory(file, memory, { restart: true });
      expect(anew).toMatchObject({ imported: news, resumed: false });
      expect(await episodesIn(memory)).toHaveLength(6 + news);
      // It goes on from there.
      appendFileSync(file, chat(1, 'milk'));
      expect(await importMemory(file, memory)).toMatchObject({ imported: 1 });
    });
  });

  test.each<[string, (text: string) => string]>([
    ['cut', (text) => text.slice(0, text.length / 2)],
    ['broken', (text) => `${text.slice(0, text.lastIndexOf('{'))}{"role"`],
    ['changed', (text) => text.replace('tea 29', 'tea 2?')],
  ])(
    'of a source that is %s meanwhile says so, and goes on when it is told to',
    async (_, change) => {
      // More than is read at once.
      const text = chat(30, `${'x'.repeat(20_000)} tea`);
      const file = fileWith(text);
      await inMemory(async (memory) => {
        const call = importMemory(file, memory, {
          itemsPerCommit: 5,
          onCommit: ({ done }) => {
            if (done === 5) writeFileSync(file, change(text));
          },
        });
        await expect(call).rejects.toThrow(/changed .*while it was imported\. Nothing more/);
        writeFileSync(file, text);
        // What was read while it was another one may have been imported.
        await importMemory(file, memory, { restart: true });
        const { episodes = [] } = await contentOf(memory);
        const wanted = (await undisturbed(file))['episodes'] ?? [];
        expect(wanted.filter((episode) => !episodes.includes(episode))).toEqual([]);
        expect(episodes.length - wanted.length).toBeLessThanOrEqual(1);
      });
    },
  );

  test('that is restarted leaves out what it imported as often as it did', async () => {
    const file = fileWith('Anna: hi\nAnna: hi\nBert: hi\n');
    await inMemory(async (memory) => {
      await importMemory(file, memory);
      writeFileSync(file, 'Bert: hi\nAnna: hi\nAnna: hi\nAnna: hi\n');
      expect(await importMemory(file, memory, { restart: true })).toMatchObject({ imported: 1 });
      expect(await importMemory(file, memory, { restart: true })).toMatchObject({ imported: 0 });
    });
  });

  test('that is restarted, ended early and gone on with leaves out what it imported before', async () => {
    const file = fileWith('Anna: one\nAnna: two\nAnna: three\n');
    await inMemory(async (memory) => {
      await importMemory(file, memory, { itemsPerCommit: 1 });
      writeFileSync(file, 'Anna: zero\nAnna: one\nAnna: two\nAnna: three\nAnna: four\n');
      const dying = importMemory(file, memory, {
        itemsPerCommit: 1,
        restart: true,
        onCommit: () => Promise.reject(new Error('no more')),
      });
      await expect(dying).rejects.toThrow('no more');
      expect(await importMemory(file, memory)).toMatchObject({ imported: 1, resumed: true });
      const texts = (await episodesIn(memory)).map(({ text }) => text);
      expect(texts).toEqual(['one', 'two', 'three', 'zero', 'four']);
      appendFileSync(file, 'Anna: one\n');
      expect(await importMemory(file, memory)).toMatchObject({ imported: 1 });
    });
  });

  test('of a stream is that of a file with the same content', async () => {
    const text = chat(7);
    await inMemory(async (memory) => {
      const pieces = Readable.from([text.slice(0, 11), Buffer.from(text.slice(11))]);
      expect(await importMemory(pieces, memory)).toMatchObject({ items: 7, imported: 7 });
      expect(await importMemory(Readable.from([text]), memory)).toMatchObject({ imported: 0 });
      expect(await contentOf(memory)).toEqual(await undisturbed(fileWith(text)));
      const named = { name: 'a talk' };
      expect(await importMemory(Readable.from([text]), memory, named)).toMatchObject({
        imported: 7,
      });
      const broken = Readable.from([text, '{"role"']);
      await expect(importMemory(broken, memory, named)).rejects.toThrow(/a talk .*line 8, column/);
      const halves = Readable.from(['Anna: \ud83d', '', '\ude00\n', Buffer.from('Anna: hi')]);
      expect(await importMemory(halves, memory, { name: 'halves' })).toMatchObject({ items: 2 });
      expect((await episodesIn(memory)).map((each) => each.text)).toContain('\u{1f600}');
      for (const rest of [['and more'], [Buffer.from('and more')], []]) {
        const half = Readable.from(['Anna: \ud83d', ...rest]);
        await expect(importMemory(half, memory)).rejects.toThrow(/half of a surrogate pair/);
      }
      const objects = Readable.from([{}]);
      await expect(importMemory(objects, memory)).rejects.toThrow(TypeError);
    });
  });

  test('that stalls ends when it is aborted', async () => {
    const abort = new AbortController();
    const never = new Readable({ read() {} });
    const call = importMemory(never, 'memory:', { signal: abort.signal });
    setTimeout(() => abort.abort(new Error('enough')), 5);
    await expect(call).rejects.toThrow('enough');
  });

  test('of a source that another one imports is refused, and nothing is imported twice', async () => {
    const file = fileWith(chat(40));
    await inMemory(async (memory) => {
      let other: Promise<unknown> | undefined;
      const first = importMemory(file, memory, {
        itemsPerCommit: 1,
        onCommit: async () => {
          other ??= importMemory(file, memory, { itemsPerCommit: 1 });
          await other;
        },
      });
      const problem = await first.catch((error: unknown) => error);
      expect(problem).toMatchObject({ message: expect.stringMatching(/another import of it/) });
      expect(problem).toBeInstanceOf(StoreAccessError);
      expect(await other).toMatchObject({ items: 40 });
      expect(await contentOf(memory)).toEqual(await undisturbed(file));
    });
    // Side by side one of the two may be done before the other looks: then there is nothing to refuse.
    await inMemory(async (memory) => {
      const both = await Promise.allSettled([
        importMemory(file, memory, { itemsPerCommit: 1 }),
        importMemory(file, memory, { itemsPerCommit: 1 }),
      ]);
      expect(both.map(({ status }) => status)).toContain('fulfilled');
      expect(await contentOf(memory)).toEqual(await undisturbed(file));
    });
  });

  test('what its callbacks throw ends it behind a whole commit', async () => {
    const file = fileWith(chat(5));
    await inMemory(async (memory) => {
      const call = importMemory(file, memory, {
        itemsPerCommit: 2,
        onCommit: () => Promise.reject(new Error('no more')),
      });
      await expect(call).rejects.toThrow('no more');
      expect(await episodesIn(memory)).toHaveLength(2);
    });
  });
});

describe('processes', () => {
  test('that are killed in the middle, again and again, leave what an undisturbed import leaves', async () => {
    const source = fileWith(chat(30));
    const directory = join(temporaryDirectory(), 'memory');
    for (const dieAfter of [1, 3]) {
      const ending = await run('importing.mjs', { task: { source, directory, dieAfter } });
      expect(ending).toMatchObject({ signal: 'SIGKILL', errors: '' });
    }
    const last = await run('importing.mjs', { task: { source, directory } });
    expect(last).toMatchObject({ code: 0, errors: '' });
    expect(last.output).toContain('"resumed":true');
    const memory = await openMemory(directory);
    expect(await contentOf(memory)).toEqual(await undisturbed(source));
    expect((await memory.engine.verify()).ok).toBe(true);
    await memory.close();
  });

  test('share the work', async () => {
    const source = fileWith(chat(30));
    const directory = join(temporaryDirectory(), 'memory');
    const programs = [1, 2].map(
      (number) =>
        new Program('importing.mjs', { task: { source, directory, part: { number, of: 2 } } }),
    );
    for (const { ended } of programs) expect(await ended).toMatchObject({ code: 0, errors: '' });
    const memory = await openMemory(directory);
    expect(await contentOf(memory)).toEqual(await undisturbed(source));
    await memory.close();
  });
});
