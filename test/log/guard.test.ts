/** Guards: conditions on what others committed since a position, decided where the commit takes its place. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Log, openLog, openLogSync, type RecordedEvent } from '#src/index.js';
import { CommitBlocked, type CommitGuard } from '#src/log/guard.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const event = (data: unknown, type = 'noted') => ({ type, data });

/** Blocked by events of type `noted` whose data is this. */
const unless = (after: number, data: unknown, asked: RecordedEvent[] = []): CommitGuard => ({
  after,
  types: new Set(['noted']),
  blocks: (seen) => {
    asked.push(seen);
    return seen.data === data;
  },
});

const commit = (log: Log, guard: CommitGuard, stream = 'guarded') =>
  log.internals.commit([{ stream, events: event('guarded') }], {}, guard);

const positionsOf = (error: unknown) =>
  error instanceof CommitBlocked ? error.events.map(({ position }) => position) : error;

describe('a guarded commit', () => {
  test('is asked about every commit behind its position, durable ones and those of its own group, once each', async () => {
    const log = await openLog(join(temporaryDirectory(), 'store'));
    await log.append('a', event(1));
    await log.append('a', event(2));
    await log.append('a', event(3, 'ignored'));
    const asked: RecordedEvent[] = [];
    const before = log.append('b', event(4));
    const guarded = commit(log, unless(1, 'never', asked));
    const behind = log.append('b', event(5));
    expect((await guarded).position).toBe(5);
    expect(asked.map(({ data }) => data)).toEqual([2, 4]);
    await Promise.all([before, behind]);
    await log.close();
  });

  test('is refused for a durable commit, for one of its group, and for one being written, and writes nothing', async () => {
    const log = await openLog(join(temporaryDirectory(), 'store'));
    const { position } = await log.append('a', event('x'));
    expect(await commit(log, unless(0, 'x')).catch(positionsOf)).toEqual([position]);
    const sameGroup = log.append('a', event('y'));
    expect(await commit(log, unless(1, 'y')).catch(positionsOf)).toEqual([2]);
    await sameGroup;
    const flying = log.append('a', event('z'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(await commit(log, unless(2, 'z')).catch(positionsOf)).toEqual([3]);
    await flying;
    expect(await commit(log, unless(3, 'z'))).toMatchObject({ position: 4 });
    expect((await log.readStream('guarded').toArray()).length).toBe(1);
    await log.close();
  });

  test('of which several stand in one group: only the first that changes what the others rest on is accepted', async () => {
    const log = await openLog({ memory: true });
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () => commit(log, unless(0, 'guarded'))),
    );
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBe(1);
    expect(log.head.position).toBe(1);
    await log.close();
  });

  test('sees what other processes appended right before it', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const log = await openLog(directory);
    const others = openLogSync(directory);
    for (let round = 0; round < 20; round += 1) {
      const { position } = log.head;
      others.appendSync('theirs', event(round));
      expect(await commit(log, unless(position, round)).catch(positionsOf)).toEqual([position + 1]);
      expect(await commit(log, unless(position + 1, round))).toMatchObject({
        position: position + 2,
      });
    }
    others.closeSync();
    await log.close();
  });

  test('reaches back over closed segments to events that are no longer in memory', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const writer = await openLog(directory, { segmentBytes: 4096 });
    for (let number = 1; number <= 60; number += 1) await writer.append('a', event(number));
    await writer.close();
    const log = await openLog(directory, { segmentBytes: 4096 });
    expect(await commit(log, unless(2, 3)).catch(positionsOf)).toEqual([3]);
    const asked: RecordedEvent[] = [];
    expect(await commit(log, unless(3, 3, asked))).toMatchObject({ position: 61 });
    expect(asked.map(({ position }) => position)).toEqual(
      Array.from({ length: 57 }, (_, index) => index + 4),
    );
    await log.close();
  });
});

describe('a guard that names streams', () => {
  const named = (after: number, streams: string[], asked: RecordedEvent[] = []): CommitGuard => ({
    after,
    streams: new Set(streams),
    types: new Set(['noted']),
    blocks: (seen) => {
      asked.push(seen);
      return streams.includes(seen.stream);
    },
  });

  test('is not asked about anything while those streams stand still', async () => {
    const log = await openLog(join(temporaryDirectory(), 'store'));
    const { position } = await log.append('a', event(1));
    for (let number = 0; number < 5; number += 1) await log.append('b', event(number));
    const asked: RecordedEvent[] = [];
    const sameGroup = log.append('b', event('same group'));
    expect(await commit(log, named(position, ['a', 'absent'], asked))).toMatchObject({
      position: 8,
    });
    expect(asked).toEqual([]);
    await sameGroup;
    await log.close();
  });

  test('is refused for an event of them in the log, in its group, and in the one being written', async () => {
    const log = await openLog(join(temporaryDirectory(), 'store'));
    await log.append('a', event(1));
    await log.append('b', event(2));
    expect(await commit(log, named(0, ['a'])).catch(positionsOf)).toEqual([1]);
    const sameGroup = log.append('a', event(3));
    expect(await commit(log, named(2, ['a'])).catch(positionsOf)).toEqual([3]);
    await sameGroup;
    const flying = log.append('a', event(4));
    await new Promise((resolve) => setImmediate(resolve));
    expect(await commit(log, named(3, ['a'])).catch(positionsOf)).toEqual([4]);
    await flying;
    await log.append('a', event(5, 'ignored'));
    expect(await commit(log, named(4, ['a']))).toMatchObject({ position: 6 });
    await log.close();
  });

  test('reaches back over closed segments', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const log = await openLog(directory, { segmentBytes: 4096 });
    await log.append('a', event(1));
    for (let number = 2; number <= 60; number += 1) await log.append('b', event(number));
    expect(log.stats().segments).toBeGreaterThan(1);
    expect(await commit(log, named(0, ['a'])).catch(positionsOf)).toEqual([1]);
    expect(await commit(log, named(1, ['a']))).toMatchObject({ position: 61 });
    await log.close();
  });

  test('sees what other processes appended, and lets a group move behind what touches none of its streams', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const log = await openLog(directory);
    const others = openLogSync(directory);
    const { position: first } = others.appendSync('theirs', event('first'));
    await log.refresh();
    others.appendSync('theirs', event('second'));
    expect(await commit(log, named(first, ['guarded']), 'guarded')).toMatchObject({ position: 3 });
    others.appendSync('guarded', event('third'));
    expect(await commit(log, named(3, ['guarded']), 'guarded').catch(positionsOf)).toEqual([4]);
    const rebased = log.stats().rebased;
    others.appendSync('read', event('fourth'));
    // What is only read is no stream of the group: a new decision is taken.
    expect(await commit(log, named(4, ['read']), 'guarded').catch(positionsOf)).toEqual([5]);
    expect(log.stats().rebased).toBe(rebased);
    others.closeSync();
    await log.close();
  });
});
