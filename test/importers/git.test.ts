import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ImportFailedError, ImportSourceChangedError, importMemory } from '#src/index.js';
import { contentOf, episodesIn, git, inMemory } from '../support/imported.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

/** A repository with two authors, a merge, a commit without changes and names that are hard to tell from what git says. */
function repository(): string {
  const folder = temporaryDirectory();
  git(folder, 'init', '-q', '-b', 'main');
  const commit = (path: string, message: string, author: string, at: string) => {
    const parent = join(folder, path, '..');
    mkdirSync(parent, { recursive: true });
    writeFileSync(join(folder, path), message);
    git(folder, 'add', '-A');
    git(folder, 'commit', '-q', '-m', message, `--author=${author}`, `--date=${at}`);
  };
  const anna = 'Anna <Anna@Example.com>';
  const bert = 'Bert <bert@example.com>';
  commit('readme.md', 'Begin\n\nWith a body.', anna, '2026-01-01T00:00:00+01:00');
  commit('src/a.ts', 'Add a', bert, '2026-01-02T00:00:00Z');
  git(folder, 'checkout', '-q', '-b', 'side', 'HEAD~1');
  const hard = `odd/\u0001${'a'.repeat(40)}`;
  commit(hard, ':100644 no line of git', anna, '2026-01-03T00:00:00Z');
  git(folder, 'checkout', '-q', 'main');
  git(folder, 'merge', '-q', '--no-ff', '-m', 'Merge side', 'side');
  git(folder, 'commit', '-q', '--allow-empty', '--allow-empty-message', '-m', '');
  return folder;
}

describe('a git history', () => {
  test('becomes episodes, a graph, user contexts and records', async () => {
    const folder = repository();
    await inMemory(async (memory) => {
      const report = await importMemory(folder, memory, { itemsPerCommit: 2 });
      expect(report).toMatchObject({ format: 'git', items: 8, imported: 8, commits: 5 });

      const found = await episodesIn(memory);
      expect(found).toHaveLength(5);
      expect(found[0]).toMatchObject({
        text: 'Begin\n\nWith a body.',
        kind: 'commit',
        speaker: 'Anna',
        participants: ['anna@example.com'],
        at: '2025-12-31T23:00:00.000Z',
        metadata: { files: 1, directories: [''] },
      });
      expect(found[2]).toMatchObject({
        text: ':100644 no line of git',
        metadata: { files: 1, directories: ['odd'] },
      });

      const id = git(folder, 'rev-parse', '--short=12', 'main~1');
      const merge = `commit ${id}`;
      const { entities, relations } = await memory.graph.openNodes([merge]);
      expect(entities[0]).toMatchObject({ entityType: 'commit', observations: ['Merge side'] });
      const parents = ['main~2', 'side'].map((name) =>
        git(folder, 'rev-parse', '--short=12', name),
      );
      const followed = relations.filter(({ from }) => from === merge).map(({ to }) => to);
      expect(followed).toEqual(['Nobody', ...parents.map((parent) => `commit ${parent}`)]);
      const { relations: changes } = await memory.graph.openNodes(['src/']);
      expect(changes.map(({ relationType }) => relationType)).toEqual(['changes']);

      const anna = await memory.users.getContext('anna@example.com');
      expect(anna.preferences).toEqual({ name: 'Anna', email: 'Anna@Example.com' });
      expect(anna.topics).toEqual(['odd']);
      const root = await memory.records.get('directory:./');
      expect(root?.value).toEqual({
        path: './',
        files: 1,
        fileNames: ['readme.md'],
        directories: 2,
        directoryNames: ['odd', 'src'],
      });
    });
  });

  test('that has grown is gone on with; one that was rewritten is refused, and taken anew when told to', async () => {
    const folder = repository();
    await inMemory(async (memory) => {
      await importMemory(folder, memory);
      expect(await importMemory(folder, memory)).toMatchObject({ imported: 0, commits: 0 });

      // An old side branch, so that what is new lies in the middle of the history.
      git(folder, 'checkout', '-q', '-b', 'late', 'main~3');
      git(folder, 'commit', '-q', '--allow-empty', '-m', 'Late', '--date=2025-01-01T00:00:00Z');
      git(folder, 'checkout', '-q', 'main');
      git(folder, 'merge', '-q', '--no-ff', '-m', 'Merge late', 'late');
      const grown = await importMemory(folder, memory);
      expect(grown).toMatchObject({ resumed: true, items: 5 });
      expect(await episodesIn(memory)).toHaveLength(7);

      git(folder, 'commit', '-q', '--amend', '-m', 'Rewritten');
      const before = memory.engine.head.position;
      await expect(importMemory(folder, memory)).rejects.toThrow(ImportSourceChangedError);
      expect(memory.engine.head.position).toBe(before);
      expect(await importMemory(folder, memory, { restart: true })).toMatchObject({ imported: 1 });
      const texts = (await episodesIn(memory)).map(({ text }) => text);
      expect(texts).toContain('Rewritten');
      expect(texts).toHaveLength(8);
    });
  });

  test('divided among three gives the same as by one', async () => {
    const folder = repository();
    const whole = await inMemory(async (memory) => {
      await importMemory(folder, memory);
      return await contentOf(memory);
    });
    await inMemory(async (memory) => {
      const parts = [1, 2, 3].map((number) =>
        importMemory(folder, memory, { part: { number, of: 3 }, itemsPerCommit: 1 }),
      );
      const reports = await Promise.all(parts);
      expect(reports.reduce((sum, { items }) => sum + items, 0)).toBe(8);
      expect(await contentOf(memory)).toEqual(whole);
    });
  });
});

