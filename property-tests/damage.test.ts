/**
 * Bytes that were durable and are not what they were: found at opening for writing if they lie in the current segment,
 * and by verify wherever they lie, and never repaired.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatTooNewError, StoreDamagedError } from '#src/errors.js';
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

/** Two segments of a group each: small enough to try everything. */
const tiny: SpecimenPlan = { groups: [1, 1], segmentBytes: 256 };
/** Several groups in several segments. */
const small: SpecimenPlan = { groups: [1, 3, 2, 4, 1, 2, 3], segmentBytes: 2048 };

/** Something done to the proven bytes of a store, behind its back. */
interface Damage {
  readonly what: string;
  /** Segments that are not what they were. */
  readonly segments: readonly number[];
  /** Position of the last group that stands before the first changed byte. */
  readonly before: number;
}

/** Everything that must be true of a log whose proven part was damaged. */
function expectFound(specimen: Specimen, damage: Damage, alsoRead = true): void {
  const { built } = specimen;
  const { what, before, segments } = damage;
  const damaged = specimen.content();

  const report = specimen.verify();
  if (report.ok || !report.damage?.problem) expect.fail(`verify misses ${what}`);
  if (report.head.position < before) expect.fail(`verify stops too early at ${what}`);

  const isCurrent = segments.includes(specimen.lastSegment);
  if (alsoRead) {
    const { events, verified, recovery } = readWhatStands(specimen);
    expect(isDeepStrictEqual(events, specimen.events.slice(0, events.length)), what).toBe(true);
    expect(events.length, what).toBeGreaterThanOrEqual(specimen.eventsUpTo(before).length);
    expect(verified, `verify of an open log misses ${what}`).toBe(false);
    if (isCurrent) expect(recovery, what).toMatchObject({ state: 'damaged' });
    if (recovery.state === 'damaged') {
      expect(recovery.position, what).toBeGreaterThanOrEqual(before);
      expect(recovery.file, what).toBeTruthy();
      expect(recovery.offset, what).toBeTypeOf('number');
      expect(recovery.problem, what).toBeTruthy();
    }
    expect(specimen.changes(damaged), `a reader after ${what}`).toEqual([]);
  }

  const error = openingFails(specimen);
  if (isCurrent && !error) expect.fail(`opening for writing misses ${what}`);
  if (error) {
    const paths = built.segments.concat(segments).map((segment) => built.paths.segment(segment));
    expect(error.code).toBe('STORE_DAMAGED');
    expect(error.command).toContain(`salvage ${built.paths.directory}`);
    expect(paths, what).toContain(error.file);
    expect(error.offset, what).toBeTypeOf('number');
    expect(error.position, what).toBeGreaterThanOrEqual(before);
    expect(error.message).toContain('Nothing was changed');
  }
  expect(specimen.changes(damaged), `an opening after ${what}`).toEqual([]);
}

/** Puts other bytes into segments (or none: the file is gone) and says what that is; nothing when it changes nothing. */
function inflict(
  specimen: Specimen,
  what: string,
  changed: ReadonlyMap<number, Buffer | undefined>,
): Damage | undefined {
  const { built } = specimen;
  specimen.restore();
  const segments: number[] = [];
  let before = Number.POSITIVE_INFINITY;
  for (const [segment, bytes] of changed) {
    const original = specimen.original(segment);
    if (bytes?.equals(original)) continue;
    if (bytes) built.put(built.paths.segment(segment), bytes);
    else built.remove(built.paths.segment(segment));
    segments.push(segment);
    const offset = bytes ? firstDifference(original, bytes) : 0;
    before = Math.min(before, specimen.wholeBefore(segment, offset));
  }
  return segments.length === 0 ? undefined : { what, segments, before };
}

function firstDifference(a: Buffer, b: Buffer): number {
  let offset = 0;
  while (offset < a.length && offset < b.length && a[offset] === b[offset]) offset += 1;
  return offset;
}

function tryFlip(
  specimen: Specimen,
  segment: number,
  offset: number,
  bit: number,
  alsoRead = true,
): void {
  const bytes = flip(specimen.original(segment), offset, bit);
  const what = `a flip of bit ${bit} of byte ${offset} in segment ${segment}`;
  const damage = inflict(specimen, what, new Map([[segment, bytes]]));
  if (damage) expectFound(specimen, damage, alsoRead);
}

