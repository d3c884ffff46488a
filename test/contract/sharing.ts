/** Several openers of one log: each sees what the others wrote, and all decide on the same log. */
import { describe, expect, test } from 'vitest';
import { IdempotencyKeyReusedError, StoreReadOnlyError, VersionConflictError } from '#src/index.js';
import type { MakePlace } from './suite.js';
import { bothWays, counted, expectFailure, places, sized } from './support.js';

export function sharing(make: MakePlace): void {
  bothWays('two openers of one log', (way) => {
    test('see at once what the other wrote', async () => {
      const { open } = make();
      const [one, two] = [way(await open()), way(await open())];
      expect(await one.append('a/1', counted(1))).toMatchObject({ position: 1, version: 1 });
      expect(await two.version('a/1')).toBe(1);
      expect(await two.append('a/1', counted(2))).toMatchObject({ position: 2, version: 2 });
      expect(places(await one.readAll())).toEqual(['a/1@1', 'a/1@2']);
      expect(places(await one.readStream('a/1', { direction: 'backward' }))).toEqual([
        'a/1@2',
        'a/1@1',
      ]);
    });

    test('decide versions and keys on one log', async () => {
      const { open } = make();
      const [one, two] = [way(await open()), way(await open())];
      await one.append('a/1', counted(1), { expectedVersion: 'absent', idempotencyKey: 'k' });
      await expectFailure(
        () => two.append('a/1', counted(2), { expectedVersion: 'absent' }),
        VersionConflictError,
        { failures: [{ stream: 'a/1', expected: 'absent', actual: 1 }] },
      );
      expect(await two.append('a/1', counted(1), { idempotencyKey: 'k' })).toMatchObject({
        position: 1,
        repeated: true,
      });
      await expectFailure(
        () => two.append('a/1', counted(2), { idempotencyKey: 'k' }),
        IdempotencyKeyReusedError,
        { position: 1 },
      );
      expect(await two.append('a/1', counted(3), { expectedVersion: 1 })).toMatchObject({
        version: 2,
      });
    });

    test('go through the change of a segment together', async () => {
      const { open } = make();
      const options = { segmentBytes: 4096 };
      const openers = [await open(options), await open(options), await open(options)];
      for (let n = 0; n < 60; n += 1) {
        const opener = openers[n % 3];
        if (!opener) throw new Error('there are three openers');
        const appended = await way(opener).append(`a/${n % 2}`, sized(400, n), {
          expectedVersion: Math.floor(n / 2),
          idempotencyKey: `k${n}`,
        });
        expect(appended).toMatchObject({ position: n + 1, repeated: false });
        const other = openers[(n + 1) % 3];
        if (!other) throw new Error('there are three openers');
        expect(await way(other).version(`a/${n % 2}`)).toBe(Math.floor(n / 2) + 1);
      }
      for (const opener of openers) {
        const events = await way(opener).readAll();
        expect(events.map(({ data }) => (data as { n: number }).n)).toEqual(
          Array.from({ length: 60 }, (_, n) => n),
        );
        expect(
          await way(opener).append('a/0', sized(400, 0), { idempotencyKey: 'k0' }),
        ).toMatchObject({ position: 1, repeated: true });
        await opener.refresh();
        expect(opener.stats().segments).toBeGreaterThan(3);
      }
    });

    test('with a reader among them let it read all and write nothing', async () => {
      const { open } = make();
      const writer = await open();
      await way(writer).append('a/1', counted(1));
      const opened = await open({ readOnly: true });
      const reader = way(opened);
      expect(places(await reader.readAll())).toEqual(['a/1@1']);
      await way(writer).append('a/1', counted(2));
      expect(await reader.version('a/1')).toBe(2);
      expect(places(await reader.readAll())).toEqual(['a/1@1', 'a/1@2']);
      await expectFailure(() => reader.append('a/1', counted(3)), StoreReadOnlyError);
      expect(opened.recovery).toMatchObject({ state: 'clean' });
    });
  });

  describe('several openers of one log', () => {
    test('append side by side without losing, repeating or reordering anything', async () => {
      const { open } = make();
      const openers = [await open(), await open(), await open()];
      const calls = Array.from({ length: 150 }, async (_, n) => {
        const opener = openers[n % 3];
        if (!opener) throw new Error('there are three openers');
        return n % 10 === 0
          ? opener.appendSync(`a/${n % 4}`, counted(n))
          : await opener.append(`a/${n % 4}`, counted(n));
      });
      const appended = await Promise.all(calls);
      const positions = appended.map(({ position }) => position).sort((a, b) => a - b);
      expect(positions).toEqual(Array.from({ length: 150 }, (_, n) => n + 1));
      for (const opener of openers) {
        const events = await opener.readAll().toArray();
        appended.forEach(({ position, version }, n) => {
          expect(events[position - 1]).toMatchObject({ position, version, data: { n } });
        });
        for (const stream of ['a/0', 'a/1', 'a/2', 'a/3']) {
          const versions = events.filter((event) => event.stream === stream);
          expect(versions.map(({ version }) => version)).toEqual(versions.map((_, i) => i + 1));
        }
      }
    });

    test('follow what the others append', async () => {
      const { open } = make();
      const options = { segmentBytes: 4096 };
      const [writer, follower] = [await open(options), await open(options)];
      const reader = await open({ readOnly: true });
      const seen = [follower, reader].map(async (log) => {
        const numbers: number[] = [];
        for await (const { data } of log.follow()) {
          numbers.push((data as { n: number }).n);
          if (numbers.length === 40) break;
        }
        return numbers;
      });
      for (let n = 0; n < 40; n += 1) {
        if (n % 3 === 0) writer.appendSync('a/1', sized(300, n));
        else if (n % 3 === 1) await writer.append('a/1', sized(300, n));
        else await follower.append('a/1', sized(300, n));
      }
      for (const numbers of await Promise.all(seen)) {
        expect(numbers).toEqual(Array.from({ length: 40 }, (_, n) => n));
      }
    });

    test('follow from the end of what the others appended', async () => {
      const { open } = make();
      const [writer, follower] = [await open(), await open()];
      await writer.append('a/1', counted(1));
      const following = follower.follow({ from: 'end' });
      const next = following.next();
      // The end is looked up while this process does something else.
      await follower.refresh();
      await writer.append('a/1', counted(2));
      expect((await next).value).toMatchObject({ version: 2 });
      await following.return();
    });

    test('look for the commits of others only when asked to, if they said so', async () => {
      const { open } = make();
      const writer = await open();
      const lazy = await open({ freshnessMs: Number.POSITIVE_INFINITY });
      await writer.append('a/1', counted(1));
      expect(await lazy.version('a/1')).toBe(0);
      expect(lazy.readAllSync().toArray()).toEqual([]);
      expect(await lazy.refresh()).toEqual(writer.head);
      expect(await lazy.version('a/1')).toBe(1);
      await writer.append('a/1', counted(2));
      expect(lazy.versionSync('a/1')).toBe(1);
      expect(lazy.refreshSync()).toEqual(writer.head);
      expect(lazy.readStreamSync('a/1').toArray()).toHaveLength(2);
      // Deciding never relies on what was known.
      await writer.append('a/1', counted(3));
      await expectFailure(
        () => lazy.append('a/1', counted(4), { expectedVersion: 2 }),
        VersionConflictError,
        { failures: [{ stream: 'a/1', expected: 2, actual: 3 }] },
      );
    });

    test('can come and go while others write', async () => {
      const { open } = make();
      const steady = await open();
      const calls: Promise<unknown>[] = [];
      for (let round = 0; round < 5; round += 1) {
        calls.push(steady.append('steady', counted(round)));
        const visitor = await open();
        await visitor.append('visitors', counted(round));
        if (round % 2 === 0) await visitor.close();
        else visitor.closeSync();
      }
      await Promise.all(calls);
      expect(await steady.version('visitors')).toBe(5);
      expect(await steady.version('steady')).toBe(5);
    });
  });
}
