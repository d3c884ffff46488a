/** Following the log: history, then live, in order, without gaps or repeats. */
import { describe, expect, test } from 'vitest';
import { type FollowOptions, PositionAheadError, type RecordedEvent } from '#src/index.js';
import type { AnyLog, MakePlace } from './suite.js';
import { counted, expectFailure, expectInvalidArgument, places, sized } from './support.js';

type Following = AsyncGenerator<RecordedEvent, void, undefined>;

/** The next events, as stream and version. */
async function take(following: Following, count: number): Promise<string[]> {
  const events: RecordedEvent[] = [];
  while (events.length < count) {
    const { value, done } = await following.next();
    if (done) break;
    events.push(value);
  }
  return places(events);
}

async function three(log: AnyLog): Promise<void> {
  await log.append('a/1', counted(1));
  await log.append('b/1', [counted(2), counted(3), counted(4)]);
  await log.append('a/1', counted(5));
}

export function following(make: MakePlace): void {
  describe('following', () => {
    test('gives the history and then what comes, in order', async () => {
      const { open } = make();
      const log = await open();
      await three(log);
      const following = log.follow();
      expect(await take(following, 5)).toEqual(['a/1@1', 'b/1@1', 'b/1@2', 'b/1@3', 'a/1@2']);
      const next = take(following, 3);
      await log.append('c/1', counted(6));
      log.appendSync('c/1', [counted(7), counted(8)]);
      expect(await next).toEqual(['c/1@1', 'c/1@2', 'c/1@3']);
      await following.return();
    });

    test.each([
      ['the start', 'start', ['a/1@1', 'b/1@1', 'b/1@2', 'b/1@3', 'a/1@2', 'c/1@1']],
      ['the end', 'end', ['c/1@1']],
      ['a position', 2, ['b/1@1', 'b/1@2', 'b/1@3', 'a/1@2', 'c/1@1']],
      ['the last position', 3, ['a/1@2', 'c/1@1']],
      ['the next position', 4, ['c/1@1']],
      ['behind an event', { after: '1.0' }, ['b/1@1', 'b/1@2', 'b/1@3', 'a/1@2', 'c/1@1']],
      ['behind an event inside a commit', { after: '2.0' }, ['b/1@2', 'b/1@3', 'a/1@2', 'c/1@1']],
      ['behind the last event of a commit', { after: '2.2' }, ['a/1@2', 'c/1@1']],
      ['behind the last event', { after: '3.0' }, ['c/1@1']],
    ] as const)('begins at %s', async (_, from, expected) => {
      const { open } = make();
      const log = await open();
      await three(log);
      const following = log.follow({ from });
      const taken = take(following, expected.length);
      await log.append('c/1', counted(6));
      expect(await taken).toEqual(expected);
      await following.return();
    });

    test('from the end begins where the log ended when it was called', async () => {
      const { open } = make();
      const log = await open();
      await three(log);
      const following = log.follow({ from: 'end' });
      await log.append('c/1', counted(6));
      await log.append('c/1', counted(7));
      expect(await take(following, 2)).toEqual(['c/1@1', 'c/1@2']);
      await following.return();
    });

    test('of an empty log waits for the first event', async () => {
      const { open } = make();
      for (const from of ['start', 'end', 1] as const) {
        const log = await open();
        const { position } = log.head;
        const following = log.follow({ from: from === 1 ? position + 1 : from });
        const taken = take(following, 1);
        await log.append(`s/${from}`, counted(1));
        expect((await taken)[0]).toMatch(/@1$/);
        await following.return();
        await log.close();
      }
    });

    test('gives only the streams and types that were asked for', async () => {
      const { open } = make();
      const log = await open();
      await three(log);
      const byStream = log.follow({ streams: ['a/*'] });
      const byType = log.follow({ types: ['named', 'other*'] });
      const none = log.follow({ streams: ['none'] });
      const [streams, types] = [take(byStream, 3), take(byType, 2)];
      const nothing = none.next();
      await log.append('b/1', { type: 'otherwise', data: 1 });
      await log.append('a/2', [counted(6), { type: 'named', data: 1 }]);
      expect(await streams).toEqual(['a/1@1', 'a/1@2', 'a/2@1']);
      expect(await types).toEqual(['b/1@4', 'a/2@2']);
      await log.close();
      expect(await nothing).toEqual({ value: undefined, done: true });
    });

    test('neither misses nor repeats an event while many are appended', async () => {
      const { open } = make();
      const log = await open({ segmentBytes: 4096 });
      const count = 300;
      const followers = [1, 2, 3].map(async () => {
        const seen: number[] = [];
        for await (const { data } of log.follow()) {
          seen.push((data as { n: number }).n);
          if (seen.length === count) break;
        }
        return seen;
      });
      for (let n = 0; n < count; n += 1) {
        if (n % 10 === 0) log.appendSync(`a/${n % 3}`, sized(200, n));
        else if (n % 7 === 0) await log.append(`a/${n % 3}`, sized(200, n));
        else void log.append(`a/${n % 3}`, sized(200, n));
      }
      for (const seen of await Promise.all(followers)) {
        expect(seen).toEqual(Array.from({ length: count }, (_, n) => n));
      }
    });

    test('gives frozen events', async () => {
      const { open } = make();
      const log = await open();
      await log.append('a/1', counted(1));
      const following = log.follow();
      const { value } = await following.next();
      expect(Object.isFrozen(value)).toBe(true);
      expect(Object.isFrozen((value as RecordedEvent).data)).toBe(true);
      await following.return();
    });

    test('ends when its signal is aborted, before, while waiting, and while reading', async () => {
      const { open } = make();
      const log = await open();
      await three(log);
      const before = log.follow({ signal: AbortSignal.abort() });
      expect(await before.next()).toEqual({ value: undefined, done: true });

      const waiting = new AbortController();
      const following = log.follow({ from: 'end', signal: waiting.signal });
      const next = following.next();
      await new Promise((resolve) => setImmediate(resolve));
      waiting.abort();
      expect(await next).toEqual({ value: undefined, done: true });

      const reading = new AbortController();
      const seen: string[] = [];
      for await (const event of log.follow({ signal: reading.signal })) {
        seen.push(...places([event]));
        if (seen.length === 2) reading.abort();
      }
      expect(seen).toEqual(['a/1@1', 'b/1@1']);
    });

    test('ends when the log is closed, while waiting and while reading', async () => {
      const { open } = make();
      const log = await open();
      await three(log);
      const waiting = log.follow({ from: 'end' });
      const next = waiting.next();
      const reading = log.follow();
      expect(await take(reading, 1)).toEqual(['a/1@1']);
      await new Promise((resolve) => setImmediate(resolve));
      await log.close();
      expect(await next).toEqual({ value: undefined, done: true });
      // What was read already may still be given out; then it is over.
      expect((await take(reading, 100)).length).toBeLessThan(5);
      expect(await reading.next()).toEqual({ value: undefined, done: true });
    });

    test('ends without an error when the log is closed while appends are on their way', async () => {
      const { open } = make();
      for (let round = 0; round < 10; round += 1) {
        const log = await open();
        const following = take(log.follow({ from: 'end' }), Number.POSITIVE_INFINITY);
        await new Promise((resolve) => setImmediate(resolve));
        const appended = Array.from({ length: 20 }, (_, n) => log.append('a/1', counted(n)));
        if (round % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
        const closed = log.close();
        await Promise.all(appended);
        await closed;
        await following;
      }
    });

    test('refuses what is no place to begin, no filter and no signal', async () => {
      const { open } = make();
      const log = await open();
      await three(log);
      const wrong = [
        { from: 0 },
        { from: -1 },
        { from: 1.5 },
        { from: Number.NaN },
        { from: 'middle' },
        { from: null },
        { from: {} },
        { from: { after: 7 } },
        { from: { after: '' } },
        { from: { after: '1' } },
        { from: { after: '1.0.0' } },
        { from: { after: '0.0' } },
        { from: { after: ' 1.0' } },
        { from: 'end', types: 'counted' },
        { from: 'end', streams: [1] },
        { signal: {} },
      ];
      for (const options of [...wrong, null, 'start']) {
        await expectInvalidArgument(() => log.follow(options as FollowOptions).next());
      }
    });

    test('refuses to begin beyond the head', async () => {
      const { open } = make();
      const log = await open();
      await three(log);
      const facts = { code: 'POSITION_AHEAD', head: 3 };
      await expectFailure(() => log.follow({ from: 5 }).next(), PositionAheadError, {
        ...facts,
        position: 5,
      });
      await expectFailure(() => log.follow({ from: { after: '4.0' } }).next(), PositionAheadError, {
        ...facts,
        position: 4,
      });
    });
  });
}
