/** Reading by position and by version, in both directions: every question is compared with the whole log, filtered by hand. */
import { describe, expect, test } from 'vitest';
import type { ReadAllOptions, ReadStreamOptions, RecordedEvent } from '#src/index.js';
import { SeededRandom } from '../support/random.js';
import type { AnyLog, Factory, MakePlace } from './suite.js';
import { bothWays, counted, places } from './support.js';

const streams = ['a/1', 'a/2', 'ab/1', 'b/1'];
const types = ['added', 'added.late', 'removed'];

/** Commits of one to four events in one to three streams, over several segments. */
async function fill(log: AnyLog, commits: number): Promise<void> {
  const random = new SeededRandom(7);
  for (let commit = 0; commit < commits; commit += 1) {
    const chosen = streams.filter(() => random.chance(0.4)).slice(0, 3);
    const parts = (chosen.length > 0 ? chosen : ['b/1']).map((stream) => ({
      stream,
      events: Array.from({ length: 1 + random.below(2) }, () => ({
        type: random.pick(types),
        data: { commit, text: 'x'.repeat(random.below(300)), list: [{ deep: [commit] }] },
        metadata: { commit: [commit] },
      })),
    }));
    await log.commit(parts);
  }
}

function matches(name: string, patterns: readonly string[] | undefined): boolean {
  if (!patterns) return true;
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
  );
}

/** What `readAll` means. */
function expectedAll(all: readonly RecordedEvent[], options: ReadAllOptions): RecordedEvent[] {
  const { from = 1, to = Number.POSITIVE_INFINITY, limit, direction } = options;
  const found = all.filter(
    ({ position, stream, type }) =>
      position >= from &&
      position <= to &&
      matches(stream, options.streams) &&
      matches(type, options.types),
  );
  if (direction === 'backward') found.reverse();
  return found.slice(0, limit);
}

/** What `readStream` means. */
function expectedStream(
  all: readonly RecordedEvent[],
  name: string,
  options: ReadStreamOptions,
): RecordedEvent[] {
  const { from = 1, to = Number.POSITIVE_INFINITY, limit, direction } = options;
  const found = all.filter(
    ({ stream, version }) => stream === name && version >= from && version <= to,
  );
  if (direction === 'backward') found.reverse();
  return found.slice(0, limit);
}

const directions = [undefined, 'forward', 'backward'] as const;
const filters: readonly ReadAllOptions[] = [
  {},
  { types: ['added'] },
  { types: ['added*'] },
  { types: ['removed', 'added.late'] },
  { types: ['nothing'] },
  { types: [] },
  { streams: ['a/1'] },
  { streams: ['a/1', 'b/1', 'none'] },
  { streams: ['a/*'] },
  { streams: ['a*', 'b/1'] },
  { streams: ['*'] },
  { streams: [] },
  { streams: ['ab/1', 'a/2'], types: ['removed', 'added*'] },
  { streams: ['a/1'], types: ['nothing'] },
];

/** Ranges that begin, end and cut at many places of a log with that head. */
function rangesOf(head: number): { from?: number; to?: number; limit?: number }[] {
  const middle = Math.floor(head / 2);
  const froms = [undefined, 1, 2, middle, head, head + 1, head + 100];
  const tos = [undefined, 0, 1, middle, head - 1, head, head + 100];
  const limits = [undefined, 0, 1, 7, 10_000];
  const ranges: { from?: number; to?: number; limit?: number }[] = [];
  for (const from of froms) {
    for (const to of tos) {
      if (from !== undefined && to !== undefined && from > to) continue;
      for (const limit of limits) {
        ranges.push({
          ...(from === undefined ? {} : { from }),
          ...(to === undefined ? {} : { to }),
          ...(limit === undefined ? {} : { limit }),
        });
      }
    }
  }
  return ranges;
}

function isDeeplyFrozen(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isDeeplyFrozen);
}

