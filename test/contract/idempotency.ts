/** Idempotency keys: the same content again is answered, other content is refused, and what is forgotten is new. */
import { describe, expect, test } from 'vitest';
import { IdempotencyKeyReusedError, type NewEvent, VersionConflictError } from '#src/index.js';
import type { AnyLog, Factory, MakePlace } from './suite.js';
import { bothWays, counted, expectFailure, failureOf, places, sized } from './support.js';

const otherContents: readonly (readonly [string, string, readonly NewEvent[]])[] = [
  ['other data', 'a/1', [{ type: 'counted', data: { n: 2 } }]],
  ['another type', 'a/1', [{ type: 'named', data: { n: 1 } }]],
  ['another stream', 'a/2', [counted(1)]],
  ['metadata', 'a/1', [{ ...counted(1), metadata: {} }]],
  ['another schema version', 'a/1', [{ ...counted(1), schemaVersion: 2 }]],
  ['one event more', 'a/1', [counted(1), counted(1)]],
  ['a member more', 'a/1', [{ type: 'counted', data: { n: 1, m: null } }]],
];

/** Appends until the log has changed its segment that often. */
async function fillSegments(log: AnyLog, count: number): Promise<void> {
  const target = log.stats().segments + count;
  while (log.stats().segments < target) await log.append('filling', sized(1000));
}

