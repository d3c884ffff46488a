import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { firstAnchor } from '#src/log/anchor.js';
import { closingLine, finishedLine, headerLine } from '#src/log/encode.js';
import { runAsync } from '#src/log/io.js';
import { firstSeal } from '#src/log/place.js';
import { type VerifyProgress, verifyLog } from '#src/log/verify.js';
import { BuiltStore, contentOf, type Line } from '../support/built-store.js';
import { COMMITS, eventsOf, expectDamage, GROUPS, inOne, inSegments } from '../support/damage.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

describe('verify, a sound log', () => {
  test('counts everything, at once and not', async () => {
    const built = inSegments();
    const report = built.verify();
    const bytes = built.segments
      .map((segment) => built.bytes(built.paths.segment(segment)).length)
      .reduce((sum, length) => sum + length);
    expect(report).toEqual({
      ok: true,
      segments: built.segments.length,
      groups: GROUPS.length,
      commits: COMMITS,
      events: eventsOf(COMMITS),
      streams: 4,
      bytes,
      head: { position: COMMITS, seal: built.place.seal, time: contentOf(COMMITS).time },
      firstTime: contentOf(1).time,
      lastTime: contentOf(COMMITS).time,
    });
    expect(Object.isFrozen(report)).toBe(true);
    const { disk, paths, store, place } = built;
    expect(await runAsync(disk, verifyLog(paths, store, place))).toEqual(report);
    expect(built.verify({ deep: true })).toEqual(report);
  });

  test('is nothing to count in an empty one', () => {
    const built = new BuiltStore({ groups: [] });
    const seal = firstSeal(built.store.id);
    expect(built.verify()).toMatchObject({
      ok: true,
      segments: 1,
      commits: 0,
      head: { position: 0, time: undefined, seal },
    });
    expect(built.verify()).not.toHaveProperty('firstTime');
  });

  test('stops at the place it was told', () => {
    const built = inOne();
    const seals = built.lines(1).filter(({ text }) => text.startsWith('{"seal"'));
    const line = seals[3] as Line;
    const { p, seal } = JSON.parse(line.text) as { p: number; seal: string };
    built.put(built.paths.anchor, firstAnchor({ segment: 1, offset: line.end, position: p, seal }));
    const to = { segment: 1, offset: line.end, position: p, seal };
    const report = built.run(verifyLog(built.paths, built.store, to));
    expect(report).toMatchObject({ ok: true, groups: 4, commits: p, events: eventsOf(p) });
  });

  test('finds every seal that it ever had, and only those', () => {
    const built = inSegments();
    const seals = built.segments
      .flatMap((segment) => built.lines(segment))
      .filter(({ text }) => text.startsWith('{"seal"'))
      .map(({ text }) => (JSON.parse(text) as { seal: string }).seal);
    expect(seals).toHaveLength(GROUPS.length);
    for (const seal of [firstSeal(built.store.id), ...seals, (seals[0] as string).toUpperCase()]) {
      expect(built.verify({ against: seal })).toMatchObject({ ok: true, against: 'found' });
    }
    const other = firstSeal('another store');
    expect(built.verify({ against: other })).toMatchObject({ ok: false, against: 'missing' });
    expect(() => built.verify({ against: 'abc' })).toThrow(TypeError);
  });

  test('tells how far it is', () => {
    const built = inSegments();
    const told: VerifyProgress[] = [];
    const options = { onProgress: (progress: VerifyProgress) => told.push(progress) };
    const report = built.run(verifyLog(built.paths, built.store, built.place, options));
    const { segments, commits, bytes } = report;
    expect(told.at(-1)).toEqual({ segments, commits, bytes, totalBytes: bytes });
  });
});

