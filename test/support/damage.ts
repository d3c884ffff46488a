/** What the tests of verify and salvage share: stores of one plan, and what must be told of their damage. */
import { expect } from 'vitest';
import type { Disk } from '#src/log/disk.js';
import type { SalvageReport } from '#src/log/salvage.js';
import { BuiltStore, contentOf } from './built-store.js';

/** Commits in each group. */
export const GROUPS = [1, 3, 2, 7, 5, 9, 1, 4];
export const COMMITS = 32;

/** Events of the first so many commits. */
export function eventsOf(commits: number): number {
  let events = 0;
  for (let number = 1; number <= commits; number += 1) events += contentOf(number).events.length;
  return events;
}

export function inSegments(disk?: Disk, directory?: string): BuiltStore {
  return new BuiltStore({
    groups: GROUPS,
    segmentBytes: 2048,
    ...(disk ? { disk } : {}),
    ...(directory === undefined ? {} : { directory }),
  });
}

export function inOne(): BuiltStore {
  return new BuiltStore({ groups: GROUPS });
}

/** Damage to the only segment or to one of several, and where it must be told. */
export function expectDamage(
  built: BuiltStore,
  segment: number,
  offset: number,
  problem: RegExp,
  what = '',
): void {
  for (const deep of [false, true]) {
    const report = built.verify({ deep });
    const file = built.paths.segment(segment);
    expect(report, what).toMatchObject({ ok: false, damage: { file, offset } });
    expect(report.damage?.problem, what).toMatch(problem);
    expect(report.head.position, what).toBeLessThan(report.damage?.position as number);
  }
}

/** All positions that a report calls lost, ascending. */
export function lostPositions(report: SalvageReport): number[] {
  const positions: number[] = [];
  for (const { positions: range } of report.lost) {
    if (!range) continue;
    for (let position = range[0]; position <= range[1]; position += 1) positions.push(position);
  }
  return positions.sort((a, b) => a - b);
}
