/** Backup, restore, export, import, salvage, verify and replay of stores whose old segments are in the archive, or gone. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  exportStore,
  importStore,
  openStore,
  replayStore,
  restoreStore,
  salvageStore,
  verifyStore,
} from '#src/index.js';
import {
  type AgedStore,
  agedStore,
  agedStoreAt,
  answersOf,
  COMMITS,
  exported,
  placesOf,
  reading,
  timeOf,
  total,
} from '../support/kept-copies.js';

/** How each store came to be as it is; all hold at least {@link COMMITS} commits. */
const stages: Readonly<Record<string, () => Promise<AgedStore>>> = {
  compacted: async () => {
    const aged = await agedStore();
    await aged.append(COMMITS);
    await aged.store.compact();
    return aged;
  },
  'partly compacted': async () => {
    const aged = await agedStore();
    await aged.append(COMMITS / 2);
    await aged.store.compact();
    await aged.append(COMMITS / 2);
    return aged;
  },
  pruned: async () => {
    const aged = await prunedStore();
    await aged.append(5);
    return aged;
  },
  'with snapshots alone': async () => {
    const aged = await agedStore();
    await aged.append(COMMITS / 2);
    await aged.store.snapshot();
    await aged.append(COMMITS / 2);
    return aged;
  },
};
const whole = Object.entries(stages).filter(([name]) => name !== 'pruned');

async function prunedStore(): Promise<AgedStore> {
  const aged = await agedStore(5);
  await aged.append(COMMITS);
  await aged.store.compact();
  return aged;
}

async function firstKept(directory: string): Promise<number> {
  const { firstPosition = 1 } = await verifyStore(directory);
  return firstPosition;
}

/** What the store at a place answers, opened only to read: who wrote it still has some of what was dropped in memory. */
async function answersAt(directory: string, to: number) {
  const store = await openStore(directory, reading);
  try {
    return await answersOf(store, to);
  } finally {
    await store.close();
  }
}

describe.each(Object.entries(stages))('of a store that is %s', (name, make) => {
  test('the stage is what it is called', async () => {
    const { store, directory } = await make();
    const { log, archive } = placesOf(directory);
    const isPruned = name === 'pruned';
    const isArchived = name !== 'with snapshots alone';
    expect(archive.some((file) => file.endsWith('.gz'))).toBe(isArchived);
    // What the anchor names stays: the segment that is being written, and the one before it.
    expect(log.length > 2).toBe(name !== 'compacted' && !isPruned);
    expect((await firstKept(directory)) > 20).toBe(isPruned);
    expect(readdirSync(join(directory, 'snapshots')).length).toBeGreaterThan(0);
    await store.close();
  });

  test('a backup verifies, and answers as the store does', async () => {
    const { store, directory, beside } = await make();
    const { position } = store.head;
    const report = await store.backup(beside('backup'));
    expect(report.head).toEqual(store.head);
    expect(await verifyStore(beside('backup'))).toEqual(await verifyStore(directory));
    expect(placesOf(beside('backup'))).toEqual(placesOf(directory));
    expect(await answersAt(beside('backup'), position)).toEqual(
      await answersAt(directory, position),
    );
    await store.close();
  });

  test('a whole restore, of a backup and of the live store, answers the same and goes on', async () => {
    const { store, directory, beside } = await make();
    const { position, seal } = store.head;
    const version = await store.version('notes/1');
    await store.backup(beside('backup'));
    const expected = await answersAt(directory, position);
    for (const source of [beside('backup'), directory]) {
      const target = `${source}-restored`;
      expect((await restoreStore(source, target)).id).toBe(store.id);
      expect(await verifyStore(target, { against: seal })).toMatchObject({
        ok: true,
        against: 'found',
      });
      expect(await answersAt(target, position)).toEqual(expected);
      const restored = await openStore(target, { projections: [total], compaction: false });
      const repeated = { idempotencyKey: `key-${position}` };
      const [last] = await store.readAll({ from: position }).toArray();
      const { stream = '', type = '', data = null } = last ?? {};
      expect(await restored.append(stream, { type, data }, repeated)).toMatchObject({
        position,
        repeated: true,
      });
      expect((await restored.append('notes/1', { type, data })).version).toBeGreaterThan(version);
      await restored.compact();
      expect(await answersOf(restored, position)).toEqual(expected);
      await restored.close();
      expect((await verifyStore(target)).ok).toBe(true);
    }
    await store.close();
  });

  test('what was restored can be compacted, restored and pruned again', async () => {
    const { store, directory, root, beside } = await make();
    const { position } = store.head;
    await store.close();
    await restoreStore(directory, beside('second'));
    const second = await agedStoreAt(root, beside('second'), Date.now() + 86_400_000, 0.0001);
    await second.append(20);
    await second.store.compact();
    expect(await firstKept(beside('second'))).toBeGreaterThan(position);
    await restoreStore(beside('second'), beside('third'));
    expect((await verifyStore(beside('third'))).damage).toBeUndefined();
    const third = await openStore(beside('third'), reading);
    expect(await third.version('$store/origin')).toBe(2);
    await Promise.all([third.close(), second.store.close()]);
  });

  test('an incremental backup with a compaction in between is complete without the earlier one', async () => {
    const { store, directory, beside, append } = await make();
    await store.backup(beside('first'));
    await append(30);
    await store.compact();
    const second = await store.backup(beside('second'), { since: beside('first') });
    expect(second.head).toEqual(store.head);
    const { position } = store.head;
    const expected = await answersAt(directory, position);
    expect(placesOf(beside('second'))).toEqual(placesOf(directory));
    expect((await verifyStore(beside('first'))).ok).toBe(true);
    expect(await verifyStore(beside('second'))).toEqual(await verifyStore(directory));
    expect(await answersAt(beside('second'), position)).toEqual(expected);
    await store.close();
    await restoreStore(beside('second'), beside('restored'));
    expect(await answersAt(beside('restored'), position)).toEqual(expected);
  });

  test('salvage takes all that is there', async () => {
    const { store, directory, beside } = await make();
    const first = await firstKept(directory);
    const kept = await store.readAll({ from: first }).toArray();
    await store.close();
    const report = await salvageStore(directory, beside('salvaged'));
    expect(report).toMatchObject({
      commits: kept.length,
      events: kept.length,
      unsealed: 0,
      lost: [],
    });
    expect(report.renumbered).toBe(first > 1);
    const salvaged = await openStore(beside('salvaged'), reading);
    const told = ({ stream, type, data, time }: (typeof kept)[number]) => [
      stream,
      type,
      data,
      time,
    ];
    expect((await salvaged.readAll().toArray()).map(told)).toEqual(kept.map(told));
    await salvaged.close();
  });
});

