import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { finishedLine, headerLine } from '#src/log/encode.js';
import { runAsync } from '#src/log/io.js';
import { pathsOf } from '#src/log/paths.js';
import { type SalvageReport, salvageLog } from '#src/log/salvage.js';
import { encodeStoreFile } from '#src/log/store-file.js';
import { BuiltStore, commitsOf, contentOf, type Line, readBytes } from '../support/built-store.js';
import { COMMITS, GROUPS, inSegments, lostPositions } from '../support/damage.js';
import { SeededRandom } from '../support/random.js';

function filesOf(built: BuiltStore): Map<string, string> {
  const files = new Map<string, string>();
  const visit = (path: string) => {
    const facts = built.disk.facts(path);
    if (facts?.kind === 'file') files.set(path, readBytes(built.disk, path).toString('hex'));
    else for (const name of built.disk.list(path)) visit(join(path, name));
  };
  visit(built.paths.directory);
  return files;
}

let targets = 0;

/**
 * Salvages and checks what must hold whatever was damaged: the target is sound and holds, in order and as they were, exactly the
 * commits that are not called lost, and the source is as it was.
 */
function salvage(built: BuiltStore, commits = COMMITS): SalvageReport {
  const before = filesOf(built);
  targets += 1;
  const target = `/salvaged-${targets}`;
  const report = built.run(salvageLog(built.environment, built.paths, target));
  expect(filesOf(built)).toEqual(before);
  const paths = pathsOf(target);
  const kept = commitsOf(built.disk, paths);
  const lost = lostPositions(report);
  const expected = Array.from({ length: commits }, (_, index) => index + 1)
    .filter((position) => !lost.includes(position))
    .map(contentOf);
  expect(kept.map(({ content }) => content)).toEqual(expected);
  expect(kept.map(({ position }) => position)).toEqual(kept.map((_, index) => index + 1));
  expect(report.directory).toBe(target);
  expect(report.commits).toBe(kept.length);
  expect(report.events).toBe(expected.reduce((sum, { events }) => sum + events.length, 0));
  expect(report.head.position).toBe(kept.length);
  expect(report.unsealed).toBeLessThanOrEqual(kept.length);
  for (const part of report.lost) {
    const size = built.disk.facts(part.file)?.size ?? 0;
    expect(part.offset + part.bytes).toBeLessThanOrEqual(size);
    expect(part.bytes + (part.positions === undefined ? 0 : 1)).toBeGreaterThan(0);
  }
  const names = built.disk.list('/');
  expect(names.filter((name) => name.endsWith('.tmp'))).toEqual([]);
  return report;
}

describe('salvage, of a sound store', () => {
  test('keeps everything', async () => {
    const built = inSegments();
    const report = salvage(built);
    expect(report).toMatchObject({
      commits: COMMITS,
      unsealed: 0,
      lost: [],
      renumbered: false,
      firstPosition: 1,
      lastPosition: COMMITS,
    });
    const again = await runAsync(
      built.disk,
      salvageLog(built.environment, built.paths, '/asynchronous'),
    );
    expect({ ...again, directory: '', head: undefined }).toEqual({
      ...report,
      directory: '',
      head: undefined,
    });
  });

  test('keeps nothing of an empty one', () => {
    const built = new BuiltStore({ groups: [] });
    const report = salvage(built, 0);
    expect(report).toMatchObject({ commits: 0, lost: [], renumbered: false });
    expect(report).not.toHaveProperty('firstPosition');
  });

  test('keeps what store.json says, and not its id', () => {
    const built = inSegments();
    const store = { ...built.store, durability: 'os', idempotencyWindow: 7 } as const;
    built.put(built.paths.store, encodeStoreFile(store));
    const { directory } = salvage(built);
    const text = readBytes(built.disk, pathsOf(directory).store).toString();
    expect(JSON.parse(text)).toMatchObject({ durability: 'os', idempotencyWindow: 7 });
    expect(text).not.toContain(built.store.id);
  });
});

