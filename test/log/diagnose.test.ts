import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { diagnoseStore, type Finding, openStore, StoreNotFoundError } from '#src/index.js';
import { WRITE_LOCK } from '#src/log/format.js';
import { RealDisk } from '#src/log/real-disk.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

async function world(): Promise<string> {
  const directory = join(temporaryDirectory(), 'store');
  const store = await openStore(directory, { actor: 'planner' });
  for (const data of [1, 2]) await store.append('a', { type: 'b', data });
  await store.close();
  return directory;
}

/** Of the findings that say so; the machine may be worth others. */
function severitiesOf(findings: readonly Finding[], says: string): string[] {
  return findings.filter(({ problem }) => problem.includes(says)).map(({ severity }) => severity);
}

describe('diagnoseStore', () => {
  test('tells what a sound store and its place are like, and leaves nothing behind', async () => {
    const directory = await world();
    const diagnosis = await diagnoseStore(directory);
    expect(diagnosis).toMatchObject({
      directory,
      ok: true,
      locks: 'work',
      lock: { held: false, holder: { pid: process.pid, label: 'planner', isRunning: true } },
      recovery: { state: 'clean' },
      head: { position: 2 },
      store: { durability: 'sync' },
      place: { trusted: true, mode: '700' },
      versions: { node: process.version, format: 1 },
    });
    expect(diagnosis.place.freeBytes).toBeGreaterThan(0);
    expect(diagnosis.place.totalBytes).toBeGreaterThanOrEqual(diagnosis.place.freeBytes);
    const { medianMs = -1, slowestMs = -1, tries } = diagnosis.sync ?? {};
    expect(tries).toBe(16);
    expect(medianMs).toBeGreaterThanOrEqual(0);
    expect(slowestMs).toBeGreaterThanOrEqual(medianMs);
    expectDeeplyFrozen(diagnosis);
    expect(readdirSync(join(directory, '..'))).toEqual(['store']);
  });

  test('tells who holds the lock when it is never free', async () => {
    const directory = await world();
    const disk = new RealDisk();
    const file = disk.open(join(directory, 'lock'), 'write');
    disk.tryLock(file, WRITE_LOCK, 'exclusive');
    try {
      const { ok, lock, findings } = await diagnoseStore(directory);
      expect({ ok, lock }).toMatchObject({ ok: true, lock: { held: true } });
      expect(severitiesOf(findings, `process ${process.pid}`)).toEqual(['warning']);
    } finally {
      disk.close(file);
    }
  });

  test('tells of damage, and of a store that cannot be opened, as findings', async () => {
    const damaged = await world();
    const [segment = ''] = readdirSync(join(damaged, 'log'));
    const file = join(damaged, 'log', segment);
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace('"data":[2]', '"data":[3]').slice(0, -30),
    );
    expect(await diagnoseStore(damaged)).toMatchObject({
      ok: false,
      recovery: { state: 'damaged' },
    });
    const headless = await world();
    writeFileSync(join(headless, 'store.json'), '{}\n');
    const { ok, findings, store, recovery } = await diagnoseStore(headless);
    expect({ ok, store, recovery }).toEqual({ ok: false, store: undefined, recovery: undefined });
    expect(severitiesOf(findings, 'store.json')).toEqual(['error']);
    const lockless = await world();
    rmSync(join(lockless, 'lock'));
    expect(await diagnoseStore(lockless)).toMatchObject({ ok: false });
  });

  test('warns of what is not as safe as it could be', async () => {
    const directory = join(temporaryDirectory(), 'store');
    await (await openStore(directory, { durability: 'os' })).close();
    const { ok, findings } = await diagnoseStore(directory);
    expect(ok).toBe(true);
    expect(severitiesOf(findings, 'without a sync')).toEqual(['warning']);
  });

  test('refuses what is no store, and options that there are not', async () => {
    const directory = temporaryDirectory();
    await expect(diagnoseStore(join(directory, 'none'))).rejects.toThrow(StoreNotFoundError);
    mkdirSync(join(directory, 'empty'), { mode: 0o700 });
    await expect(diagnoseStore(join(directory, 'empty'))).rejects.toThrow(StoreNotFoundError);
    await expect(diagnoseStore(directory, { timeout: 1 } as never)).rejects.toThrow(TypeError);
  });
});
