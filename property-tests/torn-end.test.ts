/**
 * What stands behind the proven part of a log: torn, if power loss explains every byte of it, and then cut off with a report and a
 * copy; damaged otherwise, and then told by readers and left as it is by writers.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { linesOf } from '../test/support/built-store.js';
import { SeededRandom } from '../test/support/random.js';
import { oneOf, seed, timeoutMs, times } from '../test/support/runs.js';
import {
  everyBit,
  flip,
  openingFails,
  readWhatStands,
  SECTOR,
  Specimen,
  type SpecimenPlan,
} from '../test/support/specimen.js';

/** One group that is proven, one or two that are not, in one segment over several sectors. */
const plans: readonly (readonly [string, SpecimenPlan])[] = [
  ['one group of several commits', { groups: [1, 6], provenGroups: 1 }],
  ['one group behind a whole one', { groups: [2, 1, 5], provenGroups: 1 }],
  ['the first group of the log', { groups: [7], provenGroups: 0 }],
  ['a group in a later segment', { groups: [1, 3, 2, 5], segmentBytes: 2048, provenGroups: 3 }],
];

/** What one power loss leaves of bytes that were written at `start`: any size, and of each sector all or zeros. */
function afterPowerLoss(
  original: Buffer,
  start: number,
  size: number,
  lost: (n: number) => boolean,
) {
  const bytes = Buffer.from(original.subarray(0, size));
  const first = Math.floor(start / SECTOR);
  for (let sector = first; sector * SECTOR < size; sector += 1) {
    if (lost(sector - first)) {
      bytes.fill(0, Math.max(start, sector * SECTOR), Math.min(size, (sector + 1) * SECTOR));
    }
  }
  return bytes;
}

/** A torn end is told by a reader, cut off and kept by a writer, and nothing of the log is in the way afterwards. */
function expectRepaired(specimen: Specimen, segment: number, start: number, what: string): void {
  const { built } = specimen;
  const path = built.paths.segment(segment);
  const torn = built.bytes(path);
  const lost = torn.subarray(start);
  const before = specimen.content();
  const stands = specimen.wholeBefore(segment, start);
  // Groups behind a mark are unproven for a reader, who cannot prove them.
  const seen = specimen.marked ? specimen.proven.position : stands;

  const reading = readWhatStands(specimen);
  expect(isDeepStrictEqual(reading.events, specimen.eventsUpTo(seen)), what).toBe(true);
  expect(reading.stopped, what).toBe(false);
  const found = { file: path, offset: start, bytes: lost.length };
  expect(reading.recovery, what).toMatchObject({ state: 'torn', position: seen, ...found });
  expect(specimen.verify(), what).toMatchObject({ ok: true, recovery: { state: 'torn' } });
  expect(specimen.changes(before), `a reader after ${what}`).toEqual([]);

  const log = specimen.open();
  expect(log.recovery, what).toMatchObject({ state: 'repaired', position: stands });
  if (start > 0) expect(log.recovery, what).toMatchObject(found);
  const { broken } = log.recovery;
  expect(broken, what).toMatch(/\.broken$/);
  expect(built.bytes(broken ?? '').equals(lost), `what ${broken} keeps`).toBe(true);
  expect(specimen.changes(before).sort(), what).toEqual([path, broken].sort());
  expect(built.bytes(path).subarray(0, start).equals(torn.subarray(0, start)), what).toBe(true);
  expect(isDeepStrictEqual(log.readAllSync().toArray(), specimen.eventsUpTo(stands)), what).toBe(
    true,
  );
  const next = log.appendSync('next', { type: 'x', data: what });
  expect(next.position, what).toBe(stands + 1);
  log.closeSync();

  const again = specimen.open();
  expect(again.recovery).toMatchObject({ state: 'clean', position: stands + 1 });
  expect(again.readAllSync({ from: stands + 1 }).toArray()).toMatchObject([{ data: what }]);
  expect(again.verifySync({ deep: true })).toMatchObject({ ok: true, commits: stands + 1 });
  again.closeSync();
}

