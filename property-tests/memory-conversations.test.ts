/** Random commands on conversations by several agents at once end in the state of one order of them, with none lost. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryNotFoundError } from '#src/errors.js';
import type { Written } from '#src/memory/access.js';
import { kinds, type Memory, openMemoryOf } from '../test/memory/support-records.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';

const HOUR = 3_600_000;

type Where = {
  readonly conversationId: string;
  readonly memoryType: 'working' | 'short-term' | 'long-term';
};

type Command =
  | { readonly kind: 'store'; readonly where: Where; readonly items: number; readonly ttl: boolean }
  /** Of one of the items that were stored so far. */
  | { readonly kind: 'update' | 'delete'; readonly pick: number }
  | { readonly kind: 'clear'; readonly where: Where }
  | { readonly kind: 'pass'; readonly hours: number };

const where: fc.Arbitrary<Where> = fc.record({
  conversationId: fc.constantFrom('c1', 'c1', 'c1/working'),
  memoryType: fc.constantFrom('working', 'working', 'short-term', 'long-term'),
});

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('store' as const),
      where,
      items: fc.integer({ min: 1, max: 40 }),
      ttl: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('update' as const, 'delete' as const),
      pick: fc.nat(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const), where }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      hours: fc.integer({ min: 1, max: 9 }),
    }),
  },
);

const step = fc.record({ command, sync: fc.boolean(), waits: fc.boolean() });

/** An item as it should be: where, what, and until when. */
interface Expected {
  data: string;
  readonly ttl: boolean;
  expiresAt: number;
}

/** What commands do one after the other. */
class Reference {
  readonly items = new Map<string, Map<string, Expected>>();

  of({ conversationId, memoryType }: Where): Map<string, Expected> {
    const name = `${memoryType} ${conversationId}`;
    const items = this.items.get(name) ?? new Map<string, Expected>();
    this.items.set(name, items);
    return items;
  }

  /** How long working memory lives after each change of it, and when it is over. */
  readonly #lives = new Map<string, { livesMs: number; expiresAt: number }>();

  /** What is not over. */
  live(at: Where, now: number): Map<string, Expected> {
    const items = this.of(at);
    const lives = this.#lives.get(at.conversationId);
    const working = at.memoryType === 'working';
    if (working && lives && lives.expiresAt <= now) this.#lives.delete(at.conversationId);
    for (const [id, item] of items) if (item.expiresAt <= now) items.delete(id);
    return items;
  }

  restart(at: Where, now: number, ttl: boolean): void {
    if (at.memoryType !== 'working') return;
    const before = this.#lives.get(at.conversationId)?.livesMs ?? 0;
    const livesMs = Math.max(before, (ttl ? 5 : 12) * HOUR);
    const expiresAt = now + livesMs;
    this.#lives.set(at.conversationId, { livesMs, expiresAt });
    for (const item of this.of(at).values()) if (!item.ttl) item.expiresAt = expiresAt;
  }

  delete(at: Where, id?: string): void {
    const items = this.of(at);
    if (id === undefined) items.clear();
    else items.delete(id);
    if (items.size === 0 && at.memoryType === 'working') this.#lives.delete(at.conversationId);
  }
}

/** A command as it was made. */
interface Done {
  readonly written: Written;
  readonly apply: (reference: Reference) => void;
}

class Story {
  readonly memory: Memory;
  readonly done: Done[] = [];
  readonly stored: { readonly at: Where; readonly id: string }[] = [];
  #next = 0;

  constructor(memory: Memory) {
    this.memory = memory;
  }