describe.each(whole)('of a store that is %s', (_, make) => {
  test('a restore to an earlier position or time is the store as of then', async () => {
    const { store, directory, beside } = await make();
    await store.backup(beside('backup'));
    for (const [index, to] of [0, 7, timeOf(23), 60, timeOf(COMMITS)].entries()) {
      const position = to instanceof Date ? ([7, 7, 23, 60, COMMITS][index] ?? 0) : to;
      const expected = await answersOf(store, Math.max(1, position));
      for (const source of [directory, beside('backup')]) {
        const target = `${source}-${index}`;
        expect((await restoreStore(source, target, { to })).position).toBe(position);
        expect((await verifyStore(target)).ok).toBe(true);
        if (position > 0) expect(await answersAt(target, position)).toEqual(expected);
      }
    }
    await store.close();
  });

  test('an export is that of the store as it was never compacted, and comes back', async () => {
    const { store, directory, beside } = await make();
    const plain = await agedStore();
    await plain.append(COMMITS);
    const expected = await exported(plain.directory, plain.beside('lines'));
    expect((await exported(directory, beside('lines'))).equals(expected)).toBe(true);
    await importStore(beside('lines'), beside('imported'), { format: 'ndjson' });
    expect((await exported(beside('imported'), beside('again'))).equals(expected)).toBe(true);
    await Promise.all([store.close(), plain.store.close()]);
  });

  test('a replay gives what the store does', async () => {
    const { store, directory } = await make();
    const report = await replayStore(directory, { projections: [total] });
    expect(report).toMatchObject({ ok: true, commits: COMMITS, projections: [{ keys: 3 }] });
    await store.close();
  });
});

describe('of a store whose beginning was dropped', () => {
  test('a restore to an earlier moment, an export and a replay are refused, and leave nothing', async () => {
    const { store, root, directory, beside } = await prunedStore();
    await store.backup(beside('backup'));
    const first = await firstKept(directory);
    const pruned = { code: 'HISTORY_PRUNED', firstPosition: first };
    const names = readdirSync(root).sort();
    const moments = [
      0,
      1,
      first - 1,
      first,
      70,
      timeOf(1),
      timeOf(first - 1),
      timeOf(70),
      '2020-01-01',
    ];
    for (const source of [directory, beside('backup')]) {
      for (const to of moments) {
        const restored = restoreStore(source, beside('target'), { to });
        await expect(restored, String(to)).rejects.toMatchObject(pruned);
      }
      let taken = 0;
      const sink = async (lines: AsyncIterable<Buffer>) => {
        for await (const line of lines) taken += line.length;
      };
      await expect(exportStore(source, sink, { format: 'ndjson' })).rejects.toMatchObject(pruned);
      expect(taken).toBe(0);
      await expect(replayStore(source, { projections: [total] })).rejects.toMatchObject(pruned);
    }
    expect(readdirSync(root).sort()).toEqual(names);
    await store.close();
  });
});

describe('a compaction while a copy is made', () => {
  test('waits for it, and nothing is mixed', async () => {
    const { store, directory, beside, append } = await agedStore(5);
    await append(COMMITS);
    const plain = placesOf(directory);
    let compacting: Promise<unknown> | undefined;
    let during: unknown;
    const onProgress = () => {
      compacting ??= store.compact();
      during = placesOf(directory).archive;
    };
    const { head } = await store.backup(beside('backup'), { onProgress });
    expect(during).toEqual([]);
    await compacting;
    expect(placesOf(directory).archive.length).toBeGreaterThan(0);
    const copied = placesOf(beside('backup'));
    expect(copied.archive).toEqual([]);
    expect(copied.log).toEqual(expect.arrayContaining(plain.log));
    expect(await verifyStore(beside('backup'))).toMatchObject({ ok: true, head });
    await store.close();
  });

  test('is told what it waited for when its time is over', async () => {
    const { store, directory, beside, append } = await agedStore();
    await append(COMMITS);
    const impatient = await openStore(directory, { lockTimeoutMs: 0, compaction: false });
    let compacting: Promise<unknown> | undefined;
    const onProgress = () => {
      compacting ??= impatient.compact().catch((error: unknown) => error);
    };
    await restoreStore(directory, beside('restored'), { onProgress });
    expect(await compacting).toMatchObject({
      code: 'LOCK_TIMEOUT',
      label: 'snapshots, compaction and copies',
    });
    expect(placesOf(directory).archive).toEqual([]);
    await Promise.all([store.close(), impatient.close()]);
  });
});
