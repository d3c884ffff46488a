/** Verifying a store whose newest segment another process moves to the archive meanwhile: what was not there when it began is no damage. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openStore } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

test('a segment that is closed and moved while the store is verified is no damage', async () => {
  const directory = join(temporaryDirectory(), 'store');
  const options = { durability: 'os', segmentBytes: 256 * 1024, compaction: false } as const;
  const event = { type: 'added', data: 'x'.repeat(2000) };
  const writing = await openStore(directory, options);
  const store = await openStore(directory, { ...options, readOnly: true });
  for (let n = 0; n < 1000; n += 1) void writing.append('a/1', event);
  await writing.flush();
  await store.refresh();
  const head = store.head.position;
  let moved = 0;
  let moving: Promise<unknown> | undefined;
  const move = async () => {
    for (let n = 0; n < 400; n += 1) void writing.append('a/1', event);
    moved = (await writing.compact()).moved.length;
  };
  // Each look waits for the disk; the moves go on meanwhile.
  for (let turn = 0; turn < 30; turn += 1) {
    moving = undefined;
    const report = await store.verify({
      onProgress: () => {
        moving ??= move();
      },
    });
    expect(report).toMatchObject({ ok: true });
    await moving;
    await store.refresh();
    if (store.head.position > head + 4000) break;
  }
  expect(moved).toBeGreaterThan(0);
  await Promise.all([store.close(), writing.close()]);
});
