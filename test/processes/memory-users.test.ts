/** Processes that talk to one user at once. */
import { expect, test } from 'vitest';
import { openMemory } from '#src/index.js';
import { run } from '../support/programs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

test('four processes with 25 conversations each count 100, and lose no change', {
  timeout: 110_000,
}, async () => {
  const directory = temporaryDirectory();
  const writers = ['a', 'b', 'c', 'd'];
  const endings = await Promise.all(
    writers.map((writer) => run('conversing.mjs', { task: { directory, writer, count: 25 } })),
  );
  for (const ending of endings) {
    expect(ending).toEqual({ code: 0, signal: null, output: 'ended\n', errors: '' });
  }
  await using memory = await openMemory(directory);
  expect(await memory.users.getContext('anna')).toMatchObject({
    conversationsCount: 100,
    friendshipLevel: 100,
    preferences: { a: 25, b: 25, c: 25, d: 25 },
  });
  const { items } = await memory.episodes.list({ limit: 1000 });
  expect(items).toHaveLength(100);
  expect(new Set(items.map(({ actor }) => actor))).toEqual(new Set(writers));
});
