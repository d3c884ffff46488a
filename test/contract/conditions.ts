/** Expected versions and checks: what is accepted, what is refused, and that a refusal leaves no trace. */
import { describe, expect, test } from 'vitest';
import { type ExpectedVersion, VersionConflictError } from '#src/index.js';
import type { MakePlace } from './suite.js';
import { bothWays, counted, expectFailure, failureOf, places } from './support.js';

interface Case {
  readonly expected: ExpectedVersion;
  readonly holdsWhenAbsent: boolean;
  /** Whether it holds for a stream at version 3. */
  readonly holdsAtThree: boolean;
  /** As the failure tells it: 0 means absent. */
  readonly told?: ExpectedVersion;
}

const cases: readonly Case[] = [
  { expected: 'any', holdsWhenAbsent: true, holdsAtThree: true },
  { expected: 'absent', holdsWhenAbsent: true, holdsAtThree: false },
  { expected: 0, holdsWhenAbsent: true, holdsAtThree: false, told: 'absent' },
  { expected: 'exists', holdsWhenAbsent: false, holdsAtThree: true },
  { expected: 3, holdsWhenAbsent: false, holdsAtThree: true },
  { expected: 2, holdsWhenAbsent: false, holdsAtThree: false },
  { expected: 4, holdsWhenAbsent: false, holdsAtThree: false },
];

const three = [counted(1), counted(2), counted(3)];

export function conditions(make: MakePlace): void {
  bothWays('expecting a version', (way) => {
    describe.each(cases)('of $expected', ({ expected, holdsWhenAbsent, holdsAtThree, told }) => {
      const states = [
        { state: 'that is absent', stream: 'none', actual: 0, holds: holdsWhenAbsent },
        { state: 'at version 3', stream: 'a/1', actual: 3, holds: holdsAtThree },
      ];

      test.each(states)('is decided for a stream $state', async ({ stream, actual, holds }) => {
        const { open } = make();
        const opened = await open();
        const log = way(opened);
        await log.append('a/1', three);
        const call = () => log.append(stream, counted(4), { expectedVersion: expected });
        if (holds) {
          expect(await call()).toMatchObject({ position: 2, version: actual + 1 });
          return;
        }
        const failures = [{ stream, expected: told ?? expected, actual }];
        await expectFailure(call, VersionConflictError, { code: 'VERSION_CONFLICT', failures });
        expect(opened.head.position).toBe(1);
        expect(await log.version(stream)).toBe(actual);
      });

      test.each(states)('is decided for a check of a stream $state', async (state) => {
        const { open } = make();
        const opened = await open();
        const log = way(opened);
        await log.append('a/1', three);
        const { stream, actual, holds } = state;
        const call = () =>
          log.commit([{ stream: 'other', events: counted(4) }], {
            checks: [{ stream, expectedVersion: expected }],
          });
        if (holds) {
          expect(await call()).toMatchObject({ position: 2 });
          expect(await log.version(stream)).toBe(actual);
          return;
        }
        const failures = [{ stream, expected: told ?? expected, actual }];
        await expectFailure(call, VersionConflictError, { failures });
        expect(await log.version('other')).toBe(0);
      });
    });

    test('writes all parts of a commit or none', async () => {
      const { open } = make();
      const log = way(await open());
      await log.append('b/1', counted(1));
      const parts = [
        { stream: 'a/1', events: [counted(2), counted(3)], expectedVersion: 'absent' },
        { stream: 'b/1', events: counted(4), expectedVersion: 2 },
        { stream: 'c/1', events: counted(5) },
      ] as const;
      await expectFailure(() => log.commit(parts), VersionConflictError, {
        failures: [{ stream: 'b/1', expected: 2, actual: 1 }],
      });
      expect(places(await log.readAll())).toEqual(['b/1@1']);
      expect(await log.version('a/1')).toBe(0);
      await log.append('b/1', counted(6));
      expect(await log.commit(parts)).toMatchObject({ position: 3 });
    });

    test('names every condition that did not hold, and none that did', async () => {
      const { open } = make();
      const log = way(await open());
      await log.append('a/1', three);
      const failure = await failureOf(() =>
        log.commit(
          [
            { stream: 'a/1', events: counted(4), expectedVersion: 'absent' },
            { stream: 'b/1', events: counted(5), expectedVersion: 'absent' },
            { stream: 'c/1', events: counted(6), expectedVersion: 7 },
          ],
          {
            checks: [
              { stream: 'd/1', expectedVersion: 'exists' },
              { stream: 'e/1', expectedVersion: 0 },
            ],
          },
        ),
      );
      expect(failure).toBeInstanceOf(VersionConflictError);
      expect((failure as VersionConflictError).failures).toEqual([
        { stream: 'a/1', expected: 'absent', actual: 3 },
        { stream: 'c/1', expected: 7, actual: 0 },
        { stream: 'd/1', expected: 'exists', actual: 0 },
      ]);
    });

    test('gives a refused position and version to the next commit', async () => {
      const { open } = make();
      const log = way(await open());
      await log.append('a/1', counted(1));
      await failureOf(() => log.append('a/1', counted(2), { expectedVersion: 5 }));
      expect(await log.append('a/1', counted(3))).toMatchObject({ position: 2, version: 2 });
    });

    test('holds for a stream whose last event stands in a closed segment', async () => {
      const { open } = make();
      const opened = await open({ segmentBytes: 4096 });
      const log = way(opened);
      await log.append('old', three);
      for (let n = 0; n < 30; n += 1) await log.append('new', { type: 'x', data: 'x'.repeat(500) });
      expect(opened.stats().segments).toBeGreaterThan(2);
      await expectFailure(
        () => log.append('old', counted(4), { expectedVersion: 2 }),
        VersionConflictError,
        { failures: [{ stream: 'old', expected: 2, actual: 3 }] },
      );
      await log.append('old', counted(4), { expectedVersion: 3 });
      expect(await log.version('old')).toBe(4);
    });
  });

  describe('conditions of commits that wait together', () => {
    test('are decided one after the other, in call order', async () => {
      const { open } = make();
      const log = await open();
      const outcomes = await Promise.allSettled([
        log.append('a/1', counted(1), { expectedVersion: 'absent' }),
        log.append('a/1', counted(2), { expectedVersion: 'absent' }),
        log.append('a/1', counted(3), { expectedVersion: 1 }),
        log.append('a/1', counted(4), { expectedVersion: 1 }),
        log.commit([{ stream: 'b/1', events: counted(5) }], {
          checks: [{ stream: 'a/1', expectedVersion: 2 }],
        }),
        log.append('b/1', counted(6), { expectedVersion: 'exists' }),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual([
        'fulfilled',
        'rejected',
        'fulfilled',
        'rejected',
        'fulfilled',
        'fulfilled',
      ]);
      expect(places(await log.readAll().toArray())).toEqual(['a/1@1', 'a/1@2', 'b/1@1', 'b/1@2']);
    });
  });
}