describe('salvage, of a damaged log', () => {
  test('loses at most the commit whose byte was flipped, wherever it is', () => {
    const built = new BuiltStore({ groups: [1, 2, 1, 2], segmentBytes: 1500 });
    for (const segment of built.segments) {
      const path = built.paths.segment(segment);
      const bytes = built.bytes(path);
      for (const { start, end, text } of built.lines(segment)) {
        for (let at = start; at < end; at += at === end - 2 ? 1 : 5) {
          const flipped = Buffer.from(bytes);
          flipped[at] = (flipped[at] as number) ^ (1 << (at % 8));
          built.put(path, flipped);
          const report = salvage(built, 6);
          const what = `byte ${at} of segment ${segment}`;
          const isCommit = text.startsWith('{"p":') && at !== end - 1;
          expect(lostPositions(report).length, what).toBe(isCommit ? 1 : 0);
          expect(report.lost.length, what).toBe(1);
          const [part] = report.lost;
          expect(part?.file, what).toBe(path);
          if (at === end - 1) expect(part, what).toMatchObject({ offset: at, bytes: 1 });
          else expect(part, what).toMatchObject({ offset: start, bytes: end - start });
        }
      }
      built.put(path, bytes);
    }
  });

  test('loses what was dropped and nothing that was repeated or swapped', () => {
    const built = inSegments();
    for (const segment of built.segments) {
      const lines = built.lines(segment);
      const texts = lines.map(({ text }) => text);
      for (const [index, { end, text }] of lines.entries()) {
        const isCommit = text.startsWith('{"p":');
        const position = isCommit ? (JSON.parse(text) as { p: number }).p : 0;
        built.putLines(segment, texts.toSpliced(index, 1));
        const dropped = salvage(built);
        expect(lostPositions(dropped)).toEqual(isCommit ? [position] : []);
        expect(dropped.unsealed).toBeLessThan(COMMITS);

        built.putLines(segment, texts.toSpliced(index, 0, text));
        const repeated = salvage(built);
        expect(lostPositions(repeated)).toEqual([]);
        if (isCommit) {
          expect(repeated.lost).toEqual([
            {
              file: built.paths.segment(segment),
              offset: end,
              bytes: Buffer.byteLength(text),
              problem: `position ${position} stands here again; the first was kept`,
            },
          ]);
        }

        const next = lines[index + 1];
        if (!next) continue;
        built.putLines(segment, texts.toSpliced(index, 2, next.text, text));
        expect(lostPositions(salvage(built))).toEqual([]);
      }
      built.putLines(segment, texts);
    }
  });

  test('loses a missing segment, and tells which', () => {
    for (const segment of inSegments().segments) {
      const built = inSegments();
      const all = built.segments;
      const to = (all[all.indexOf(segment) + 1] ?? COMMITS + 1) - 1;
      built.remove(built.paths.segment(segment));
      const report = salvage(built);
      expect(report.renumbered).toBe(to < COMMITS);
      expect(report.lost).toHaveLength(1);
      expect(report.lost[0]).toMatchObject({ bytes: 0, positions: [segment, to] });
      if (to < COMMITS) {
        expect(report.lost[0]).toMatchObject({
          file: built.paths.segment(segment),
          offset: 0,
          problem: 'the segment is missing',
        });
      }
    }
  });

  test('loses what is behind a cut, as far as anchor or file names tell', () => {
    const built = inSegments();
    for (const segment of built.segments) {
      const path = built.paths.segment(segment);
      const bytes = built.bytes(path);
      const lines = built.lines(segment);
      for (let size = 0; size < bytes.length; size += 101) {
        built.put(path, bytes.subarray(0, size));
        const standing = lines.filter(({ end, text }) => end <= size && text.startsWith('{"p":'));
        const gone = lines.filter(({ text }) => text.startsWith('{"p":')).length - standing.length;
        expect(lostPositions(salvage(built)).length).toBe(gone);
      }
      built.put(path, bytes);
    }
  });

  test('loses the tail that nothing tells of when the anchor is gone as well', () => {
    const built = inSegments();
    const last = built.segments.at(-1) as number;
    const lines = built.lines(last);
    const end = lines.at(-3)?.end as number;
    built.put(built.paths.segment(last), built.bytes(built.paths.segment(last)).subarray(0, end));
    built.put(built.paths.anchor, 'nothing');
    const position = JSON.parse(lines.at(-3)?.text as string).p as number;
    const report = salvage(built, position);
    expect(report).toMatchObject({ lost: [], lastPosition: position });
    expect(report.unsealed).toBeGreaterThan(0);
  });

  test('works without store.json, lock and anchor, and with broken ones', () => {
    for (const content of [undefined, '', '{"format":1', 'x'.repeat(5000)]) {
      const built = inSegments();
      for (const path of [built.paths.store, built.paths.lock, built.paths.anchor]) {
        if (content === undefined) built.remove(path);
        else built.put(path, content);
      }
      expect(salvage(built)).toMatchObject({ commits: COMMITS, lost: [], unsealed: 0 });
    }
  });

  test('believes the segments when store.json is of another store', () => {
    const built = inSegments();
    built.put(built.paths.store, encodeStoreFile({ ...built.store, id: randomUUID() }));
    expect(salvage(built)).toMatchObject({ commits: COMMITS, lost: [], unsealed: 0 });
  });

  test('keeps a segment out that came from another store', () => {
    const built = inSegments();
    const segment = built.segments[1] as number;
    const path = built.paths.segment(segment);
    const [, ...texts] = built.lines(segment).map(({ text }) => text);
    const header = headerLine(segment, randomUUID(), built.place.seal).toString();
    built.putLines(segment, [header, ...texts]);
    const bytes = built.bytes(path).length;
    const to = (built.segments[2] as number) - 1;
    const problem = 'a segment of another store';
    expect(salvage(built).lost).toEqual([
      { file: path, offset: 0, bytes, positions: [segment, to], problem },
    ]);
  });

  test('sorts commits by position when a segment has another name', () => {
    const built = inSegments();
    const segment = built.segments[1] as number;
    const bytes = built.bytes(built.paths.segment(segment));
    built.remove(built.paths.segment(segment));
    built.put(built.paths.segment(999), bytes);
    expect(salvage(built)).toMatchObject({ commits: COMMITS, lost: [], renumbered: false });
  });

  test('finds lines behind holes of zeros and junk, with and without line ends', () => {
    const random = new SeededRandom(5);
    for (let round = 0; round < 60; round += 1) {
      const built = inSegments();
      const segment = random.pick(built.segments);
      const path = built.paths.segment(segment);
      const bytes = built.bytes(path);
      const from = random.below(bytes.length);
      const to = Math.min(bytes.length, from + 1 + random.below(700));
      const hole = random.chance(0.5) ? Buffer.alloc(to - from) : random.bytes(to - from);
      hole.copy(bytes, from);
      built.put(path, bytes);
      const hit = inSegments()
        .lines(segment)
        .filter(({ start, end, text }) => text.startsWith('{"p":') && start < to && from < end);
      const lost = lostPositions(salvage(built));
      expect(lost.length, `round ${round}`).toBeLessThanOrEqual(hit.length);
      // A line whose LF alone was hit is kept.
      expect(lost.length, `round ${round}`).toBeGreaterThanOrEqual(hit.length - 1);
    }
  });

  test('keeps a line that follows junk without a line end between them', () => {
    const built = inSegments();
    const texts = built.lines(1).map(({ text }) => text);
    const junk = `${'\0'.repeat(512)}{"p":9,"g":"no line`;
    built.putLines(1, texts.with(2, junk + texts[2]));
    const start = Buffer.byteLength(texts.slice(0, 2).join(''));
    expect(salvage(built).lost).toEqual([
      {
        file: built.paths.segment(1),
        offset: start,
        bytes: junk.length,
        problem: 'a wrong checksum',
      },
    ]);
  });

  test('keeps lines between which several line ends are gone', () => {
    const built = inSegments();
    const texts = built.lines(1).map(({ text }) => text);
    built.putLines(
      1,
      texts.map((text, index) => (index % 2 === 0 ? text.replace('\n', ' ') : text)),
    );
    const report = salvage(built);
    expect(lostPositions(report)).toEqual([]);
    expect(report.unsealed).toBe(0);
    expect(report.lost.every(({ bytes }) => bytes === 1)).toBe(true);
  });

  test('counts commits that no seal proves', () => {
    const built = new BuiltStore({ groups: GROUPS });
    const segment = 1;
    const lines = built.lines(segment);
    const texts = lines.map(({ text }) => text);
    const seals = lines.filter(({ text }) => text.startsWith('{"seal"'));
    const sizes = seals.map(({ text }) => (JSON.parse(text) as { n: number }).n);
    expect(seals.length).toBeGreaterThan(1);
    const first = texts.indexOf(seals[0]?.text as string);
    built.putLines(segment, texts.toSpliced(first, 1));
    // The group behind it is chained to a seal that nobody knows any more.
    expect(salvage(built).unsealed).toBe((sizes[0] as number) + (sizes[1] as number));
    const wrong = (texts[first] as string).replace(/"seal":"..../, '"seal":"0bad');
    const line = finishedLine(wrong.replace(/,"c":.*\n/, '')).toString();
    built.putLines(segment, texts.with(first, line));
    expect(salvage(built).unsealed).toBe((sizes[0] as number) + (sizes[1] as number));
  });

  test('keeps no line that reads back as something else', () => {
    for (const edit of [
      (text: string) => text.replace('"number":2', '"number":2,"number":3'),
      (text: string) => text.replace('"d":[', '"d":[1,'),
      (text: string) => text.replace('"a":"agent"', '"a":"agent","a":"b"'),
    ]) {
      const built = new BuiltStore({ groups: GROUPS });
      built.forge((text, index) => (index === 3 ? edit(text) : text));
      const { start, end } = built.lines(1)[3] as Line;
      expect(salvage(built).lost).toEqual([
        expect.objectContaining({ offset: start, bytes: end - start, positions: [2, 2] }),
      ]);
    }
    const unknown = new BuiltStore({ groups: GROUPS });
    const texts = unknown.lines(1).map(({ text }) => text);
    unknown.putLines(1, texts.toSpliced(3, 0, finishedLine('{"later":1').toString()));
    expect(salvage(unknown).lost).toEqual([
      expect.objectContaining({ problem: 'a line of no known kind' }),
    ]);
  });

  test('survives any mixture of damage', () => {
    const random = new SeededRandom(11);
    for (let round = 0; round < 80; round += 1) {
      const built = inSegments();
      for (let hits = 1 + random.below(5); hits > 0; hits -= 1) {
        const segment = random.pick(built.segments);
        const path = built.paths.segment(segment);
        const texts = built.lines(segment).map(({ text }) => text);
        const at = random.below(texts.length);
        const bytes = built.bytes(path);
        const place = random.below(bytes.length || 1);
        const damage = [
          () => built.putLines(segment, texts.toSpliced(at, 1)),
          () => built.putLines(segment, texts.toSpliced(at, 0, random.pick(texts))),
          () => built.put(path, bytes.subarray(0, place)),
          () => built.put(path, bytes.fill(0, place, Math.min(place + 300, bytes.length))),
          () =>
            built.put(
              path,
              bytes.fill('{"p":1,"g":"1-0', place, Math.min(place + 30, bytes.length)),
            ),
          () => built.segments.length > 1 && built.remove(path),
        ];
        random.pick(damage)();
      }
      salvage(built);
    }
  });
});
