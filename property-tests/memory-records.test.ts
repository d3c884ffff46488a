/** Random commands on records by several agents at once end in the state of one order of them, with none lost. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryNotFoundError } from '#src/errors.js';
import type { Written } from '#src/memory/access.js';
import { kinds, type Memory, openMemoryOf } from '../test/memory/support-records.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';

interface Value {
  count: number;
  by: Record<string, number>;
}

type Command =
  | { readonly kind: 'store'; readonly key: string; readonly count: number }
  | { readonly kind: 'update'; readonly key: string; readonly by: string }
  | { readonly kind: 'delete'; readonly key: string };

const key = fc.constantFrom('a', 'b', '__proto__', 'ü/ü');
const agent = fc.constantFrom('alice', 'bob', 'constructor');

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('store' as const), key, count: fc.nat(3) }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('update' as const), key, by: agent }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
);

/** Whether it is made synchronously, and the commands before it are waited for. */
const step = fc.record({ command, sync: fc.boolean(), waits: fc.boolean() });

function increase(by: string): (value: Value) => void {
  return (value) => {
    value.count += 1;
    value.by[by] = (Object.hasOwn(value.by, by) ? (value.by[by] as number) : 0) + 1;
  };
}

function callSync({ records }: Memory, each: Command): Written {
  if (each.kind === 'delete') return records.deleteSync(each.key);
  if (each.kind === 'update') return records.updateSync(each.key, increase(each.by));
  return records.storeSync(each.key, { count: each.count, by: {} });
}

function call({ records }: Memory, each: Command): Promise<Written> {
  if (each.kind === 'delete') return records.delete(each.key);
  if (each.kind === 'update') return records.update(each.key, increase(each.by));
  return records.store(each.key, { count: each.count, by: {} });
}

/** What commands do one after the other. */
function apply(values: Map<string, Value>, each: Command): void {
  if (each.kind === 'delete') values.delete(each.key);
  else if (each.kind === 'store') values.set(each.key, { count: each.count, by: {} });
  else increase(each.by)(values.get(each.key) as Value);
}

function stateOf({ records }: Memory): [string, unknown][] {
  return records.listSync().items.map((item) => [item.key, item.value]);
}

function sorted(values: Map<string, Value>): [string, unknown][] {
  return [...values].sort(([a], [b]) => (a < b ? -1 : 1));
}

describe.each(kinds)('records on a %s', (kind) => {
  test(
    'end in the state of the order of the commits, after re-opening and without a cache too',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
          const memory = await openMemoryOf(kind);
          const written: { readonly each: Command; readonly answer: Written }[] = [];
          const waiting: Promise<void>[] = [];
          for (const { command: each, sync, waits } of steps) {
            if (waits) await Promise.all(waiting.splice(0));
            const answering = sync
              ? new Promise<Written>((resolve) => resolve(callSync(memory, each)))
              : call(memory, each);
            waiting.push(
              answering.then(
                (answer) => void written.push({ each, answer }),
                (error: unknown) => void expect(error).toBeInstanceOf(MemoryNotFoundError),
              ),
            );
          }
          await Promise.all(waiting);

          const values = new Map<string, Value>();
          const changes = written.filter(({ answer }) => answer.changed);
          changes.sort((a, b) => a.answer.position - b.answer.position);
          expect(changes.map(({ answer }) => answer.position)).toEqual(
            changes.map((_, i) => i + 1),
          );
          for (const { each } of changes) apply(values, each);
          expect(stateOf(memory)).toEqual(sorted(values));
          if (kind === 'memory store') return memory.store.close();
          const again = await memory.reopened({ cacheBytes: 0 });
          expect(stateOf(again)).toEqual(sorted(values));
          await again.store.close();
        }),
        { numRuns: times(kind === 'memory store' ? 60 : 25), seed },
      );
    },
    timeoutMs,
  );
});
