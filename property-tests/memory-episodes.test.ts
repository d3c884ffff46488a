/** Episodes recorded at once are all there, in the order of their times, on whichever pages. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openMemory } from '#src/index.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';
import { temporaryDirectory } from '../test/support/temporary-directory.js';

const episode = fc.record({
  at: fc.integer({ min: 0, max: 5 }),
  kind: fc.constantFrom('a', 'b'),
  sync: fc.boolean(),
});

test('episodes are all there once, by time, page by page, also when read anew', {
  timeout: timeoutMs,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(episode, { maxLength: 6 }), { maxLength: 5 }),
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      async (bursts, limit, onDisk) => {
        const location = onDisk ? temporaryDirectory() : 'memory:';
        let memory = await openMemory(location);
        const recorded: { id: string; at: string; kind: string }[] = [];
        for (const burst of bursts) {
          const calls = burst.map(async ({ at, kind, sync }, index) => {
            const given = { text: `${index}`, kind, at: new Date(at) };
            const { id } = sync
              ? memory.episodes.recordSync(given)
              : await memory.episodes.record(given);
            recorded.push({ id, at: given.at.toISOString(), kind });
          });
          await Promise.all(calls);
        }
        if (onDisk) {
          await memory.close();
          memory = await openMemory(location, { cacheBytes: 0 });
        }
        expect(new Set(recorded.map(({ id }) => id)).size).toBe(recorded.length);
        const expected = recorded
          .filter(({ kind }) => kind === 'a')
          .sort((a, b) => (a.id < b.id ? -1 : 1));
        const seen: { id: string; at: string; kind: string | undefined }[] = [];
        for (let after: string | undefined, more = true; more; more = after !== undefined) {
          const page = await memory.episodes.list({ filters: { kind: 'a' }, after, limit });
          expect(page.items.length).toBeLessThanOrEqual(limit);
          seen.push(...page.items.map(({ id, at, kind }) => ({ id, at, kind })));
          after = page.next;
        }
        expect(seen).toEqual(expected);
        expect(seen.map(({ at }) => at)).toEqual(seen.map(({ at }) => at).sort());
        await memory.close();
      },
    ),
    { numRuns: times(25), seed },
  );
});
