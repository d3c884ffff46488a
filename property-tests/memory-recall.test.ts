/** Whatever happens to a memory, its index is that of what is there: the same as one that takes in the same events afresh, or is loaded from what it saved. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Memory, openMemory } from '#src/index.js';
import { modelDefinitions } from '#src/memory/models.js';
import { type MemoryIndex, memoryIndexOf } from '#src/memory/recall-index.js';
import { ManualClock } from '../test/support/clock.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';
import { SavedParts } from '../test/support/tag-index.js';

const word = fc.constantFrom('boat', 'boats', 'red', 'tea', 'Anna', 'last week', 'harbour?');
const text = fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => words.join(' '));
const key = fc.constantFrom('a', 'b', 'c');
const number = fc.nat(30);

/** A step, given the ids of items and the positions so far. */
type Step = (memory: Memory, known: { items: string[]; positions: number[] }) => Promise<unknown>;

const chat = (conversationId: string) => ({ conversationId, memoryType: 'working' }) as const;

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(key, text, fc.option(fc.constant(1000))).map(
    ([name, value, ttl]): Step =>
      (memory) =>
        memory.records.store(name, { value }, ttl === null ? {} : { ttlMs: ttl }),
  ),
  fc.tuple(key, text).map(
    ([name, value]): Step =>
      async (memory) => {
        if (await memory.records.get(name)) {
          await memory.records.update(name, () => ({ value }));
        }
      },
  ),
  key.map(
    (name): Step =>
      (memory) =>
        memory.records.delete(name),
  ),
  fc.tuple(key, fc.array(text, { minLength: 1, maxLength: 3 })).map(
    ([name, data]): Step =>
      async (memory, { items }) => {
        items.push(...(await memory.conversations.store({ ...chat(name), data })).ids);
      },
  ),
  fc.tuple(key, number).map(
    ([name, at]): Step =>
      (memory, { items }) =>
        memory.conversations.delete({ ...chat(name), id: items[at % items.length] ?? 'none' }),
  ),
  key.map(
    (name): Step =>
      (memory) =>
        memory.conversations.delete(chat(name)),
  ),
  fc.tuple(key, text).map(
    ([name, said]): Step =>
      (memory) =>
        memory.users.remember(name, said),
  ),
  fc.tuple(key, text, key).map(
    ([session, said, speaker]): Step =>
      (memory) =>
        memory.episodes.record({ text: said, session, speaker }),
  ),
  fc.tuple(key, text).map(
    ([name, said]): Step =>
      (memory) =>
        memory.sites.recordQuirk(`${name}.example`, { description: said }),
  ),
  fc.tuple(key, text).map(
    ([name, said]): Step =>
      (memory) =>
        memory.skills.add(name, { description: said }).catch(() => {}),
  ),
  fc.tuple(key, text).map(
    ([name, said]): Step =>
      (memory) =>
        memory.graph.createEntities([{ name, entityType: 'thing', observations: [said] }]),
  ),
  key.map(
    (name): Step =>
      (memory) =>
        memory.graph.deleteEntities([name]),
  ),
  number.map(
    (at): Step =>
      (memory, { positions }) =>
        memory.undo(positions[at % positions.length] ?? 1).catch(() => {}),
  ),
);

const steps = fc.array(fc.tuple(step, fc.constantFrom(0, 10, 1000, 13 * 3_600_000)), {
  minLength: 1,
  maxLength: 25,
});

test(
  'what the store kept up, what takes in all events at once, and what was saved and loaded find the same, and nothing that is gone',
  async () => {
    await fc.assert(
      fc.asyncProperty(steps, text, async (list, question) => {
        const clock = new ManualClock();
        const memory = await openMemory('memory:', { clock: clock.now });
        const known = { items: [] as string[], positions: [] as number[] };
        for (const [run, later] of list) {
          await run(memory, known);
          known.positions.push(memory.engine.head.position);
          // Asked in between, so that the index takes in groups of all sizes.
          if (later === 10) await memory.recall(question);
          clock.advance(later);
        }
        const definition = memoryIndexOf(modelDefinitions, 'english');
        const fresh = definition.create();
        for await (const event of memory.engine.readAll()) definition.apply(fresh, [event]);
        const saved = new SavedParts();
        definition.save(fresh, saved);
        const loaded = definition.load(saved);
        const options = { limit: 50, now: new Date(clock.now()).toISOString() };
        const kept = await memory.recall(question, { limit: 50 });
        const brief = ({ find }: { find: MemoryIndex['find'] }) =>
          find(question, options).map(({ score, facts }) => [score, facts.position]);
        for (const index of [fresh, loaded]) {
          const found = brief({ find: index.find.bind(index) });
          expect(found).toEqual(kept.map(({ score, position }) => [score, position]));
        }
        await expectThere(memory, kept);
        await memory.close();
      }),
      { numRuns: times(40), seed },
    );
  },
  timeoutMs,
);

/** What was found can be read, and says what was found. */
async function expectThere(
  memory: Memory,
  hits: readonly { readonly model: string; readonly id: string; readonly text: string }[],
): Promise<void> {
  for (const { model, id, text: found } of hits) {
    const [, name = ''] = id.split('/');
    if (model === 'records') {
      expect(JSON.stringify((await memory.records.get(name))?.value)).toBe(found);
    } else if (model === 'conversations') {
      const items = await memory.conversations.retrieve({ ...chat(name), limit: 1000 });
      expect(items.find((item) => id.endsWith(`/${item.id}`))?.data).toBe(found);
    } else if (model === 'graph') {
      expect((await memory.graph.openNodes([name])).entities).toHaveLength(1);
    } else if (model === 'skills') {
      expect(await memory.skills.get(name)).toBeDefined();
    }
  }
}