export function reading(make: MakePlace, { canReopen }: Factory): void {
  bothWays('reading', (way) => {
    test('gives nothing from an empty log', async () => {
      const { open } = make();
      const log = way(await open());
      for (const direction of directions) {
        expect(await log.readAll({ direction })).toEqual([]);
        expect(await log.readAll({ direction, streams: ['a/1'] })).toEqual([]);
        expect(await log.readStream('a/1', { direction })).toEqual([]);
      }
      expect(await log.version('a/1')).toBe(0);
    });

    test('gives any range of positions in either direction', async () => {
      const { open } = make();
      const opened = await open({ segmentBytes: 4096 });
      await fill(opened, 60);
      expect(opened.stats().segments).toBeGreaterThan(3);
      const log = way(opened);
      const all = await log.readAll();
      expect(all.map(({ position }) => position)).toEqual(
        all.map(({ position }) => position).sort((a, b) => a - b),
      );
      for (const range of rangesOf(60)) {
        for (const direction of directions) {
          const options = { ...range, direction };
          expect(await log.readAll(options), JSON.stringify(options)).toEqual(
            expectedAll(all, options),
          );
        }
      }
    });

    test('gives the events of the streams and types that were asked for', async () => {
      const { open } = make();
      const opened = await open({ segmentBytes: 4096 });
      await fill(opened, 60);
      const log = way(opened);
      const all = await log.readAll();
      for (const [number, filter] of filters.entries()) {
        // Others for each filter: together they are all.
        const ranges = rangesOf(60).filter((_, index) => (index + number) % filters.length === 0);
        for (const range of ranges) {
          for (const direction of directions) {
            const options = { ...filter, ...range, direction };
            expect(await log.readAll(options), JSON.stringify(options)).toEqual(
              expectedAll(all, options),
            );
          }
        }
      }
    });

    test('gives any range of versions of a stream in either direction', async () => {
      const { open } = make();
      const opened = await open({ segmentBytes: 4096 });
      await fill(opened, 60);
      const log = way(opened);
      const all = await log.readAll();
      for (const stream of [...streams, 'none', 'a/', 'a/*', '__proto__']) {
        const version = await log.version(stream);
        expect(version).toBe(all.filter((event) => event.stream === stream).length);
        for (const range of rangesOf(Math.max(version, 2))) {
          for (const direction of directions) {
            const options = { ...range, direction };
            expect(
              await log.readStream(stream, options),
              `${stream} ${JSON.stringify(options)}`,
            ).toEqual(expectedStream(all, stream, options));
          }
        }
      }
    });

    test('gives results that nobody can change', async () => {
      const { open } = make();
      const log = way(await open());
      const data = { list: [{ deep: [1, { deeper: null }] }], text: 'x' };
      await log.append('a/1', { type: 'x', data, metadata: { list: [[{}]] } });
      for (const event of [
        ...(await log.readAll()),
        ...(await log.readStream('a/1', { direction: 'backward' })),
      ]) {
        expect(isDeeplyFrozen(event)).toBe(true);
        expect(() => Object.assign(event, { position: 7 })).toThrow(TypeError);
      }
      expect(Object.isFrozen(data)).toBe(false);
    });

    if (canReopen) {
      test('gives the same after the log was opened again', async () => {
        const { open } = make();
        const before = await open({ segmentBytes: 4096 });
        await fill(before, 60);
        const all = await way(before).readAll();
        const { head } = before;
        await before.close();
        const opened = await open();
        const log = way(opened);
        expect(opened.head).toEqual(head);
        for (const filter of filters) {
          for (const direction of directions) {
            const options = { ...filter, direction, from: 5, to: 55, limit: 30 };
            expect(await log.readAll(options)).toEqual(expectedAll(all, options));
          }
        }
        for (const stream of streams) {
          for (const direction of directions) {
            const options = { direction, from: 2, limit: 10 };
            expect(await log.readStream(stream, options)).toEqual(
              expectedStream(all, stream, options),
            );
          }
        }
        expect(await log.readAll()).toEqual(all);
      });
    }
  });

  describe('a sequence of events', () => {
    test('can be iterated again and again, and left in the middle', async () => {
      const { open } = make();
      const log = await open();
      for (let n = 0; n < 10; n += 1) await log.append('a/1', counted(n));
      const events = log.readAll();
      for (let round = 0; round < 3; round += 1) {
        const seen: number[] = [];
        for await (const { position } of events) {
          seen.push(position);
          if (position === 4) break;
        }
        expect(seen).toEqual([1, 2, 3, 4]);
        expect(await events.toArray()).toHaveLength(10);
      }
      const sync = log.readStreamSync('a/1');
      for (let round = 0; round < 3; round += 1) {
        for (const { version } of sync) if (version === 4) break;
        expect(sync.toArray()).toHaveLength(10);
      }
    });

    test('ends where the log ended when its reading began', async () => {
      const { open } = make();
      const log = await open();
      await log.append('a/1', [counted(1), counted(2)]);
      const seen: string[] = [];
      for await (const event of log.readAll()) {
        seen.push(...places([event]));
        if (seen.length < 5) await log.append('a/1', counted(3));
      }
      for (const event of log.readStreamSync('a/1', { to: 2 })) {
        seen.push(...places([event]));
        log.appendSync('a/1', counted(4));
      }
      expect(seen).toEqual(['a/1@1', 'a/1@2', 'a/1@1', 'a/1@2']);
    });

    test('shows what was acknowledged, at once', async () => {
      const { open } = make();
      const log = await open();
      for (let n = 1; n <= 20; n += 1) {
        const { position } = await log.append('a/1', counted(n));
        expect(log.head.position).toBe(position);
        expect(await log.version('a/1')).toBe(n);
        expect(log.versionSync('a/1')).toBe(n);
        expect(await log.readAll({ from: n }).toArray()).toHaveLength(1);
        expect(
          log.readStreamSync('a/1', { direction: 'backward', limit: 1 }).toArray(),
        ).toMatchObject([{ version: n }]);
      }
    });
  });
}
