import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openStore, type Progress, restoreStore, type Store, verifyStore } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const noted = (number: number) => ({ type: 'noted', data: { number, text: 'x'.repeat(200) } });

async function storeWith(commits: number, directory = join(temporaryDirectory(), 'store')) {
  const store = await openStore(directory, { segmentBytes: 4096 });
  await appendTo(store, commits);
  return { store, directory, beside: (name: string) => join(directory, '..', name) };
}

async function appendTo(store: Store, commits: number): Promise<void> {
  for (let number = 0; number < commits; number += 1) {
    await store.append(`notes/${number % 3}`, noted(number));
  }
}

function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}

function flip(path: string, at = 10): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

describe('a backup', () => {
  test('holds the store as it is, opens for reading, and is refused for writing', async () => {
    const { store, beside } = await storeWith(40);
    const report = await store.backup(beside('backup'));
    expect(report).toMatchObject({ id: store.id, head: store.head, sharedBytes: 0 });
    await appendTo(store, 3);
    const backup = await openStore(beside('backup'), { readOnly: true });
    expect(backup.head).toEqual(report.head);
    expect(await backup.readAll().toArray()).toEqual(await store.readAll({ to: 40 }).toArray());
    await backup.close();
    expect((await verifyStore(beside('backup'))).ok).toBe(true);
    await expect(openStore(beside('backup'))).rejects.toMatchObject({
      code: 'STORE_ACCESS',
      message: /readOnly: true, or restore it/,
    });
    await store.close();
  });

  test('names every file with its size, keeps the rights of the store, and takes nothing along that is not the store', async () => {
    const { store, directory, beside } = await storeWith(40);
    for (const folder of ['archive', 'snapshots', 'snapshots/counts@1'])
      mkdirSync(join(directory, folder));
    writeFileSync(join(directory, 'archive/old.gz'), 'old');
    writeFileSync(join(directory, 'snapshots/counts@1/17'), 'states');
    for (const name of ['mine.txt', 'archive/a.tmp', 'log/x.broken', 'snapshots/b.broken']) {
      writeFileSync(join(directory, name), 'no part of it');
    }
    const report = await store.backup(beside('backup'));
    const manifest = JSON.parse(readFileSync(join(beside('backup'), 'manifest.json'), 'utf8')) as {
      files: { name: string; bytes: number }[];
    };
    const names = manifest.files.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['anchor', 'archive/old.gz', 'snapshots/counts@1/17', 'store.json']),
    );
    expect(filesOf(beside('backup'))).toEqual([...names, 'lock', 'manifest.json'].sort());
    expect(report.files).toBe(names.length);
    for (const { name, bytes } of manifest.files) {
      const stats = statSync(join(beside('backup'), name));
      expect({ size: stats.size, mode: stats.mode & 0o777 }).toEqual({ size: bytes, mode: 0o600 });
    }
    expect(statSync(beside('backup')).mode & 0o777).toBe(0o700);
    await restoreStore(beside('backup'), beside('restored'));
    expect(readFileSync(join(beside('restored'), 'snapshots/counts@1/17'), 'utf8')).toBe('states');
    await store.close();
  });

  test('shares finished files with an earlier one, is complete without it, and never shares with the store', async () => {
    const { store, directory, beside } = await storeWith(60);
    const first = await store.backup(beside('first'));
    await appendTo(store, 20);
    const second = await store.backup(beside('second'), { since: beside('first') });
    expect(second.sharedBytes).toBeGreaterThan(first.bytes / 2);
    expect(second.sharedBytes).toBeLessThan(second.bytes);
    const inode = (...parts: string[]) => statSync(join(...parts)).ino;
    const name = filesOf(join(beside('first'), 'log'))[0] ?? '';
    expect(inode(beside('second'), 'log', name)).toBe(inode(beside('first'), 'log', name));
    expect(inode(directory, 'log', name)).not.toBe(inode(beside('first'), 'log', name));
    rmSync(beside('first'), { recursive: true });
    const { position } = await restoreStore(beside('second'), beside('restored'));
    expect(position).toBe(80);
    const restored = await openStore(beside('restored'));
    expect(await restored.readAll({ to: 80 }).toArray()).toEqual(await store.readAll().toArray());
    await restored.close();
    await store.close();
  });

  test('refuses an earlier one that is damaged, of another store, of another history, or none', async () => {
    const { store, directory, beside } = await storeWith(60);
    await store.backup(beside('first'));
    const { store: other, directory: elsewhere } = await storeWith(5);
    await other.backup(join(elsewhere, '../backup'));
    await other.close();
    const backup = (since: string) => store.backup(beside('second'), { since });
    await expect(backup(join(elsewhere, '../backup'))).rejects.toMatchObject({
      code: 'OTHER_HISTORY',
    });
    await expect(backup(`${directory}-none`)).rejects.toMatchObject({ code: 'STORE_NOT_FOUND' });
    const [name = ''] = filesOf(join(beside('first'), 'log'));
    flip(join(beside('first'), 'log', name), 500);
    await expect(backup(beside('first'))).rejects.toMatchObject({
      code: 'STORE_DAMAGED',
      file: join(beside('first'), 'log', name),
    });
    // The same store, gone on in another way since.
    await store.backup(beside('base'));
    await restoreStore(beside('base'), beside('branch'));
    const branch = await openStore(beside('branch'));
    await branch.backup(beside('of-branch'));
    await branch.close();
    await expect(backup(beside('of-branch'))).rejects.toMatchObject({ code: 'OTHER_HISTORY' });
    expect(readdirSync(beside('.')).sort()).toEqual([
      'base',
      'branch',
      'first',
      'of-branch',
      'store',
    ]);
    await store.close();
  });

  test('shares no file that has the name and the size of another one and other bytes', async () => {
    const { store, directory, beside } = await storeWith(60);
    mkdirSync(join(directory, 'snapshots'));
    const file = join('snapshots', 'made-again');
    writeFileSync(join(directory, file), 'what it was');
    await store.backup(beside('first'));
    writeFileSync(join(directory, file), 'what it is.');
    const { sharedBytes } = await store.backup(beside('second'), { since: beside('first') });
    expect(sharedBytes).toBeGreaterThan(0);
    expect(readFileSync(join(beside('first'), file), 'utf8')).toBe('what it was');
    expect(readFileSync(join(beside('second'), file), 'utf8')).toBe('what it is.');
    await store.close();
  });

  test('of a store that is damaged is refused, and names the damage in the store', async () => {
    const { store, directory, beside } = await storeWith(60);
    const [name = ''] = filesOf(join(directory, 'log'));
    flip(join(directory, 'log', name), 500);
    await expect(store.backup(beside('backup'))).rejects.toMatchObject({
      code: 'STORE_DAMAGED',
      file: join(directory, 'log', name),
    });
    expect(readdirSync(beside('.'))).toEqual(['store']);
    await store.close();
  });

  test('refuses a place where something stands, one inside of the store, and wrong options', async () => {
    const { store, directory, beside } = await storeWith(3);
    mkdirSync(beside('there'));
    await expect(store.backup(beside('there'))).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
    await expect(store.backup(join(directory, 'backup'))).rejects.toThrow(TypeError);
    await expect(store.backup('')).rejects.toThrow(TypeError);
    await expect(store.backup(beside('new'), { onProgress: 1 as never })).rejects.toThrow(
      TypeError,
    );
    await expect(store.backup(beside('new'), { signal: {} as never })).rejects.toThrow(TypeError);
    await expect(store.backup(beside('new'), null as never)).rejects.toThrow(TypeError);
    await store.close();
    await expect(store.backup(beside('new'))).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    const memory = await openStore({ memory: true });
    await expect(memory.backup(beside('new'))).rejects.toThrow(/in memory/);
    await memory.close();
    expect(existsSync(beside('new'))).toBe(false);
  });

  test('that may not write where it should is refused with an error that says so', async () => {
    const { store, beside } = await storeWith(3);
    if (process.getuid?.() === 0) {
      writeFileSync(beside('file'), '');
      await expect(store.backup(join(beside('file'), 'backup'))).rejects.toMatchObject({
        code: 'STORE_ACCESS',
      });
    } else {
      mkdirSync(beside('locked'));
      chmodSync(beside('locked'), 0o500);
      await expect(store.backup(join(beside('locked'), 'backup'))).rejects.toMatchObject({
        code: 'STORE_ACCESS',
      });
    }
    await store.close();
  });

  test('tells how far it is, and ends when it is told to, leaving nothing', async () => {
    const { store, beside } = await storeWith(60);
    const seen: Progress[] = [];
    await store.backup(beside('backup'), { onProgress: (progress) => seen.push(progress) });
    expect(new Set(seen.map(({ phase }) => phase))).toEqual(new Set(['copy', 'verify']));
    for (const { done, total } of seen.filter(
      (progress, index) => seen[index + 1]?.phase !== progress.phase,
    )) {
      expect(done).toBe(total);
    }
    const reason = new Error('enough');
    const controller = new AbortController();
    const ended = store.backup(beside('other'), {
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await expect(ended).rejects.toBe(reason);
    const thrown = new Error('from the listener');
    const failing = store.backup(beside('other'), {
      onProgress: () => {
        throw thrown;
      },
    });
    await expect(failing).rejects.toBe(thrown);
    await expect(store.backup(beside('other'), { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    expect(readdirSync(beside('.')).sort()).toEqual(['backup', 'store']);
    await store.close();
  });
});