/** What no power loss explains is told by all and changed by nobody. */
function expectRefused(specimen: Specimen, what: string): void {
  const before = specimen.content();
  const reading = readWhatStands(specimen);
  expect(reading.recovery, what).toMatchObject({ state: 'damaged' });
  const { events } = reading;
  expect(isDeepStrictEqual(events, specimen.events.slice(0, events.length)), what).toBe(true);
  const { position } = specimen.proven;
  expect(events.length, what).toBeGreaterThanOrEqual(specimen.eventsUpTo(position).length);
  expect(reading.verified, what).toBe(false);
  expect(specimen.verify().ok, what).toBe(false);
  const error = openingFails(specimen);
  if (!error) expect.fail(`opening for writing takes ${what}`);
  expect(error.position, what).toBeGreaterThan(position);
  expect(error.offset, what).toBeTypeOf('number');
  expect(error.command).toContain('salvage');
  expect(specimen.changes(before), `an opening after ${what}`).toEqual([]);
}

describe.each([
  ['the anchor', false],
  ['the mark', true],
])('what stands behind %s', (_, marked) => {
  test.each(plans)(
    'is cut off when power loss explains it: %s',
    { timeout: timeoutMs },
    (_, plan) => {
      const specimen = new Specimen({ ...plan, marked });
      const segment = specimen.lastSegment;
      const original = specimen.original(segment);
      const start = specimen.groupEnds.at(-2)?.offset ?? 0;
      const begin =
        specimen.groupEnds.at(-2)?.segment === segment ? start : specimen.headerEnd(segment);
      const attempt = (size: number, lost: (sector: number) => boolean, what: string) => {
        specimen.restore();
        const bytes = afterPowerLoss(original, begin, size, lost);
        if (bytes.equals(original) || size === begin) return;
        specimen.built.put(specimen.built.paths.segment(segment), bytes);
        expectRepaired(specimen, segment, begin, what);
      };
      const sectors = Math.ceil(original.length / SECTOR) - Math.floor(begin / SECTOR);
      for (let lost = 0; lost < 2 ** sectors; lost += 1) {
        const isLost = (sector: number) => (lost & (1 << sector)) !== 0;
        attempt(original.length, isLost, `sectors ${lost.toString(2)} lost`);
      }
      fc.assert(
        fc.property(fc.integer({ min: begin, max: original.length }), fc.nat(), (size, lost) => {
          const isLost = (sector: number) => (lost & (1 << (sector % 31))) !== 0;
          attempt(size, isLost, `cut at ${size}, sectors ${lost.toString(2)} lost`);
        }),
        { numRuns: times(12), seed },
      );
      fc.assert(
        fc.property(fc.integer({ min: begin, max: original.length }), (size) => {
          attempt(size, () => false, `cut at ${size}`);
        }),
        { numRuns: times(12), seed },
      );
    },
  );

  test('is cut off wherever a small group ends too early', { timeout: timeoutMs }, () => {
    const specimen = new Specimen({ groups: [1, 1], provenGroups: 1, marked });
    const start = specimen.groupEnds[1]?.offset ?? 0;
    const original = specimen.original(1);
    for (let size = start + 1; size < original.length; size += 1) {
      specimen.restore();
      specimen.built.put(specimen.built.paths.segment(1), original.subarray(0, size));
      expectRepaired(specimen, 1, start, `cut at ${size}`);
    }
  });

  test.each(plans)('stays when it is whole: %s', (_, plan) => {
    const specimen = new Specimen({ ...plan, marked });
    const before = specimen.content();
    const log = specimen.open();
    expect(log.recovery).toMatchObject({ state: 'clean', position: specimen.built.place.position });
    expect(log.readAllSync().toArray()).toEqual(specimen.events);
    log.closeSync();
    expect(specimen.changes(before)).toEqual([]);
  });

  test('is refused wherever a bit of a small group is flipped', { timeout: timeoutMs }, () => {
    const specimen = new Specimen({ groups: [1, 1], provenGroups: 1, marked });
    const original = specimen.original(1);
    const start = specimen.groupEnds[1]?.offset ?? 0;
    const among = oneOf(4);
    for (let offset = start; offset < original.length; offset += 1) {
      // The end of the last line alone tells it from one that was cut off.
      const isLast = offset === original.length - 1;
      const bits = marked ? [offset % 8] : everyBit.filter((bit) => among(offset + bit));
      for (const bit of isLast ? everyBit : bits) {
        specimen.restore();
        specimen.built.put(specimen.built.paths.segment(1), flip(original, offset, bit));
        expectRefused(specimen, `a flip of bit ${bit} of byte ${offset}`);
      }
    }
  });

  test.each(plans)('is refused when a bit is flipped: %s', { timeout: timeoutMs }, (_, plan) => {
    const specimen = new Specimen({ ...plan, marked });
    const segment = specimen.lastSegment;
    const original = specimen.original(segment);
    const { proven } = specimen;
    const start = proven.segment === segment ? proven.offset : specimen.headerEnd(segment);
    fc.assert(
      fc.property(
        fc.integer({ min: start, max: original.length - 1 }),
        fc.nat({ max: 7 }),
        (offset, bit) => {
          specimen.restore();
          specimen.built.put(specimen.built.paths.segment(segment), flip(original, offset, bit));
          expectRefused(specimen, `a flip of bit ${bit} of byte ${offset}`);
        },
      ),
      { numRuns: times(50), seed },
    );
  });

  test('is refused when lines are dropped, repeated or exchanged', { timeout: timeoutMs }, () => {
    const specimen = new Specimen({ groups: [1, 4, 3], provenGroups: 1, marked });
    const path = specimen.built.paths.segment(1);
    const [header, ...lines] = linesOf(specimen.original(1)).map(({ text }) => text);
    const proven = [header as string, ...lines.slice(0, 2)];
    const tail = lines.slice(2);
    const attempt = (edited: readonly string[], what: string) => {
      specimen.restore();
      specimen.built.put(path, [...proven, ...edited].join(''));
      expectRefused(specimen, what);
    };
    for (const [index, line] of tail.entries()) {
      // Without its last lines a group is only cut off.
      const isLast = index === tail.length - 1;
      if (!isLast) attempt(tail.toSpliced(index, 1), `line ${index} dropped`);
      attempt(tail.toSpliced(index, 0, line), `line ${index} repeated`);
      for (const [other, text] of tail.entries()) {
        if (other > index) {
          attempt(
            tail.with(index, text).with(other, line),
            `lines ${index} and ${other} exchanged`,
          );
        }
      }
    }
    attempt([...tail, ...tail], 'both groups repeated');
    attempt(tail.slice(5), 'the first group dropped');
    attempt([...tail.slice(5), ...tail.slice(0, 5)], 'the groups exchanged');
    attempt([...tail, 'no line of the format\n'], 'a foreign line');
    attempt([...tail, 'no line'], 'a foreign end');
    attempt([...tail.slice(0, 2), '\0'.repeat(100), ...tail.slice(2)], 'zeros between lines');
  });

  describe('while the segment is changed', () => {
    /** Two segments, of which the first is proven up to its last group. */
    const make = () => new Specimen({ groups: [3, 1], segmentBytes: 256, provenGroups: 1, marked });

    /** Puts the segments in that state; without bytes for the second there is none. */
    function put(specimen: Specimen, first: Buffer, second?: Buffer): void {
      const { built } = specimen;
      specimen.restore();
      built.put(built.paths.segment(1), first);
      const next = built.paths.segment(specimen.lastSegment);
      if (second) built.put(next, second);
      else built.remove(next);
    }

    test('a closing line is cut off wherever it ends too early', () => {
      const specimen = make();
      const closed = specimen.original(1);
      const start = specimen.proven.offset;
      for (let size = start + 1; size < closed.length; size += 1) {
        put(specimen, closed.subarray(0, size));
        expectRepaired(specimen, 1, start, `closing line cut at ${size}`);
        const zeros = afterPowerLoss(closed, start, size, () => true);
        put(specimen, zeros);
        expectRepaired(specimen, 1, start, `closing line of zeros up to ${size}`);
      }
    });

    test('a header is written anew wherever it ends too early', () => {
      const specimen = make();
      const next = specimen.lastSegment;
      const end = specimen.headerEnd(next);
      const header = specimen.original(next).subarray(0, end);
      for (let size = 1; size < end; size += 1) {
        put(specimen, specimen.original(1), header.subarray(0, size));
        expectRepaired(specimen, next, 0, `header cut at ${size}`);
        put(specimen, specimen.original(1), Buffer.alloc(size));
        expectRepaired(specimen, next, 0, `header of ${size} zeros`);
      }
    });

    test('nothing is missing before the next segment is made, empty, or only begun', () => {
      const specimen = make();
      const next = specimen.lastSegment;
      const header = specimen.original(next).subarray(0, specimen.headerEnd(next));
      for (const begun of [undefined, Buffer.alloc(0), header]) {
        put(specimen, specimen.original(1), begun);
        const before = specimen.content();
        const { events, recovery } = readWhatStands(specimen);
        expect(events).toEqual(specimen.eventsUpTo(3));
        expect(recovery).toMatchObject({ state: 'clean', position: 3 });
        expect(specimen.changes(before)).toEqual([]);
        const log = specimen.open();
        expect(log.recovery).toMatchObject({ state: 'clean', position: 3 });
        expect(log.appendSync('next', { type: 'x', data: 1 }).position).toBe(4);
        log.closeSync();
        expect(readWhatStands(specimen)).toMatchObject({ verified: true, stopped: false });
      }
    });

    test('a flipped bit in the closing line or the header is refused', () => {
      const specimen = make();
      const closed = specimen.original(1);
      const next = specimen.lastSegment;
      const header = specimen.original(next).subarray(0, specimen.headerEnd(next));
      const random = new SeededRandom(seed);
      for (let offset = specimen.proven.offset; offset < closed.length; offset += 1) {
        for (const bit of marked ? [random.below(8)] : everyBit) {
          put(specimen, flip(closed, offset, bit));
          expectRefused(specimen, `closing line, bit ${bit} of byte ${offset}`);
        }
      }
      for (let offset = 0; offset < header.length; offset += 1) {
        const bit = random.below(8);
        put(specimen, closed, flip(header, offset, bit));
        expectRefused(specimen, `header, bit ${bit} of byte ${offset}`);
      }
    });

    test('bytes behind the closing line, and another segment than the next, are refused', () => {
      const specimen = make();
      const closed = specimen.original(1);
      const path = specimen.built.paths.segment(specimen.lastSegment + 1);
      put(specimen, Buffer.concat([closed, Buffer.from('x')]));
      expectRefused(specimen, 'a byte behind the closing line');
      put(specimen, Buffer.concat([closed, specimen.original(specimen.lastSegment)]));
      expectRefused(specimen, 'a segment behind the closing line');
      put(specimen, closed);
      specimen.built.put(path, specimen.original(specimen.lastSegment));
      expectRefused(specimen, 'a segment of another position');
    });
  });

  test('is refused, and nothing is cut off, when the proven part is damaged too', () => {
    const specimen = new Specimen({ groups: [2, 3], provenGroups: 1, marked });
    const path = specimen.built.paths.segment(1);
    const original = specimen.original(1);
    const torn = original.subarray(0, original.length - 20);
    specimen.restore();
    specimen.built.put(path, flip(torn, specimen.headerEnd(1) + 40, 1));
    const before = specimen.content();
    expect(openingFails(specimen)).toMatchObject({ file: path });
    expect(specimen.changes(before)).toEqual([]);
  });
});
