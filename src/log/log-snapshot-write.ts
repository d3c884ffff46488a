/** Makes a log snapshot: the one before it, and the indexes of the segments closed since, merged. */
import { join } from 'node:path';
import type { ClosingFacts } from './index-encode.js';
import { type Io, rest } from './io.js';
import {
  LogSnapshot,
  newestLogSnapshot,
  type SegmentSummary,
  type SnapshotKey,
} from './log-snapshot.js';
import { Merged, type SortedSource } from './merge.js';
import type { Paths } from './paths.js';
import type { NamedKey, SegmentFacts, SegmentIndex, StreamVersion } from './segment-index.js';
import type { Segments } from './segments.js';
import {
  listSnapshots,
  logPositions,
  logSnapshotName,
  makeSnapshotDirectory,
} from './snapshot-files.js';
import { SortedProblem } from './sorted-format.js';
import type { SortedCursor } from './sorted-read.js';
import { SortedWriter } from './sorted-write.js';
import { systemError } from './system-error.js';

export interface LogSnapshotSource {
  readonly paths: Paths;
  readonly storeId: string;
  readonly segments: Segments;
  readonly idempotencyWindow: number;
  readonly randomBytes: (count: number) => Buffer;
}

type Key = SnapshotKey & { readonly key: string };

/** A line of the snapshot before. A class, as the next one is, for the reason told at `SortedLine`. */
class FiledVersion implements StreamVersion {
  readonly key: string;
  readonly version: number;

  constructor(key: string, { v }: { readonly v: number }) {
    this.key = key;
    this.version = v;
  }
}

class FiledKey implements Key {
  readonly key: string;
  readonly position: number;
  readonly segment: number;
  readonly offset: number;
  readonly ordinal: number;

  constructor(
    key: string,
    {
      p,
      g,
      o,
      n,
    }: { readonly p: number; readonly g: number; readonly o: number; readonly n: number },
  ) {
    this.key = key;
    this.position = p;
    this.segment = g;
    this.offset = o;
    this.ordinal = n;
  }
}

/**
 * Makes a snapshot of all closed segments, and takes it into use. `undefined` when there is no closed segment.
 * @returns the snapshot, which may have been there already, and the bytes written
 * @throws system errors of the disk: nothing is changed then; StoreDamagedError
 */
export function* writeLogSnapshot(
  source: LogSnapshotSource,
): Io<{ readonly snapshot: LogSnapshot; readonly bytes: number } | undefined> {
  const { segments } = source;
  yield* segments.writePendingIndexes();
  yield* takeOver(source);
  for (;;) {
    const before = segments.snapshot;
    const added = yield* summaries(segments, before?.position ?? 0);
    if (added.length === 0) return before && { snapshot: before, bytes: 0 };
    try {
      return yield* write(source, before, added);
    } catch (error) {
      if (!(error instanceof SortedProblem) || !before) throw error;
      // The one before is broken: the indexes of all segments say the same.
      segments.lose(before, error);
    }
  }
}

/** Takes a newer snapshot into use that another process made. */
function* takeOver({ paths, storeId, segments }: LogSnapshotSource): Io<void> {
  const known = segments.snapshot?.position ?? 0;
  const names = yield* listSnapshots(paths);
  for (const position of logPositions(names)) {
    if (position <= known) return;
    const first = position < segments.tail.first ? yield* segments.segmentOf(position) : 0;
    if (first === 0 || (yield* segments.lastOf(first)) !== position) continue;
    const name = logSnapshotName(position);
    const newest = yield* newestLogSnapshot(paths, storeId, [name], segments.sorted);
    if (!newest || newest.seal !== (yield* segments.closingOf(first)).seal) continue;
    segments.adopt(newest);
    return;
  }
}

/** What there is to say of the closed segments behind that position. */
function* summaries(segments: Segments, behind: number): Io<SegmentSummary[]> {
  const added: SegmentSummary[] = [];
  for (const first of yield* segments.closedFirsts()) {
    if (first <= behind) continue;
    const facts = yield* segments.ask(first, factsOf);
    const closing: ClosingFacts = yield* segments.closingOf(first);
    added.push({ ...facts, ...closing });
  }
  return added;
}

// biome-ignore lint/correctness/useYield: every index knows its facts at once
function* factsOf(index: SegmentFacts): Io<Omit<SegmentSummary, 'bytes' | 'seal'>> {
  const { first, last, firstTime, lastTime, events, keyed } = index;
  return { first, last, firstTime, lastTime, events, keyed };
}