test('a name that is cut in the middle of a character is taken', async () => {
  const folder = temporaryDirectory();
  git(folder, 'init', '-q', '-b', 'main');
  const author = `--author=${'x'.repeat(199)}\u{1f600} <${'y'.repeat(199)}\u{1f600}>`;
  git(folder, 'commit', '-q', '--allow-empty', '-m', 'one', author);
  await inMemory(async (memory) => {
    expect(await importMemory(folder, memory)).toMatchObject({ imported: 1 });
    expect((await episodesIn(memory))[0]?.speaker).toBe(`${'x'.repeat(199)}\ufffd`);
  });
});

test('a repository whose settings name commands runs none of them', async () => {
  const folder = repository();
  const proof = join(temporaryDirectory(), 'proof');
  const touch = `touch ${proof}; false`;
  for (const [name, value] of [
    ['extensions.partialClone', 'origin'],
    ['remote.origin.promisor', 'true'],
    ['remote.origin.url', 'ssh://nobody@localhost/nothing'],
    ['core.sshCommand', touch],
    ['core.fsmonitor', touch],
    ['log.showSignature', 'true'],
    ['gpg.program', touch],
  ] as const) {
    git(folder, 'config', name, value);
  }
  git(folder, 'config', 'core.repositoryFormatVersion', '1');
  const tree = git(folder, 'rev-parse', 'HEAD~1^{tree}');
  rmSync(join(folder, '.git/objects', tree.slice(0, 2), tree.slice(2)));
  await expect(importMemory(folder, 'memory:')).rejects.toThrow(ImportFailedError);
  expect(existsSync(proof)).toBe(false);
});

describe('is refused', () => {
  test('a folder that is no repository and lies in one', async () => {
    const below = join(repository(), 'src');
    const call = importMemory(below, 'memory:', { format: 'git' });
    await expect(call).rejects.toThrow(/not a git repository/);
  });

  test('a shallow clone, a repository without a commit', async () => {
    const shallow = join(temporaryDirectory(), 'shallow');
    git('.', 'clone', '-q', '--depth', '1', `file://${repository()}`, shallow);
    await expect(importMemory(shallow, 'memory:')).rejects.toThrow(/shallow clone.*unshallow/);
    const empty = temporaryDirectory();
    git(empty, 'init', '-q');
    const error: unknown = await importMemory(empty, 'memory:').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ImportFailedError);
    expect((error as Error).message).toContain('no commit yet');
  });
});