/** The bytes of a segment without, or with repeated or exchanged, lines. */
function withLines(
  specimen: Specimen,
  segment: number,
  edit: (lines: Buffer[]) => Buffer[],
): Buffer {
  const original = specimen.original(segment);
  const lines = specimen.lines
    .filter((line) => line.segment === segment)
    .map(({ start, end }) => original.subarray(start, end));
  return Buffer.concat(edit(lines));
}

/** Something done to whole lines or files, by three numbers that say where. */
type Edit = (
  specimen: Specimen,
  one: number,
  two: number,
  three: number,
) => ReadonlyMap<number, Buffer | undefined>;

const edits: Readonly<Record<string, Edit>> = {
  'a cut': (specimen, one, two) => {
    const segment = pick(specimen.built.segments, one);
    const original = specimen.original(segment);
    return new Map([[segment, original.subarray(0, two % original.length)]]);
  },
  'a cut at the end of a line': (specimen, one, two) => {
    const segment = pick(specimen.built.segments, one);
    const ends = specimen.lines.filter((line) => line.segment === segment).map(({ end }) => end);
    return new Map([
      [segment, specimen.original(segment).subarray(0, pick(ends.slice(0, -1), two))],
    ]);
  },
  'a dropped line': (specimen, one, two) => {
    const segment = pick(specimen.built.segments, one);
    const edit = (lines: Buffer[]) => lines.toSpliced(two % lines.length, 1);
    return new Map([[segment, withLines(specimen, segment, edit)]]);
  },
  'a repeated line': (specimen, one, two) => {
    const segment = pick(specimen.built.segments, one);
    const edit = (lines: Buffer[]) => lines.toSpliced(two % lines.length, 0, pick(lines, two));
    return new Map([[segment, withLines(specimen, segment, edit)]]);
  },
  'a line put somewhere else': (specimen, one, two, three) => {
    const segment = pick(specimen.built.segments, one);
    const edit = (lines: Buffer[]) => {
      const rest = lines.toSpliced(two % lines.length, 1);
      return rest.toSpliced(three % lines.length, 0, pick(lines, two));
    };
    return new Map([[segment, withLines(specimen, segment, edit)]]);
  },
  'two exchanged lines': (specimen, one, two, three) => {
    const segment = pick(specimen.built.segments, one);
    const edit = (lines: Buffer[]) =>
      lines
        .with(two % lines.length, pick(lines, three))
        .with(three % lines.length, pick(lines, two));
    return new Map([[segment, withLines(specimen, segment, edit)]]);
  },
  'a line from another segment': (specimen, one, two, three) => {
    const { segments } = specimen.built;
    const [target, source] = [pick(segments, one), pick(segments, one + 1)];
    let line = Buffer.alloc(0);
    withLines(specimen, source, (lines) => {
      line = Buffer.from(pick(lines, three));
      return lines;
    });
    const edit = (lines: Buffer[]) => lines.with(two % lines.length, line);
    return new Map([[target, withLines(specimen, target, edit)]]);
  },
  'a repeated group': (specimen, one, two) => {
    const segment = pick(specimen.built.segments, one);
    // Behind the last group is not before what is proven.
    const { position } = specimen.built.place;
    const lines = specimen.lines.filter((line) => line.segment === segment);
    const line = pick(
      lines.filter(({ start, group }) => start > 0 && group < position),
      two,
    );
    const group = lines.filter(({ start, group }) => start > 0 && group === line.group);
    const [start, end] = [line.groupStart, Math.max(...group.map(({ end }) => end))];
    const original = specimen.original(segment);
    const bytes = [
      original.subarray(0, end),
      original.subarray(start, end),
      original.subarray(end),
    ];
    return new Map([[segment, Buffer.concat(bytes)]]);
  },
  'a missing segment': (specimen, one) =>
    new Map([[pick(specimen.built.segments, one), undefined]]),
  'an empty segment': (specimen, one) =>
    new Map([[pick(specimen.built.segments, one), Buffer.alloc(0)]]),
  'two exchanged segments': (specimen, one, two) => {
    const { segments } = specimen.built;
    const [a, b] = [pick(segments, one), pick(segments, one + 1 + (two % (segments.length - 1)))];
    return new Map([
      [a, specimen.original(b)],
      [b, specimen.original(a)],
    ]);
  },
  'a sector of zeros': (specimen, one, two) => {
    const segment = pick(specimen.built.segments, one);
    const bytes = specimen.original(segment);
    const sectors = Math.ceil(bytes.length / SECTOR);
    const at = (two % sectors) * SECTOR;
    return new Map([[segment, bytes.fill(0, at, Math.min(at + SECTOR, bytes.length))]]);
  },
};

