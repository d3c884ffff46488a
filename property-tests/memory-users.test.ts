/** Whatever runs at once on users ends in the state of the order in which it was committed, and nothing is lost. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Memory, openMemory, type UserContext, type Written } from '#src/index.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';
import { temporaryDirectory } from '../test/support/temporary-directory.js';

type Command =
  | { readonly do: 'converse'; readonly user: string }
  | { readonly do: 'befriend'; readonly user: string; readonly by: number }
  | { readonly do: 'discuss'; readonly user: string; readonly topic: string }
  | { readonly do: 'prefer'; readonly user: string; readonly name: string; readonly value: number }
  | { readonly do: 'remember'; readonly user: string; readonly text: string };

const user = fc.constantFrom('anna', 'ben', '__proto__');
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ do: fc.constant('converse' as const), user }),
  fc.record({ do: fc.constant('befriend' as const), user, by: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ do: fc.constant('discuss' as const), user, topic: fc.constantFrom('a', 'b', 'c') }),
  fc.record({
    do: fc.constant('prefer' as const),
    user,
    name: fc.constantFrom('x', 'y', 'constructor'),
    value: fc.integer({ min: 0, max: 2 }),
  }),
  fc.record({ do: fc.constant('remember' as const), user, text: fc.constantFrom('one', 'two') }),
);
/** Commands that are begun together, and whether they are synchronous. */
const bursts = fc.array(fc.array(fc.tuple(command, fc.boolean()), { minLength: 1, maxLength: 8 }), {
  minLength: 1,
  maxLength: 6,
});

/** A change of the context, as a draft and as plain data take it. */
function change(each: Command, context: { -readonly [M in keyof UserContext]: unknown }): void {
  if (each.do === 'converse') context.conversationsCount = Number(context.conversationsCount) + 1;
  if (each.do === 'befriend') context.friendshipLevel = Number(context.friendshipLevel) + each.by;
  if (each.do === 'discuss') {
    const topics = context.topics as string[];
    const place = topics.indexOf(each.topic);
    if (place < 0) topics.push(each.topic);
    else topics.splice(place, 1);
  }
  if (each.do === 'prefer')
    (context.preferences as Record<string, unknown>)[each.name] = each.value;
}

function start({ users }: Memory, each: Command, sync: boolean): Written | Promise<Written> {
  if (each.do === 'converse') {
    const exchange = { message: 'a', response: 'b' };
    if (sync) return users.updateContextSync(each.user, exchange);
    return users.updateContext(each.user, exchange);
  }
  if (each.do === 'remember') {
    return sync ? users.rememberSync(each.user, each.text) : users.remember(each.user, each.text);
  }
  const draft = (context: Parameters<typeof change>[1]): void => change(each, context);
  return sync ? users.changeContextSync(each.user, draft) : users.changeContext(each.user, draft);
}

/** What the commands lead to, one after the other in the order of the log. */
function serial(done: readonly (readonly [Command, Written])[], name: string): unknown {
  const context = {
    conversationsCount: 0,
    friendshipLevel: 0,
    preferences: {} as unknown,
    topics: [] as unknown,
  };
  const memories = new Set<string>();
  const own = done.filter(([each, { changed }]) => each.user === name && changed);
  for (const [each] of own.sort(([, a], [, b]) => a.version - b.version)) {
    if (each.do === 'remember') {
      expect(memories).not.toContain(each.text);
      memories.add(each.text);
    } else {
      const before = JSON.stringify(context);
      change(each, context);
      expect(JSON.stringify(context)).not.toBe(before);
    }
  }
  return { context, memories: [...memories].sort() };
}

async function found(memory: Memory, name: string): Promise<unknown> {
  const {
    firstSeenAt: _first,
    lastSeenAt: _last,
    ...context
  } = await memory.users.getContext(name);
  const hits = await memory.users.recall(name, 'one two');
  const memories = hits.filter(({ kind }) => kind === 'memory').map(({ text }) => text);
  return { context, memories: memories.sort() };
}

test('users end as the order of the log says, none of what ran at once is lost, also when read anew', {
  timeout: timeoutMs,
}, async () => {
  await fc.assert(
    fc.asyncProperty(bursts, fc.boolean(), async (plan, onDisk) => {
      const location = onDisk ? temporaryDirectory() : 'memory:';
      const memory = await openMemory(location);
      const done: [Command, Written][] = [];
      for (const burst of plan) {
        const written = await Promise.all(burst.map(([each, sync]) => start(memory, each, sync)));
        for (const [index, each] of written.entries())
          done.push([(burst[index] as [Command, boolean])[0], each]);
      }
      const conversed = done.filter(([each]) => each.do === 'converse').length;
      expect((await memory.episodes.list({ limit: 1000 })).items).toHaveLength(conversed);
      const names = ['anna', 'ben', '__proto__'];
      for (const name of names) expect(await found(memory, name)).toEqual(serial(done, name));
      await memory.close();
      if (!onDisk) return;
      const again = await openMemory(location, { cacheBytes: 0 });
      for (const name of names) expect(await found(again, name)).toEqual(serial(done, name));
      await again.close();
    }),
    { numRuns: times(25), seed },
  );
});
