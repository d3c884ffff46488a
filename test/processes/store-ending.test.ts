/** How programs end that use a store: by themselves, without a word that is not theirs, also while a projection is being built. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openStore } from '#src/index.js';
import { run } from '../support/programs.js';
import type { StoreEndingTask } from '../support/store-ending-program.mjs';
import { temporaryDirectory } from '../support/temporary-directory.js';

const quietly = { code: 0, signal: null, output: '', errors: '' };

async function expectQuietEnd(program: StoreEndingTask['program'], directory: string) {
  for (const writerThread of [true, false]) {
    const task: StoreEndingTask = { directory, program, writerThread };
    expect(await run('./store-ending-program.mjs', { task })).toEqual(quietly);
  }
}

test.each([
  'opens a store and does nothing',
  'opens a store synchronously, writes and reads',
  'writes, reads, and leaves the store open',
  'begins subscriptions, reads what there is, and leaves them',
  'waits for an event that nothing else keeps it alive for',
] as const)('a program that %s ends by itself', async (program) => {
  await expectQuietEnd(program, join(temporaryDirectory(), 'store'));
});

test.each([
  'leaves the store open while a projection is built',
  'waits for a projection that is built',
  'closes the store while a projection is built',
] as const)('a program that %s ends by itself', async (program) => {
  const directory = join(temporaryDirectory(), 'store');
  const store = await openStore(directory, { durability: 'os', segmentBytes: 64 * 1024 });
  for (let n = 0; n < 21; n += 1) {
    const event = { type: 'added', data: null };
    await Promise.all(Array.from({ length: 1000 }, () => store.append('c/1', event)));
  }
  await store.close();
  await expectQuietEnd(program, directory);
});
