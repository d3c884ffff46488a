/** Undoing and doing again in any order: what was undone is as it was before, nothing else moves, and what would overwrite is refused. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openMemory, UndoConflictError, UndoRefusedError } from '#src/index.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';

type Action =
  | { readonly set: string; readonly value: number }
  /** The commit to undo, as a share of those there are. */
  | { readonly undo: number };

/** A commit, and what it did to the one member that it changed. */
interface Done {
  readonly name: string;
  readonly before: number | undefined;
  readonly undoes: number | undefined;
}

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ set: fc.constantFrom('x', 'y', 'z'), value: fc.integer({ min: 0, max: 9 }) }),
  fc.record({ undo: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }) }),
);

class Reference {
  /** By position; the first one makes the user. */
  readonly done: (Done | undefined)[] = [undefined, undefined];
  readonly preferences = new Map<string, number>();

  set(name: string, value: number | undefined, undoes?: number): void {
    this.done.push({ name, before: this.preferences.get(name), undoes });
    if (value === undefined) this.preferences.delete(name);
    else this.preferences.set(name, value);
  }

  isUndone(position: number): boolean {
    return this.done.some((each, by) => each?.undoes === position && !this.isUndone(by));
  }

  /** Whether something that still counts came later at the same place. */
  isOverwritten(position: number): boolean {
    const name = this.done[position]?.name;
    return this.done.some(
      (each, at) =>
        at > position &&
        each !== undefined &&
        each.name === name &&
        !this.isUndone(at) &&
        !(each.undoes !== undefined && each.undoes > position),
    );
  }
}

test('undoing puts back exactly what a commit changed, or is refused', {
  timeout: timeoutMs,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
      await using memory = await openMemory('memory:');
      const reference = new Reference();
      await memory.users.remember('anna', 'is here');
      for (const each of actions) {
        if ('set' in each) {
          const { set, value } = each;
          const { changed } = await memory.users.changeContext('anna', ({ preferences }) => {
            preferences[set] = value;
          });
          expect(changed).toBe(reference.preferences.get(set) !== value);
          if (changed) reference.set(set, value);
        } else if (reference.done.length > 2) {
          const position = 2 + Math.floor(each.undo * (reference.done.length - 2));
          const undoing = memory.undo(position);
          const { name, before } = reference.done[position] as Done;
          if (reference.isUndone(position))
            await expect(undoing).rejects.toBeInstanceOf(UndoRefusedError);
          else if (reference.isOverwritten(position)) {
            await expect(undoing).rejects.toBeInstanceOf(UndoConflictError);
          } else {
            expect((await undoing).position).toBe(reference.done.length);
            reference.set(name, before, position);
          }
        }
        const { preferences } = await memory.users.getContext('anna');
        expect(preferences).toEqual(Object.fromEntries(reference.preferences));
      }
      expect(memory.engine.head.position).toBe(reference.done.length - 1);
    }),
    { numRuns: times(60), seed },
  );
});
