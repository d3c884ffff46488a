import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { encodeManifest, readManifest } from '#src/compaction/manifest.js';
import { openStore, type Progress, restoreStore, verifyStore } from '#src/index.js';
import { runSync } from '#src/log/io.js';
import { RealDisk } from '#src/log/real-disk.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const noted = (number: number) => ({ type: 'noted', data: { number, text: 'x'.repeat(200) } });

async function storeWith(commits: number) {
  const root = temporaryDirectory();
  const directory = join(root, 'store');
  let now = Date.UTC(2026, 0, 1);
  const store = await openStore(directory, {
    segmentBytes: 4096,
    clock: () => now,
    idempotencyWindow: 30,
    durability: 'os',
  });
  for (let number = 1; number <= commits; number += 1) {
    now += 60_000;
    await store.append(`notes/${number % 3}`, noted(number), { idempotencyKey: `k-${number}` });
  }
  return { store, directory, root };
}

const reading = { readOnly: true } as const;

describe('a restore', () => {
  test('of a whole store is the same store, with one commit more, and goes on', async () => {
    const { store, directory, root } = await storeWith(50);
    const target = join(root, 'restored');
    const report = await restoreStore(directory, target);
    expect(report).toMatchObject({
      directory: target,
      id: store.id,
      position: 50,
      source: { kind: 'store', id: store.id, position: 50, seal: store.head.seal },
    });
    // What was published about the history still holds.
    expect((await verifyStore(target, { against: store.head.seal })).against).toBe('found');
    const restored = await openStore(target);
    expect(restored.head).toEqual(report.head);
    expect(await restored.readAll({ to: 50 }).toArray()).toEqual(await store.readAll().toArray());
    const answer = await restored.append('notes/1', noted(49), { idempotencyKey: 'k-49' });
    expect(answer).toMatchObject({ position: 49, repeated: true });
    expect((await restored.append('notes/1', noted(51))).position).toBe(52);
    await restored.close();
    await store.close();
  });

  test('of a restored one tells of both', async () => {
    const { store, directory, root } = await storeWith(5);
    await restoreStore(directory, join(root, 'first'));
    await restoreStore(join(root, 'first'), join(root, 'second'));
    await restoreStore(join(root, 'second'), join(root, 'third'), { to: 6 });
    const third = await openStore(join(root, 'third'), reading);
    const origin = await third.readStream('$store/origin').toArray();
    expect(origin.map(({ version, position }) => [version, position])).toEqual([
      [1, 6],
      [2, 7],
    ]);
    expect(third.id).not.toBe(store.id);
    const second = await openStore(join(root, 'second'), reading);
    expect(await second.version('$store/origin')).toBe(2);
    await Promise.all([second.close(), third.close(), store.close()]);
  });

  test('to an earlier moment takes what had been committed, under a new id', async () => {
    const { store, directory, root } = await storeWith(50);
    const cases = [
      ['a', 20, 20],
      ['b', new Date(Date.UTC(2026, 0, 1, 0, 7, 30)), 7],
      ['c', '2026-01-01T00:09:00Z', 9],
      ['d', '2026-01-01', 0],
      ['e', 0, 0],
    ] as const;
    for (const [name, to, position] of cases) {
      const report = await restoreStore(directory, join(root, name), { to });
      expect(report.position).toBe(position);
      expect(report.id).not.toBe(store.id);
      const restored = await openStore(join(root, name), reading);
      expect(await restored.readAll({ to: position }).toArray()).toEqual(
        position === 0 ? [] : await store.readAll({ to: position }).toArray(),
      );
      await restored.close();
    }
    const ahead = restoreStore(directory, join(root, 'ahead'), { to: 51 });
    await expect(ahead).rejects.toMatchObject({ code: 'POSITION_AHEAD', head: 50 });
    await expect(restoreStore(directory, join(root, 'x'), { to: 'yesterday' })).rejects.toThrow(
      TypeError,
    );
    const whole = await restoreStore(directory, join(root, 'whole'), { to: new Date() });
    expect(whole.id).toBe(store.id);
    await store.close();
  });

  test('to an earlier moment is refused when what it would leave out is damaged', async () => {
    const { store, directory, root } = await storeWith(60);
    await store.close();
    const [, second = ''] = readdirSync(join(directory, 'log')).sort();
    const path = join(directory, 'log', second);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('"text":"x', '"text":"y'));
    const target = join(root, 'restored');
    await expect(restoreStore(directory, target, { to: 3 })).rejects.toMatchObject({
      code: 'STORE_DAMAGED',
      file: path,
    });
    expect(readdirSync(root)).toEqual(['store']);
  });

  test('keeps what the store was made with', async () => {
    const { store, directory, root } = await storeWith(50);
    await store.close();
    for (const [name, options] of [
      ['whole', {}],
      ['cut', { to: 45 }],
    ] as const) {
      await restoreStore(directory, join(root, name), options);
      const restored = await openStore(join(root, name));
      // The window of keys is that of the source: the last 30.
      expect(
        (await restored.append('notes/1', noted(40), { idempotencyKey: 'k-40' })).repeated,
      ).toBe(true);
      expect((await restored.append('notes/5', noted(5), { idempotencyKey: 'k-5' })).repeated).toBe(
        false,
      );
      await restored.close();
    }
  });

  test('refuses what is no store, a place where something stands, and one inside of its source', async () => {
    const { store, directory, root } = await storeWith(5);
    const target = join(root, 'target');
    await expect(restoreStore(join(root, 'none'), target)).rejects.toMatchObject({
      code: 'STORE_NOT_FOUND',
    });
    writeFileSync(join(root, 'file'), 'x');
    await expect(restoreStore(join(root, 'file'), target)).rejects.toMatchObject({
      code: 'STORE_NOT_FOUND',
    });
    await expect(restoreStore(root, join(temporaryDirectory(), 'x'))).rejects.toMatchObject({
      code: 'STORE_NOT_FOUND',
    });
    await expect(restoreStore(directory, join(root, 'file'))).rejects.toMatchObject({
      code: 'TARGET_EXISTS',
    });
    await expect(restoreStore(directory, join(root, 'file'), { to: 2 })).rejects.toMatchObject({
      code: 'TARGET_EXISTS',
    });
    await expect(restoreStore(directory, join(directory, 'x'))).rejects.toThrow(TypeError);
    await expect(restoreStore(directory, directory)).rejects.toThrow(TypeError);
    expect(readdirSync(root).sort()).toEqual(['file', 'store']);
    await store.close();
  });

  test('of a backup from which a file is gone, or into which one was put, gives an error or what the backup held', async () => {
    const { store, root } = await storeWith(50);
    await store.backup(join(root, 'backup'));
    const log = join(root, 'backup/log');
    const stray = join(log, '00000000000000000099.ndjson');
    writeFileSync(stray, 'stray');
    await restoreStore(join(root, 'backup'), join(root, 'restored'));
    expect((await verifyStore(join(root, 'restored'))).ok).toBe(true);
    expect(readdirSync(join(root, 'restored/log'))).not.toContain('00000000000000000099.ndjson');
    rmSync(stray);
    const [first = ''] = readdirSync(log);
    rmSync(join(log, first));
    const gone = restoreStore(join(root, 'backup'), join(root, 'other'));
    await expect(gone).rejects.toMatchObject({
      code: 'STORE_DAMAGED',
      file: join(log, first),
      problem: /missing/,
    });
    await store.close();
  });

  test('of a backup whose store.json was broken before its manifest was written tells of damage', async () => {
    const { store, root } = await storeWith(1);
    const backup = join(root, 'backup');
    await store.backup(backup);
    const file = join(backup, 'store.json');
    const broken = readFileSync(file, 'utf8').replace('"durability":"os"', '"durability":"is"');
    writeFileSync(file, broken);
    const manifest = runSync(new RealDisk(), readManifest(backup));
    if (!manifest) throw new Error('the backup has no manifest');
    const sha256 = createHash('sha256').update(broken).digest('hex');
    const files = manifest.files.map((each) =>
      each.name === 'store.json' ? { ...each, sha256 } : each,
    );
    writeFileSync(join(backup, 'manifest.json'), encodeManifest({ ...manifest, files }));
    const restoring = restoreStore(backup, join(root, 'restored'));
    await expect(restoring).rejects.toMatchObject({ code: 'STORE_DAMAGED', file });
    expect(readdirSync(root).sort()).toEqual(['backup', 'store']);
    await store.close();
  });

  test('tells how far it is, and ends when it is told to, leaving nothing', async () => {
    const { store, directory, root } = await storeWith(50);
    for (const [index, to] of [undefined, 40].entries()) {
      const seen: Progress[] = [];
      const onProgress = (progress: Progress) => seen.push(progress);
      await restoreStore(directory, join(root, `r${index}`), { to, onProgress });
      expect(seen.map(({ phase }) => phase)).toContain('verify');
      const controller = new AbortController();
      const reason = new Error('enough');
      const options = { to, signal: controller.signal, onProgress: () => controller.abort(reason) };
      await expect(restoreStore(directory, join(root, 'other'), options)).rejects.toBe(reason);
    }
    expect(readdirSync(root).sort()).toEqual(['r0', 'r1', 'store']);
    await store.close();
  });
});
