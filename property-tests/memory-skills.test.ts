/** Commands on skills that run at once end in the state of the log's order, with none lost. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { WriteOptions } from '#src/memory/access.js';
import type { Models } from '#src/memory/models.js';
import type { Skill } from '#src/memory/skills.js';
import { runAtOnce, runInOrder } from '../test/memory/support-concurrent.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';

class SkillCommand {
  readonly operation: 'add' | 'update' | 'deprecate' | 'recordOutcome';
  readonly name: string;
  readonly argument: object;
  readonly sync: boolean;

  constructor(operation: SkillCommand['operation'], name: string, argument: object, sync: boolean) {
    this.operation = operation;
    this.name = name;
    this.argument = argument;
    this.sync = sync;
  }

  async run({ skills }: Models, options: WriteOptions): Promise<unknown> {
    const call = skills[this.sync ? (`${this.operation}Sync` as const) : this.operation];
    const given =
      this.operation === 'deprecate'
        ? [{ ...this.argument, ...options }]
        : [this.argument, options];
    try {
      return await (call as (...all: readonly unknown[]) => unknown).call(
        skills,
        this.name,
        ...given,
      );
    } catch (error) {
      expect(['SKILL_EXISTS', 'SKILL_NOT_FOUND']).toContain((error as { code?: unknown }).code);
      return error;
    }
  }

  toString(): string {
    return `${this.operation}${this.sync ? 'Sync' : ''}(${this.name}, ${JSON.stringify(this.argument)})`;
  }
}

const description = fc.constantFrom('one', 'two');
const calls = fc.oneof(
  fc.record({ description }).map((argument) => ['add', argument] as const),
  fc
    .record({ description, body: fc.constantFrom('b', 'c', null) }, { requiredKeys: [] })
    .map((argument) => ['update', argument] as const),
  fc
    .record({ replacedBy: fc.constantFrom('y', 'z') }, { requiredKeys: [] })
    .map((argument) => ['deprecate', argument] as const),
  fc
    .record(
      { success: fc.boolean(), durationMs: fc.integer({ min: 0, max: 9 }) },
      { requiredKeys: ['success'] },
    )
    .map((argument) => ['recordOutcome', argument] as const),
);
const command = fc
  .tuple(calls, fc.constantFrom('a', '__proto__'), fc.integer({ min: 0, max: 5 }))
  .map(
    ([[operation, argument], name, chance]) =>
      new SkillCommand(operation, name, argument, chance === 0),
  );

async function read({ skills }: Models): Promise<(Skill | undefined)[]> {
  return [
    await skills.get('a'),
    await skills.get('__proto__'),
    await skills.get('a', { revision: 1 }),
  ];
}

test('whatever is written at once, skills are as if the commands had run in the order of the log', {
  timeout: timeoutMs,
}, async () => {
  const first = ['a', '__proto__'].map(
    (name) => new SkillCommand('add', name, { description: 'one' }, true),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 2, maxLength: 25 }), async (commands) => {
      const all = [...first, ...commands];
      const { committed, states } = await runAtOnce(all, read);
      const expected = await runInOrder(
        committed.map((each) => each.command),
        read,
      );
      for (const state of states) expect(state).toEqual(expected);
      const outcomes = (list: readonly SkillCommand[]) =>
        list.filter(({ operation }) => operation === 'recordOutcome').length;
      const counted = [0, 1].map((index) => states[0]?.[index]?.outcomes.count ?? 0);
      expect((counted[0] ?? 0) + (counted[1] ?? 0)).toBe(outcomes(all));
    }),
    { numRuns: times(30), seed },
  );
});