function* write(
  source: LogSnapshotSource,
  before: LogSnapshot | undefined,
  added: readonly SegmentSummary[],
): Io<{ readonly snapshot: LogSnapshot; readonly bytes: number }> {
  const { paths, storeId, segments, idempotencyWindow, randomBytes } = source;
  const last = added.at(-1) as SegmentSummary;
  const events = added.reduce((sum, each) => sum + each.events, before?.events ?? 0);
  const keyed = added.reduce((sum, each) => sum + each.keyed, before?.keyed ?? 0);
  const position = last.last;
  const name = logSnapshotName(position);
  yield* makeSnapshotDirectory(paths);
  const writer = yield* SortedWriter.begin(paths.snapshots, name, randomBytes, {
    snapshot: 'log',
    store: storeId,
    position,
    time: last.lastTime,
    seal: last.seal,
    events,
    keyed,
  });
  try {
    yield* writeSegments(writer, [...(before?.segments ?? []), ...added]);
    yield* writeStreams(writer, segments, before, added);
    yield* writeKeys(writer, segments, before, added, keyed - idempotencyWindow);
    const { bytes } = yield* writer.publish();
    const path = join(paths.snapshots, name);
    yield* segments.sorted.forget(path);
    const snapshot = yield* openWritten(path, position, source);
    segments.adopt(snapshot);
    return { snapshot, bytes };
  } catch (error) {
    yield* writer.discard();
    throw error;
  }
}

/** The one just put in place. @throws system errors of the disk: it was right when it was read back, so nothing else can be wrong with it */
function* openWritten(
  path: string,
  position: number,
  { storeId, segments }: LogSnapshotSource,
): Io<LogSnapshot> {
  try {
    return yield* LogSnapshot.open(path, storeId, position, segments.sorted);
  } catch (error) {
    if (!(error instanceof SortedProblem)) throw error;
    throw error.cause ?? systemError('EIO', 'read', path);
  }
}

function* writeSegments(writer: SortedWriter, all: readonly SegmentSummary[]): Io<void> {
  writer.beginSection('segments');
  for (const { first, last, bytes, seal, firstTime, lastTime, events, keyed } of all) {
    const k = String(first).padStart(20, '0');
    const line = { k, last, bytes, seal, from: firstTime, to: lastTime, events, keyed };
    if (writer.add(k, `${JSON.stringify(line)}\n`)) yield* writer.flush();
  }
  yield* writer.endSection();
}

function* writeStreams(
  writer: SortedWriter,
  segments: Segments,
  before: LogSnapshot | undefined,
  added: readonly SegmentSummary[],
): Io<void> {
  const sources: SortedSource<StreamVersion>[] = added.map(({ first }) =>
    behind((after) => segments.ask(first, (index) => index.streamsBehind(after))),
  );
  if (before) {
    sources.unshift(lines(before.passingCursor('streams'), FiledVersion));
  }
  let namesMax = before?.streamCount ?? 0;
  for (const { first } of added) namesMax += yield* segments.ask(first, streamCountOf);
  writer.beginSection('streams', namesMax);
  const merged = new Merged(sources);
  for (let items = yield* merged.next(); items; items = yield* merged.next()) {
    for (const { key, version } of items) {
      if (writer.add(key, `{"k":${JSON.stringify(key)},"v":${version}}\n`)) yield* writer.flush();
    }
  }
  yield* writer.endSection();
}

function* streamCountOf(index: SegmentIndex): Io<number> {
  return yield* index.streamCountMax();
}

function* writeKeys(
  writer: SortedWriter,
  segments: Segments,
  before: LogSnapshot | undefined,
  added: readonly SegmentSummary[],
  forgotten: number,
): Io<void> {
  let ordinal = before?.keyed ?? 0;
  const sources: SortedSource<Key>[] = [];
  if (before) {
    sources.push(lines(before.passingCursor('keys'), FiledKey));
  }
  for (const { first, keyed } of added) {
    const base = ordinal;
    ordinal += keyed;
    const named = behind((after) => segments.ask(first, (index) => index.keysBehind(after)));
    sources.push(
      mapped(named, (item: NamedKey) => ({
        ...item,
        segment: first,
        ordinal: base + item.ordinal,
      })),
    );
  }
  writer.beginSection('keys', Math.min(ordinal, Math.max(0, ordinal - forgotten)));
  const merged = new Merged(sources);
  for (let items = yield* merged.next(); items; items = yield* merged.next()) {
    for (const { key, position, segment, offset, ordinal: n } of items) {
      if (n <= forgotten) continue;
      const line = `{"k":${JSON.stringify(key)},"p":${position},"g":${segment},"o":${offset},"n":${n}}\n`;
      if (writer.add(key, line)) yield* writer.flush();
    }
  }
  yield* writer.endSection();
}

/** A sequence of what a question gives that is asked again behind the last answer. */
function behind<Item extends { readonly key: string }>(
  question: (after: string) => Io<Item[]>,
): SortedSource<Item> {
  let after = '';
  return {
    *next() {
      const items = yield* question(after);
      after = items.at(-1)?.key ?? after;
      return items.length > 0 ? items : undefined;
    },
  };
}

function lines<Line, Item extends { readonly key: string }>(
  cursor: SortedCursor,
  Filed: new (key: string, line: Line) => Item,
): SortedSource<Item> {
  return {
    *next() {
      const found = yield* cursor.next();
      yield* rest();
      return found?.map(({ key, block, index }) => new Filed(key, block.line<Line>(index)));
    },
  };
}

function mapped<From extends { readonly key: string }, To extends { readonly key: string }>(
  source: SortedSource<From>,
  change: (item: From) => To,
): SortedSource<To> {
  return {
    *next() {
      return (yield* source.next())?.map(change);
    },
  };
}
