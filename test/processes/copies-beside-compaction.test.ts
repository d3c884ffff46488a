/** Backups of a store that another process compacts. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { openStore, restoreStore, type Store, verifyStore } from '#src/index.js';
import { tryCompactionLock } from '#src/log/compaction-lock.js';
import { COPY_LOCK } from '#src/log/format.js';
import { RealDisk } from '#src/log/real-disk.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const library = new URL('../../dist/index.js', import.meta.url).href;
const script = `
  import { writeFileSync } from 'node:fs';
  const { openStore } = await import(${JSON.stringify(library)});
  const [directory, trying] = process.argv.slice(1);
  const store = await openStore(directory, { compaction: false });
  if (trying) writeFileSync(trying, '');
  const { moved } = await store.compact();
  console.log(moved.length);
  await store.close();
`;

/** Segments that another process moves. */
async function compactElsewhere(directory: string, trying = ''): Promise<number> {
  const args = ['--input-type=module', '-e', script, directory, trying];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return Number(stdout);
}

async function filled(): Promise<{ directory: string; store: Store; more(): Promise<void> }> {
  const directory = join(temporaryDirectory(), 'store');
  const options = { segmentBytes: 4096, compaction: false, durability: 'os' } as const;
  const store = (await openStore(directory, options)) as Store;
  const more = async () => {
    for (let n = 0; n < 60; n += 1) {
      await store.append(`s/${n % 3}`, { type: 'added', data: { n, text: 'x'.repeat(80) } });
    }
  };
  await more();
  return { directory, store, more };
}

test('an incremental backup goes on from one that was made before another process compacted', async () => {
  const { directory, store, more } = await filled();
  const beside = (name: string) => join(directory, '..', name);
  await store.backup(beside('first'));
  expect(await compactElsewhere(directory)).toBeGreaterThan(2);
  await more();
  const report = await store.backup(beside('second'), { since: beside('first') });
  expect(report.head).toEqual(store.head);
  expect(readdirSync(beside('second/archive')).length).toBeGreaterThan(2);
  for (const name of ['first', 'second']) {
    expect(await verifyStore(beside(name))).toMatchObject({ ok: true });
  }
  await restoreStore(beside('second'), beside('restored'));
  const restored = await openStore(beside('restored'), { readOnly: true });
  const range = { to: store.head.position };
  expect(await restored.readAll(range).toArray()).toEqual(await store.readAll().toArray());
  await Promise.all([store.close(), restored.close()]);
});

test('a compaction that another process begins during a backup waits for its end', async () => {
  const { directory, store } = await filled();
  const beside = (name: string) => join(directory, '..', name);
  const trying = beside('trying');
  const order: string[] = [];
  let compacted: Promise<void> | undefined;
  const onProgress = () => {
    compacted ??= compactElsewhere(directory, trying).then((moved) => {
      order.push('compacted');
      expect(moved).toBeGreaterThan(2);
    });
    // Nothing goes on here before the other one is at it, with nothing but this copy in its way.
    const sleeping = new Int32Array(new SharedArrayBuffer(4));
    const until = Date.now() + 20_000;
    while (!existsSync(trying) && Date.now() < until) Atomics.wait(sleeping, 0, 0, 5);
    expect(existsSync(join(directory, 'archive'))).toBe(false);
  };
  const { head } = await store.backup(beside('backup'), { onProgress });
  order.push('copied');
  await compacted;
  expect(order).toEqual(['copied', 'compacted']);
  expect(head).toEqual(store.head);
  expect(await verifyStore(beside('backup'))).toMatchObject({ ok: true, commits: 60 });
  await store.close();
});

test('no compaction begins while a copy waits for one to end, and the copy comes next', async () => {
  const { directory, store } = await filled();
  const disk = new RealDisk();
  // A compaction, as its lock is all that a copy sees of it.
  const compacting = tryCompactionLock(disk, directory);
  expect(compacting).toBeDefined();
  const report = store.backup(join(directory, '..', 'backup'));
  const file = disk.open(join(directory, 'lock'), 'write');
  const isAwaited = () => {
    if (!disk.tryLock(file, COPY_LOCK, 'exclusive')) return true;
    disk.unlock(file, COPY_LOCK);
    return false;
  };
  while (!isAwaited()) await new Promise((resolve) => setTimeout(resolve, 2));
  compacting?.();
  // Whoever asks for it from now on: only once the copy has had its turn.
  const begun: (() => void)[] = [];
  let isCopied = false;
  const copied = report.then(() => {
    isCopied = true;
  });
  while (!isCopied && begun.length === 0) {
    const release = tryCompactionLock(disk, directory);
    if (release) begun.push(release);
    else await new Promise((resolve) => setImmediate(resolve));
  }
  await copied;
  for (const release of begun) release();
  expect((await report).head).toEqual(store.head);
  expect((await verifyStore(join(directory, '..', 'backup'))).ok).toBe(true);
  const after = tryCompactionLock(disk, directory);
  expect(after).toBeDefined();
  after?.();
  disk.close(file);
  await store.close();
});