describe('verify, a damaged log', () => {
  test('finds any flipped bit, in the line in which it is', () => {
    const built = new BuiltStore({ groups: [1, 2, 1, 2], segmentBytes: 1500 });
    expect(built.segments.length).toBeGreaterThan(1);
    for (const segment of built.segments) {
      const path = built.paths.segment(segment);
      const bytes = built.bytes(path);
      for (const { start, end } of built.lines(segment)) {
        for (let at = start; at < end; at += 1) {
          const flipped = Buffer.from(bytes);
          flipped[at] = (flipped[at] as number) ^ (1 << (at % 8));
          built.put(path, flipped);
          const { ok, damage } = built.verify();
          expect({ ok, file: damage?.file, offset: damage?.offset }, `byte ${at}`).toEqual({
            ok: false,
            file: path,
            offset: start,
          });
        }
      }
      built.put(path, bytes);
    }
    expect(built.verify().ok).toBe(true);
  });

  test('finds any dropped, repeated or swapped line', () => {
    const built = inSegments();
    for (const segment of built.segments) {
      const lines = built.lines(segment);
      const texts = lines.map(({ text }) => text);
      const expectAt = (changed: string[], offset: number, what: string) => {
        built.putLines(segment, changed);
        expectDamage(built, segment, offset, /./, `${what} of segment ${segment}`);
      };
      for (const [index, { start, end, text }] of lines.entries()) {
        expectAt(texts.toSpliced(index, 1), start, `line ${index} dropped`);
        // Behind the proven end anything may stand: what is being written.
        const isLast = segment === built.place.segment && index === lines.length - 1;
        if (!isLast) expectAt(texts.toSpliced(index, 0, text), end, `line ${index} repeated`);
        const next = lines[index + 1];
        if (next) {
          expectAt(texts.toSpliced(index, 2, next.text, text), start, `line ${index} swapped`);
        }
      }
      built.putLines(segment, texts);
    }
    expect(built.verify().ok).toBe(true);
  });

  test('finds a log that is cut anywhere', () => {
    const built = inOne();
    const bytes = built.bytes(built.paths.segment(1));
    const lines = built.lines(1);
    for (let size = 0; size < bytes.length; size += 7) {
      built.put(built.paths.segment(1), bytes.subarray(0, size));
      const offset = lines.find(({ start, end }) => start <= size && size < end)?.start as number;
      expectDamage(built, 1, offset, /without its end|the file ends here/, `cut at ${size}`);
    }
    for (const { start } of lines) {
      built.put(built.paths.segment(1), bytes.subarray(0, start));
      expectDamage(built, 1, start, /the file ends here, but it was durable/, `cut at ${start}`);
    }
  });

  test('finds a segment that is missing, empty, or not a file', () => {
    for (const segment of inSegments().segments) {
      const built = inSegments();
      built.remove(built.paths.segment(segment));
      expectDamage(built, segment, 0, /the segment is missing/);
      built.disk.makeDirectory(built.paths.segment(segment));
      expectDamage(built, segment, 0, /no plain file/);
      built.remove(built.paths.segment(segment));
      built.put(built.paths.segment(segment), '');
      expectDamage(built, segment, 0, /not closed|the file ends here/);
    }
  });

  test('finds that the whole log is missing', () => {
    const built = inSegments();
    built.remove(built.paths.log);
    expectDamage(built, 1, 0, /the segment is missing/);
  });

  test('finds a segment that no other leads to', () => {
    const built = inSegments();
    const [first, second] = built.segments as [number, number];
    built.put(built.paths.segment(second - 1), built.bytes(built.paths.segment(second)));
    expectDamage(built, second - 1, 0, /no other leads to/);
    expect(first).toBe(1);
  });

  test('finds a missing closing line, one too many, and bytes behind it', () => {
    const built = inSegments();
    const lines = built.lines(1);
    const texts = lines.map(({ text }) => text);
    const closing = lines.at(-1) as Line;
    built.putLines(1, texts.slice(0, -1));
    expectDamage(built, 1, closing.start, /not closed although another follows/);
    built.putLines(1, [...texts, 'x']);
    expectDamage(built, 1, closing.end, /bytes behind the closing line/);
    const early = closingLine(0, firstSeal(built.store.id)).toString();
    built.putLines(1, [texts[0] as string, early]);
    expectDamage(built, 1, (lines[0] as Line).end, /closing line of a segment without commits/);
  });

  test('finds a header that does not fit, and a missing one', () => {
    const built = inSegments();
    const segment = built.segments[1] as number;
    const texts = built.lines(segment).map(({ text }) => text);
    const { seal } = JSON.parse(texts[0] as string) as { seal: string };
    const wrong = [
      headerLine(segment, built.store.id, firstSeal('other')),
      headerLine(segment, randomUUID(), seal),
      headerLine(segment + 1, built.store.id, seal),
    ];
    for (const header of wrong) {
      built.putLines(segment, [header.toString(), ...texts.slice(1)]);
      expectDamage(built, segment, 0, /segment header that does not fit/);
    }
    built.putLines(segment, texts.slice(1));
    expectDamage(built, segment, 0, /no segment header/);
  });

  test('finds a seal that does not fit, though its own checksum does', () => {
    const built = inOne();
    const lines = built.lines(1);
    const texts = lines.map(({ text }) => text);
    const index = texts.findIndex((text) => text.startsWith('{"seal"'));
    const { start, text } = lines[index] as Line;
    const change = (from: RegExp, to: string) => {
      const body = text.replace(/,"c":.*\n$/, '').replace(from, to);
      built.putLines(1, texts.with(index, finishedLine(body).toString()));
    };
    change(/"seal":"..../, '"seal":"0bad');
    expectDamage(built, 1, start, /seal that does not fit the lines before it/);
    change(/"n":\d/, '"n":9');
    expectDamage(built, 1, start, /seal that does not fit its group/);
    change(/"salt":"./, '"salt":"z');
    expectDamage(built, 1, start, /seal line that is not what the format says/);
    change(/,"n"/, ', "n"');
    expectDamage(built, 1, start, /seal line that is not what the format says/);
  });

  test('finds a commit that was changed together with its checksum', () => {
    const built = inOne();
    const lines = built.lines(1);
    const texts = lines.map(({ text }) => text);
    const body = (texts[3] as string).replace(/,"c":.*\n$/, '').replace('"number":2', '"number":7');
    built.putLines(1, texts.with(3, finishedLine(body).toString()));
    const seal = lines.findIndex(({ text }, index) => index > 3 && text.startsWith('{"seal"'));
    expectDamage(built, 1, (lines[seal] as Line).start, /does not fit the lines before it/);
  });

  test('finds that the disk cannot read', () => {
    const disk = new SimulatedDisk();
    const built = inSegments(disk.process());
    const segment = built.segments[1] as number;
    const path = built.paths.segment(segment);
    disk.process().inject({ method: 'open', path: new RegExp(path), code: 'EIO' });
    const report = built.verify();
    expect(report).toMatchObject({ ok: false, damage: { file: path, offset: 0 } });
  });

  test('finds an anchor that is broken, missing, or not of this log', () => {
    const built = inSegments();
    const anchor = built.bytes(built.paths.anchor);
    for (const bytes of [Buffer.alloc(1024), Buffer.alloc(0), anchor.subarray(0, 600)]) {
      built.put(built.paths.anchor, bytes);
      expect(built.verify().damage).toMatchObject({ file: built.paths.anchor, offset: 0 });
    }
    built.remove(built.paths.anchor);
    expect(built.verify().damage).toMatchObject({ file: built.paths.anchor, offset: 0 });
    const other = new BuiltStore({ groups: [1], seed: 2 });
    built.put(built.paths.anchor, other.bytes(other.paths.anchor));
    expect(built.verify().damage?.problem).toMatch(/another seal .* \(told by .*anchor\)/);
  });
});
