/** Whatever happens to a memory, its index is that of what is there: the same as one that takes in the same events afresh, or is loaded from what it saved. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Filters, type Memory, openMemory } from '#src/index.js';
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
        await expectAllFound(memory);
        await memory.close();
      }),
      { numRuns: times(40), seed },
    );
  },
  timeoutMs,
);

const names = fc.constantFrom('a', 'b', '__proto__');
const record = fc.record(
  {
    section: names,
    persona: names,
    importance: fc.constantFrom(0, 0.4, 0.8, 1),
    tags: fc.subarray(['a', 'b', '__proto__']),
    metadata: fc.record(
      {
        a: fc.constantFrom(1, '1', null, true),
        b: fc.constantFrom({ x: 1, y: [] }, { y: [], x: 1 }, 'b'.repeat(2000)),
        session: names,
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);
const filters: fc.Arbitrary<Filters> = fc.record(
  {
    tags: fc.subarray(['a', 'b', '__proto__']),
    anyTags: fc.subarray(['a', 'b', 'none']),
    section: names,
    persona: names,
    actor: names,
    session: names,
    minImportance: fc.constantFrom(0, 0.4, 1),
    since: fc.constantFrom('2026-01-01T00:00:05Z', '2026-01-02'),
    until: fc.constantFrom('2026-01-01T00:00:09Z', '2026-01-02'),
    metadata: fc.record(
      {
        a: fc.constantFrom(1, '1', null, Number.NaN, undefined),
        b: fc.constantFrom({ y: [], x: 1 }, {}, 'b'.repeat(2000)),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);
const write = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      name: fc.integer({ min: 0, max: 9 }),
      said: text,
      options: record,
      actor: names,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ name: fc.integer({ min: 0, max: 9 }), said: fc.constant(undefined) }),
  },
);

test(
  'with filters finds what it finds without them, less what a listing with them leaves out',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(write, { minLength: 5, maxLength: 25 }),
        filters,
        text,
        async (writes, asked, question) => {
          const clock = new ManualClock();
          const memory = await openMemory('memory:', { clock: clock.now });
          for (const each of writes) {
            const key = `k${each.name}`;
            if (each.said === undefined) await memory.records.delete(key);
            else await memory.records.store(key, each.said, each.options, { actor: each.actor });
            clock.advance(1000);
          }
          const { items } = await memory.records.list({ filters: asked, limit: 1000 });
          const listed = new Set(items.map(({ id }) => id));
          const whole = await memory.records.recall(question, { limit: 1000 });
          const expected = whole.filter(({ id }) => listed.has(id));
          expect(await memory.records.recall(question, { filters: asked, limit: 1000 })).toEqual(
            expected,
          );
          expect(memory.recallSync(question, { filters: asked, limit: 2 })).toEqual(
            expected.slice(0, 2),
          );
          await memory.close();
        },
      ),
      { numRuns: times(60), seed },
    );
  },
  timeoutMs,
);

/** What can be read and has the word is found, and nothing else has it. */
async function expectAllFound(memory: Memory): Promise<void> {
  const has = (data: unknown) => /boat/.test(JSON.stringify(data));
  const { items } = await memory.records.list({ limit: 1000 });
  const expected = items.filter(({ value }) => has(value)).map(({ id }) => id);
  for (const name of ['a', 'b', 'c']) {
    const kept = await memory.conversations.retrieve({ ...chat(name), limit: 1000 });
    const found = kept.filter(({ data }) => has(data));
    expected.push(...found.map(({ id }) => `conversations/${name}/working/${id}`));
  }
  const models = ['records', 'conversations'];
  const hits = await memory.recall('boat', { models, limit: 1000 });
  const byWord = hits.filter(({ reasons }) => reasons[0]?.part === 'text');
  expect(byWord.map(({ id }) => id).sort()).toEqual(expected.sort());
}

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