export function idempotency(make: MakePlace, { canReopen }: Factory): void {
  bothWays('an idempotency key', (way) => {
    test('makes the same append again answer as the first did', async () => {
      const { open, clock } = make();
      const log = way(await open());
      await log.append('a/1', counted(0));
      const options = { idempotencyKey: 'k' };
      const first = await log.append('a/1', [counted(1), counted(2)], options);
      await log.append('a/1', counted(3));
      clock.advance(5000);
      const again = await log.append('a/1', [counted(1), counted(2)], options);
      expect(first).toMatchObject({ position: 2, firstVersion: 2, version: 3, repeated: false });
      expect(again).toEqual({ ...first, repeated: true });
      expect(await log.version('a/1')).toBe(4);
    });

    test('makes the same commit again answer as the first did', async () => {
      const { open } = make();
      const log = way(await open());
      const parts = [
        { stream: 'a/1', events: [counted(1), counted(2)] },
        { stream: 'b/1', events: counted(3) },
      ];
      const first = await log.commit(parts, { idempotencyKey: 'k' });
      await log.append('b/1', counted(4));
      const again = await log.commit(parts, { idempotencyKey: 'k' });
      expect(again).toEqual({ ...first, repeated: true });
      expect({ ...again.versions }).toEqual({ 'a/1': 2, 'b/1': 1 });
    });

    test('is answered whatever the expected version', async () => {
      const { open } = make();
      const log = way(await open());
      const options = { idempotencyKey: 'k', expectedVersion: 'absent' } as const;
      await log.append('a/1', counted(1), options);
      expect(await log.append('a/1', counted(1), options)).toMatchObject({ repeated: true });
      expect(
        await log.append('a/1', counted(1), { idempotencyKey: 'k', expectedVersion: 17 }),
      ).toMatchObject({ position: 1, repeated: true });
      const parts = [{ stream: 'a/1', events: counted(1) }];
      const checks = [{ stream: 'none', expectedVersion: 'exists' }] as const;
      expect(await log.commit(parts, { idempotencyKey: 'k', checks })).toMatchObject({
        repeated: true,
      });
    });

    test.each(otherContents)('is refused for %s', async (_, stream, events) => {
      const { open } = make();
      const opened = await open();
      const log = way(opened);
      await log.append('a/1', counted(1), { idempotencyKey: 'k' });
      await expectFailure(
        () => log.append(stream, events, { idempotencyKey: 'k' }),
        IdempotencyKeyReusedError,
        { code: 'IDEMPOTENCY_KEY_REUSED', idempotencyKey: 'k', position: 1 },
      );
      expect(opened.head.position).toBe(1);
      expect(await log.append('a/1', counted(1), { idempotencyKey: 'k' })).toMatchObject({
        repeated: true,
      });
    });

    test('looks at what was said, not at who said it or in which order its members stood', async () => {
      const { open } = make();
      const log = way(await open());
      const metadata = { m: 1, n: { o: 2, p: 3 } };
      const turned = { n: { p: 3, o: 2 }, m: 1 };
      await log.append(
        'a/1',
        { type: 'counted', data: { x: 1, y: [2] }, metadata },
        { idempotencyKey: 'k', actor: 'alice', reason: 'first' },
      );
      const again = await log.append(
        'a/1',
        { type: 'counted', data: { y: [2], x: 1 }, metadata: turned, schemaVersion: 1 },
        { idempotencyKey: 'k', actor: 'bob', correlationId: 'c' },
      );
      expect(again.repeated).toBe(true);
    });

    test('of a refused commit stays free', async () => {
      const { open } = make();
      const log = way(await open());
      const options = { idempotencyKey: 'k' };
      await expectFailure(
        () => log.append('a/1', counted(1), { ...options, expectedVersion: 'exists' }),
        VersionConflictError,
      );
      await failureOf(() => log.append('a/1', { type: 'counted', data: Number.NaN }, options));
      expect(await log.append('a/2', counted(2), options)).toMatchObject({
        position: 1,
        repeated: false,
      });
    });

    test('is answered from a closed segment', async () => {
      const { open } = make();
      const opened = await open({ segmentBytes: 4096 });
      const log = way(opened);
      const parts = [
        { stream: 'b/1', events: [counted(1), { ...counted(2), metadata: { m: 1 } }] },
        { stream: 'a/1', events: { ...counted(3), schemaVersion: 2 } },
      ];
      await log.append('a/1', counted(0));
      const first = await log.commit(parts, { idempotencyKey: 'k' });
      await fillSegments(opened, 2);
      expect(await log.commit(parts, { idempotencyKey: 'k' })).toEqual({
        ...first,
        repeated: true,
      });
      await expectFailure(
        () => log.commit(parts.slice(1), { idempotencyKey: 'k' }),
        IdempotencyKeyReusedError,
        { position: 2 },
      );
    });

    test('is remembered for as many commits with a key as the window says', async () => {
      const { open } = make();
      const log = way(await open({ idempotencyWindow: 3 }));
      const append = (key: string) => log.append('a/1', counted(1), { idempotencyKey: key });
      await append('k1');
      await append('k2');
      // Commits without a key, refusals and repeats take no place in the window.
      for (let n = 0; n < 10; n += 1) await log.append('a/1', counted(2));
      for (let n = 0; n < 10; n += 1) expect(await append('k2')).toMatchObject({ repeated: true });
      await append('k3');
      expect(await append('k1')).toMatchObject({ position: 1, repeated: true });
      await append('k4');
      expect(await append('k1')).toMatchObject({ position: 15, repeated: false });
      expect(await append('k1')).toMatchObject({ position: 15, repeated: true });
      expect(await append('k3')).toMatchObject({ repeated: true });
      expect(await append('k2')).toMatchObject({ position: 16, repeated: false });
    });

    test('is remembered over closed segments for as long as the window says', async () => {
      const { open } = make();
      const opened = await open({ idempotencyWindow: 2, segmentBytes: 4096 });
      const log = way(opened);
      const append = (key: string) => log.append('a/1', counted(1), { idempotencyKey: key });
      await append('k1');
      await fillSegments(opened, 1);
      await append('k2');
      await fillSegments(opened, 1);
      expect(await append('k1')).toMatchObject({ repeated: true });
      await append('k3');
      expect(await append('k2')).toMatchObject({ repeated: true });
      expect(await append('k1')).toMatchObject({ repeated: false });
      await fillSegments(opened, 1);
      expect(await append('k3')).toMatchObject({ repeated: true });
      expect(await append('k1')).toMatchObject({ repeated: true });
      expect(await append('k2')).toMatchObject({ repeated: false });
    });

    test('is stored but never remembered with a window of 0', async () => {
      const { open } = make();
      const log = way(await open({ idempotencyWindow: 0 }));
      for (let n = 1; n <= 2; n += 1) {
        const appended = await log.append('a/1', counted(n), { idempotencyKey: 'k' });
        expect(appended).toMatchObject({ position: n, repeated: false });
      }
      expect((await log.readAll()).map(({ idempotencyKey }) => idempotencyKey)).toEqual(['k', 'k']);
    });
  });

  describe('idempotency keys of commits that wait together', () => {
    test('are answered by the one in the same group', async () => {
      const { open } = make();
      const log = await open();
      const key = { idempotencyKey: 'k' };
      const outcomes = await Promise.allSettled([
        log.append('a/1', counted(1), key),
        log.append('a/1', counted(1), key),
        log.append('a/1', counted(2), key),
        log.append('b/1', counted(1), key),
        log.append('a/1', counted(1), { ...key, expectedVersion: 'absent' }),
      ]);
      expect(outcomes).toMatchObject([
        { value: { position: 1, repeated: false } },
        { value: { position: 1, repeated: true } },
        { reason: { code: 'IDEMPOTENCY_KEY_REUSED', position: 1 } },
        { reason: { code: 'IDEMPOTENCY_KEY_REUSED', position: 1 } },
        { value: { position: 1, repeated: true } },
      ]);
      expect(places(await log.readAll().toArray())).toEqual(['a/1@1']);
    });

    test('are answered by the one in flight', async () => {
      const { open } = make();
      const log = await open();
      // The first round may be written before the next call; many rounds meet every stage of a group.
      for (let round = 0; round < 20; round += 1) {
        const key = { idempotencyKey: `k${round}` };
        const first = log.append('a/1', counted(round), key);
        for (let turn = 0; turn < round % 5; turn += 1) await Promise.resolve();
        const again = log.append('a/1', counted(round), key);
        const other = failureOf(() => log.append('a/1', counted(-1), key));
        expect(await again).toEqual({ ...(await first), repeated: true });
        expect(await other).toBeInstanceOf(IdempotencyKeyReusedError);
      }
      expect(await log.version('a/1')).toBe(20);
    });

    test('leave the window in the middle of a group', async () => {
      const { open } = make();
      const log = await open({ idempotencyWindow: 2 });
      const append = (key: string) => log.append('a/1', counted(1), { idempotencyKey: key });
      const answers = await Promise.all(['k1', 'k2', 'k1', 'k3', 'k1', 'k2'].map(append));
      expect(answers.map(({ repeated }) => repeated)).toEqual([
        false,
        false,
        true,
        false,
        false,
        false,
      ]);
    });
  });

  if (!canReopen) return;

  bothWays('an idempotency key in a log that was opened again', (way) => {
    test('is remembered, wherever it stands', async () => {
      const { open } = make();
      const before = await open({ segmentBytes: 4096 });
      const key = (name: string) => ({ idempotencyKey: name });
      const inClosed = await before.append('a/1', [counted(1), counted(2)], key('closed'));
      await fillSegments(before, 2);
      const inLast = await before.append('a/1', counted(3), key('last'));
      await before.close();

      const log = way(await open());
      expect(await log.append('a/1', [counted(1), counted(2)], key('closed'))).toEqual({
        ...inClosed,
        repeated: true,
      });
      expect(await log.append('a/1', counted(3), key('last'))).toEqual({
        ...inLast,
        repeated: true,
      });
      for (const [name, position] of [
        ['closed', inClosed.position],
        ['last', inLast.position],
      ] as const) {
        await expectFailure(
          () => log.append('a/1', counted(4), key(name)),
          IdempotencyKeyReusedError,
          { position },
        );
      }
      expect(await log.append('a/1', counted(4), key('new'))).toMatchObject({ repeated: false });
    });

    test('is forgotten by the window that the log was made with, not by a later one', async () => {
      const { open } = make();
      const before = await open({ idempotencyWindow: 2 });
      for (const name of ['k1', 'k2', 'k3']) {
        await before.append('a/1', counted(1), { idempotencyKey: name });
      }
      await before.close();
      const log = way(await open({ idempotencyWindow: 100 }));
      const append = (key: string) => log.append('a/1', counted(1), { idempotencyKey: key });
      expect(await append('k2')).toMatchObject({ repeated: true });
      expect(await append('k3')).toMatchObject({ repeated: true });
      expect(await append('k1')).toMatchObject({ position: 4, repeated: false });
      expect(await append('k2')).toMatchObject({ position: 5, repeated: false });
    });
  });
}