function pick<T>(values: readonly T[], which: number): T {
  return values[which % values.length] as T;
}

describe.each([
  ['without a mark', false],
  ['with a mark', true],
])('damage of the proven part, %s', (_, marked) => {
  test('is found wherever a bit of a tiny log is flipped', { timeout: timeoutMs }, () => {
    const specimen = new Specimen({ ...tiny, marked });
    expect(specimen.built.segments).toHaveLength(2);
    const random = new SeededRandom(seed);
    const among = oneOf(4);
    for (const segment of specimen.built.segments) {
      const { length } = specimen.original(segment);
      for (let offset = 0; offset < length; offset += 1) {
        const read = random.below(8);
        // More bits without a mark; with one the same code sees the same lines.
        for (const bit of marked ? [read] : everyBit.filter((each) => among(offset + each)))
          tryFlip(specimen, segment, offset, bit, bit % 4 === read % 4);
      }
    }
  });

  test('is found wherever a bit of a larger log is flipped', { timeout: timeoutMs }, () => {
    const specimen = new Specimen({ ...small, marked });
    expect(specimen.built.segments.length).toBeGreaterThan(2);
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat({ max: 7 }), (which, at, bit) => {
        const segment = pick(specimen.built.segments, which);
        tryFlip(specimen, segment, at % specimen.original(segment).length, bit);
      }),
      { numRuns: times(200), seed },
    );
  });

  test.each(Object.entries(edits))('is found: %s', { timeout: timeoutMs }, (what, edit) => {
    const specimen = new Specimen({ ...small, marked });
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(), (one, two, three) => {
        const damage = inflict(specimen, what, edit(specimen, one, two, three));
        fc.pre(damage !== undefined);
        if (damage) expectFound(specimen, damage);
      }),
      { numRuns: times(25), seed },
    );
  });
});

describe('a flipped bit beside the log', () => {
  test('in store.json is refused by writers and readers alike', { timeout: timeoutMs }, () => {
    const specimen = new Specimen(tiny);
    const { store } = specimen.built.paths;
    const original = specimen.built.bytes(store);
    for (let offset = 0; offset < original.length; offset += 1) {
      for (const bit of everyBit) {
        specimen.built.put(store, flip(original, offset, bit));
        const before = specimen.content();
        for (const readOnly of [false, true]) {
          let refusal: unknown;
          try {
            specimen.open({ readOnly }).closeSync();
          } catch (error) {
            refusal = error;
          }
          const isKnown =
            refusal instanceof StoreDamagedError || refusal instanceof FormatTooNewError;
          if (!isKnown) expect.fail(`bit ${bit} of byte ${offset}: ${String(refusal)}`);
        }
        expect(specimen.changes(before)).toEqual([]);
      }
    }
  });

  test.each(['anchor', 'lock'] as const)(
    'in the file %s costs nothing while the log is whole',
    { timeout: timeoutMs },
    (name) => {
      const specimen = new Specimen({ ...tiny, marked: true });
      const path = specimen.built.paths[name];
      const original = specimen.built.bytes(path);
      const random = new SeededRandom(seed);
      for (let offset = 0; offset < original.length; offset += 1) {
        specimen.restore();
        specimen.built.put(path, flip(original, offset, random.below(8)));
        const before = specimen.content();
        const reading = readWhatStands(specimen);
        if (!isDeepStrictEqual(reading.events, specimen.events)) expect.fail(`byte ${offset}`);
        expect(reading.recovery.state).toBe('clean');
        expect(openingFails(specimen)).toBeUndefined();
        expect(specimen.changes(before)).toEqual([]);
      }
    },
  );

  test('in both slots of the anchor is refused when no mark tells where the log ended', () => {
    const specimen = new Specimen(tiny);
    const { anchor } = specimen.built.paths;
    const original = specimen.built.bytes(anchor);
    specimen.built.put(anchor, flip(flip(original, 20, 3), SECTOR + 20, 3));
    expect(openingFails(specimen)).toMatchObject({ file: anchor, offset: 0 });
    expect(readWhatStands(specimen)).toMatchObject({
      events: specimen.events,
      recovery: { state: 'damaged', file: anchor },
    });
  });
});
