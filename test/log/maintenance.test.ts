import { randomUUID } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  salvageStore,
  salvageStoreSync,
  verifyStore,
  verifyStoreSync,
} from '#src/log/maintenance.js';
import { RealDisk } from '#src/log/real-disk.js';
import { encodeStoreFile } from '#src/log/store-file.js';
import { BuiltStore, type Line } from '../support/built-store.js';
import { COMMITS, GROUPS, inSegments, lostPositions } from '../support/damage.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

describe('verifying a store', () => {
  const onDisk = (): { directory: string; built: BuiltStore } => {
    const directory = join(temporaryDirectory(), 'store');
    return { directory, built: inSegments(new RealDisk(), directory) };
  };
  const both = async (directory: string) => {
    const report = verifyStoreSync(directory);
    expect(await verifyStore(directory)).toEqual(report);
    return report;
  };

  test('is sound, and tells what opening finds', async () => {
    const { directory, built } = onDisk();
    expect(await both(directory)).toMatchObject({
      ok: true,
      commits: COMMITS,
      head: { seal: built.place.seal },
      recovery: { state: 'clean', position: COMMITS },
    });
    expect(verifyStoreSync(directory, { against: built.place.seal, deep: true }).against).toBe(
      'found',
    );
  });

  test('takes a torn end for what it is, and changes nothing', async () => {
    const { directory, built } = onDisk();
    const path = built.paths.segment(built.place.segment);
    const torn = Buffer.concat([readFileSync(path), Buffer.from('{"p":33,"g":"33-')]);
    writeFileSync(path, torn);
    const report = await both(directory);
    expect(report.ok).toBe(true);
    expect(report.recovery).toMatchObject({
      state: 'torn',
      file: path,
      offset: built.place.offset,
    });
    expect(readFileSync(path)).toEqual(torn);
  });

  test('names the first damage, also when the anchor already tells that something is gone', async () => {
    const { directory, built } = onDisk();
    const last = built.paths.segment(built.place.segment);
    const lines = built.lines(built.place.segment);
    const cut = lines.at(-3)?.end as number;
    writeFileSync(last, readFileSync(last).subarray(0, cut));
    const first = await both(directory);
    expect(first).toMatchObject({ ok: false, damage: { file: last, offset: cut } });
    expect(first.recovery.state).toBe('damaged');

    const middle = built.paths.segment(built.segments[1] as number);
    const bytes = readFileSync(middle);
    const line = built.lines(built.segments[1] as number)[2] as Line;
    bytes[line.start + 20] = 0;
    writeFileSync(middle, bytes);
    expect(await both(directory)).toMatchObject({
      ok: false,
      damage: { file: middle, offset: line.start },
    });
  });

  test('finds damage far from the end, which opening does not look at', async () => {
    const { directory, built } = onDisk();
    const bytes = readFileSync(built.paths.segment(1));
    const line = built.lines(1)[1] as Line;
    bytes[line.start + 30] = 0x20;
    writeFileSync(built.paths.segment(1), bytes);
    expect(await both(directory)).toMatchObject({
      ok: false,
      commits: 0,
      damage: { file: built.paths.segment(1), offset: line.start, position: 1 },
    });
  });

  test('finds a store.json that is broken or of another store, and a missing lock file', async () => {
    const { directory, built } = onDisk();
    const store = readFileSync(built.paths.store);
    writeFileSync(built.paths.store, store.subarray(0, -3));
    const damage = { file: built.paths.store, offset: 0 };
    expect(await both(directory)).toMatchObject({
      ok: false,
      damage,
      recovery: { state: 'damaged' },
    });

    writeFileSync(built.paths.store, encodeStoreFile({ ...built.store, id: randomUUID() }));
    expect(await both(directory)).toMatchObject({
      ok: false,
      damage: { file: built.paths.segment(1), offset: 0, problem: /header that does not fit/ },
    });

    writeFileSync(built.paths.store, store);
    rmSync(built.paths.lock);
    expect((await both(directory)).damage).toMatchObject({ file: built.paths.lock, offset: 0 });
  });

  test('finds a segment that is a link', async () => {
    const { directory, built } = onDisk();
    const path = built.paths.segment(1);
    cpSync(path, join(directory, 'elsewhere'));
    rmSync(path);
    symlinkSync(join(directory, 'elsewhere'), path);
    const { ok, damage } = await both(directory);
    expect({ ok, damage }).toMatchObject({ ok: false, damage: { file: path, offset: 0 } });
  });

  test('throws what is no damage', async () => {
    const root = temporaryDirectory();
    const missing = expect.objectContaining({ code: 'STORE_NOT_FOUND' });
    expect(() => verifyStoreSync(join(root, 'none'))).toThrow(missing);
    await expect(verifyStore(join(root, 'none'))).rejects.toThrow(missing);
    mkdirSync(join(root, 'empty'), { mode: 0o700 });
    expect(() => verifyStoreSync(join(root, 'empty'))).toThrow(missing);
    writeFileSync(join(root, 'file'), '');
    expect(() => verifyStoreSync(join(root, 'file'))).toThrow(missing);
    expect(() => verifyStoreSync('')).toThrow(TypeError);
    const { directory, built } = onDisk();
    expect(() => verifyStoreSync(directory, { against: 'x' })).toThrow(TypeError);
    writeFileSync(built.paths.store, '{"format":2,"id":"x"}\n');
    const tooNew = expect.objectContaining({ code: 'FORMAT_TOO_NEW' });
    expect(() => verifyStoreSync(directory)).toThrow(tooNew);
    await expect(verifyStore(directory)).rejects.toThrow(tooNew);
  });
});
describe('salvaging a store', () => {
  const onDisk = () => {
    const root = temporaryDirectory();
    const directory = join(root, 'store');
    const disk = new RealDisk();
    const built = new BuiltStore({ groups: GROUPS, segmentBytes: 2048, disk, directory });
    return { root, directory, built };
  };

  test('gives one that verifies', async () => {
    const { root, directory, built } = onDisk();
    const bytes = readFileSync(built.paths.segment(1));
    bytes.fill(0, 512, 1024);
    writeFileSync(built.paths.segment(1), bytes);
    rmSync(built.paths.store);
    const [one, two] = [join(root, 'one'), join(root, 'deep/er/two')];
    const report = salvageStoreSync(directory, one);
    const again = await salvageStore(directory, two);
    expect(again.lost).toEqual(report.lost);
    expect(report.commits).toBe(COMMITS - lostPositions(report).length);
    for (const target of [one, two]) {
      const { ok, commits, recovery } = verifyStoreSync(target, { deep: true });
      expect({ ok, commits, state: recovery.state }).toEqual({
        ok: true,
        commits: report.commits,
        state: 'clean',
      });
    }
  });

  test('refuses targets that are there or inside of the source, and sources that are no store', async () => {
    const { root, directory, built } = onDisk();
    const taken = expect.objectContaining({ code: 'TARGET_EXISTS' });
    expect(() => salvageStoreSync(directory, root)).toThrow(taken);
    await expect(salvageStore(directory, root)).rejects.toThrow(taken);
    expect(() => salvageStoreSync(directory, directory)).toThrow(TypeError);
    expect(() => salvageStoreSync(directory, join(directory, 'x'))).toThrow(TypeError);
    expect(() => salvageStoreSync(directory, '')).toThrow(TypeError);
    const missing = expect.objectContaining({ code: 'STORE_NOT_FOUND' });
    const target = join(root, 'target');
    expect(() => salvageStoreSync(join(root, 'none'), target)).toThrow(missing);
    expect(() => salvageStoreSync(join(directory, 'anchor'), target)).toThrow(missing);
    expect(() => salvageStoreSync(join(directory, 'log'), target)).toThrow(missing);
    writeFileSync(built.paths.store, '{"format":2,"id":"x"}\n');
    const tooNew = expect.objectContaining({ code: 'FORMAT_TOO_NEW' });
    await expect(salvageStore(directory, target)).rejects.toThrow(tooNew);
    expect(readdirSync(root)).toEqual(['store']);
  });
});
