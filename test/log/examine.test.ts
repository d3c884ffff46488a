/** What stands behind a proven place when groups were not synced one by one: durability `os`. */
import { describe, expect, test } from 'vitest';
import { examineTail, type TailReport } from '#src/log/examine.js';
import type { Place } from '#src/log/place.js';
import { BuiltStore } from '../support/built-store.js';

const SECTOR = 512;

/** Six groups in one segment, and where each ends. */
function store(): { built: BuiltStore; ends: number[]; start: Place } {
  const built = new BuiltStore({ groups: [2, 3, 2, 4, 2, 3] });
  const seals = built.lines(1).filter(({ text }) => text.startsWith('{"seal":'));
  const [first] = seals;
  const { p: position, seal } = JSON.parse(first?.text ?? '') as { p: number; seal: string };
  const start = { segment: 1, offset: first?.end ?? 0, position, seal };
  return { built, ends: seals.map(({ end }) => end), start };
}

function examine(built: BuiltStore, from: Place, laterGroupsProve: boolean): TailReport {
  return built.run(examineTail(built.paths, built.store.id, from, { laterGroupsProve }));
}

describe('a hole in a group before the last', () => {
  test('is damage when each group was synced before the next', () => {
    const { built, ends, start } = store();
    const path = built.paths.segment(1);
    const bytes = built.bytes(path);
    const hole = Math.ceil((ends[1] ?? 0) / SECTOR) * SECTOR;
    built.put(path, Buffer.from(bytes).fill(0, hole, hole + SECTOR));
    expect(examine(built, start, true).end).toMatchObject({ kind: 'damaged', file: path });
  });

  test('ends the log there when nothing was synced', () => {
    const { built, ends, start } = store();
    const path = built.paths.segment(1);
    const bytes = built.bytes(path);
    for (
      let hole = SECTOR * Math.ceil(start.offset / SECTOR);
      hole < bytes.length;
      hole += SECTOR
    ) {
      const end = Math.min(hole + SECTOR, bytes.length);
      built.put(path, Buffer.from(bytes).fill(0, hole, end));
      const whole = ends.filter((offset) => offset <= hole).at(-1) ?? 0;
      expect(examine(built, start, false), `a hole at ${hole}`).toMatchObject({
        place: { offset: whole },
        end: { kind: 'torn', offset: whole, bytes: bytes.length - whole },
      });
    }
  });
});

describe('a changed byte in an unsynced group', () => {
  test('is damage all the same: power loss changes no bits', () => {
    const { built, ends, start } = store();
    const path = built.paths.segment(1);
    const bytes = built.bytes(path);
    for (const [group, end] of ends.entries()) {
      if (group === 0) continue;
      const offset = end - 200;
      const changed = Buffer.from(bytes);
      changed[offset] = (changed[offset] as number) ^ 1;
      built.put(path, changed);
      for (const laterGroupsProve of [true, false]) {
        expect(examine(built, start, laterGroupsProve).end).toMatchObject({ kind: 'damaged' });
      }
    }
  });
});