  async run(each: Command, sync: boolean): Promise<void> {
    const { conversations, clock } = this.memory;
    const now = clock.now();
    if (each.kind === 'store') {
      const data = Array.from({ length: each.items }, () => `item ${this.#next++}`);
      const storing = { ...each.where, data, ttlMs: each.ttl ? 5 * HOUR : undefined };
      const written = sync ? conversations.storeSync(storing) : await conversations.store(storing);
      for (const id of written.ids) this.stored.push({ at: each.where, id });
      const apply = (reference: Reference): void => {
        const items = reference.live(each.where, now);
        if (each.where.memoryType === 'working' && items.size === 0) {
          for (const id of [
            'user-context',
            'conversation-flow',
            'current-focus',
            'interaction-tone',
          ])
            items.set(id, { data: '', ttl: false, expiresAt: 0 });
        }
        for (const [index, id] of written.ids.entries()) {
          const expiresAt = each.ttl ? now + 5 * HOUR : Number.POSITIVE_INFINITY;
          items.set(id, { data: data[index] as string, ttl: each.ttl, expiresAt });
        }
        reference.restart(each.where, now, each.ttl);
      };
      this.done.push({ written, apply });
      return;
    }
    if (each.kind === 'clear') {
      const written = sync
        ? conversations.deleteSync(each.where)
        : await conversations.delete(each.where);
      this.done.push({ written, apply: (reference) => reference.delete(each.where) });
      return;
    }
    if (each.kind === 'pass' || this.stored.length === 0) return;
    const { at, id } = this.stored[each.pick % this.stored.length] as (typeof this.stored)[number];
    if (each.kind === 'delete') {
      const deleting = { ...at, id };
      const written = sync
        ? conversations.deleteSync(deleting)
        : await conversations.delete(deleting);
      this.done.push({ written, apply: (reference) => reference.delete(at, id) });
      return;
    }
    const data = `update ${this.#next++}`;
    const updating = { ...at, id, data };
    const written = sync
      ? conversations.updateSync(updating)
      : await conversations.update(updating);
    const apply = (reference: Reference): void => {
      const item = reference.live(at, now).get(id) as Expected;
      item.data = data;
      if (item.ttl) item.expiresAt = now + 5 * HOUR;
      reference.restart(at, now, item.ttl);
    };
    this.done.push({ written, apply });
  }

  /** The state of the order of the commits. */
  reference(): Reference {
    const changes = this.done.filter(({ written }) => written.changed);
    changes.sort((a, b) => a.written.position - b.written.position);
    const positions = changes.map(({ written }) => written.position);
    expect(positions).toEqual(positions.map((_, index) => index + 1));
    const reference = new Reference();
    for (const { apply } of changes) apply(reference);
    return reference;
  }
}

const everywhere: readonly Where[] = ['c1', 'c1/working'].flatMap((conversationId) =>
  (['working', 'short-term', 'long-term'] as const).map((memoryType) => ({
    conversationId,
    memoryType,
  })),
);

function expectState(memory: Memory, reference: Reference): void {
  for (const at of everywhere) {
    const items = memory.conversations.retrieveSync({ ...at, limit: 10_000 });
    const expected = reference.live(at, memory.clock.now());
    const texts = (list: readonly (readonly [string, unknown])[]): unknown =>
      list.filter(([id]) => !/^[a-z]+-[a-z]+$/.test(id)).sort(([a], [b]) => (a < b ? -1 : 1));
    expect(items).toHaveLength(expected.size);
    expect(texts(items.map(({ id, data }) => [id, data]))).toEqual(
      texts([...expected].map(([id, { data }]) => [id, data])),
    );
  }
}

describe.each(kinds)('conversations on a %s', (kind) => {
  test(
    'end in the state of the order of the commits, after re-opening and without a cache too',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
          const memory = await openMemoryOf(kind);
          const story = new Story(memory);
          let waiting: Promise<void>[] = [];
          for (const { command: each, sync, waits } of steps) {
            // Time passes between commands, not while one is under way.
            if (waits || each.kind === 'pass') {
              await Promise.all(waiting);
              waiting = [];
            }
            if (each.kind === 'pass') {
              memory.clock.advance(each.hours * HOUR);
              expectState(memory, story.reference());
            }
            waiting.push(
              story.run(each, sync).catch((error: unknown) => {
                expect(error).toBeInstanceOf(MemoryNotFoundError);
              }),
            );
          }
          await Promise.all(waiting);
          const reference = story.reference();
          expectState(memory, reference);
          if (kind === 'memory store') return memory.store.close();
          const again = await memory.reopened({ cacheBytes: 0 });
          expectState(again, reference);
          await again.store.close();
        }),
        { numRuns: times(kind === 'memory store' ? 60 : 25), seed },
      );
    },
    timeoutMs,
  );
});
