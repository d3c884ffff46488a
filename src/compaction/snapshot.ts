/**
 * Makes snapshots of all that is derived from the log: of the log itself, of every projection and of every index (docs/FORMAT.md, "Snapshots").
 *
 * Invariants:
 * - all of them are as of the same position, the end of a closed segment, and all that they are made of is durable;
 * - nothing older goes before what replaces it is in place, read back and durable;
 * - whoever reads or appends meanwhile goes on: states as of that position are folded beside the newer ones.
 */
import { join } from 'node:path';
import { HistoryPrunedError } from '../errors.js';
import type { LogInternals } from '../log/internals.js';
import { type Io, rest } from '../log/io.js';
import { Merged, type SortedSource, sortedInSlices } from '../log/merge.js';
import {
  type Identity,
  listSnapshots,
  logPositions,
  logSnapshotName,
  makeSnapshotDirectory,
  snapshotName,
} from '../log/snapshot-files.js';
import { SortedProblem } from '../log/sorted-format.js';
import type { SortedFile, SortedLine } from '../log/sorted-read.js';
import { removeIfThere, SortedWriter } from '../log/sorted-write.js';
import type { IndexSource } from '../projections/define-index.js';
import type { Engine } from '../projections/engine.js';
import type { Ground } from '../projections/ground.js';
import type { IndexRuntime, SavedIndex } from '../projections/index-runtime.js';
import { newestParts, SavedParts } from '../projections/index-snapshot.js';
import type { Outcome } from '../projections/key-reader.js';
import type { ProjectionRuntime } from '../projections/projection.js';
import type { Shelf } from '../projections/shelf.js';
import {
  isUnsaved,
  stateLine,
  UNSAVED_SECTION,
  unsavedIn,
  unsavedLine,
} from '../projections/snapshot.js';
import type { KeyFailure } from '../projections/states.js';
import { Track } from '../projections/track.js';
import { Course } from './course.js';
import { removeOldSnapshots } from './old-snapshots.js';

/** What became of one projection or index. */
export interface SnapshotPart {
  readonly name: string;
  readonly version: number;
  /** Keys with a state, or with a failure; of an index 0. */
  readonly keys: number;
  /** Bytes written; 0 when its snapshot was there already. */
  readonly bytes: number;
  /** Keys whose state cannot be written: it is folded from the log, which must keep their events. Left out when there are none. */
  readonly unsaved?: number;
  /** Why there is none. */
  readonly skipped?: string;
}

export interface SnapshotReport {
  /** As of which it was made; 0 when the log is empty. */
  readonly position: number;
  /** Of the log snapshot. */
  readonly bytes: number;
  readonly parts: readonly SnapshotPart[];
  readonly elapsedMs: number;
}

/** An index, where it is saved, and another one of the same definition that begins with what was saved, or with nothing. */
export interface SnapshotIndex {
  readonly runtime: IndexRuntime;
  readonly shelf: Shelf;
  /** @throws what `load` throws */
  again(saved: SavedIndex<IndexSource> | undefined): Io<IndexRuntime>;
}

/** What snapshots are made of. */
export interface SnapshotSource {
  readonly log: LogInternals;
  readonly engine: Engine;
  readonly projections: readonly ProjectionRuntime[];
  readonly indexes: readonly SnapshotIndex[];
  /** Snapshots kept of each kind. */
  readonly kept: number;
  /** No state: never written, or removed. */
  readonly absent: symbol;
}

/** Commits routed at once. */
const PORTION_COMMITS = 500;
/** Keys folded at once: the more, the fewer times a commit is decoded in which many of them have an event. */
const PORTION_KEYS = 128;
const PORTION_KEYS_MAX = 8192;
/** What the lines of a portion should take. */
const PORTION_BYTES = 1024 * 1024;

/** As of the last closed segment. @throws system errors of the disk: then what is not in place yet is not changed; StoreDamagedError */
export function* makeSnapshots(
  source: SnapshotSource,
  course: Course = new Course({}),
): Io<Omit<SnapshotReport, 'elapsedMs'>> {
  const { log } = source;
  course.begin('snapshot', 'parts', 1 + source.projections.length + source.indexes.length);
  const written = yield* log.snapshotLog();
  if (!written) return { position: 0, bytes: 0, parts: [] };
  const { position, bytes } = written;
  course.advance(1);
  yield* makeSnapshotDirectory(log.paths);
  const parts: SnapshotPart[] = [];
  for (const runtime of source.projections) {
    const { name, version } = runtime.definition;
    parts.push({ name, version, ...(yield* snapshotProjection(source, runtime, position)) });
    course.advance(1);
  }
  for (const index of source.indexes) {
    const { name, version } = index.runtime.definition;
    parts.push({ name, version, ...(yield* snapshotIndex(source, index, position)) });
    course.advance(1);
  }
  course.end();
  yield* removeOldLogSnapshots(source);
  const own = [
    ...source.projections.map(({ definition }) => definition),
    ...source.indexes.map(({ shelf }) => shelf.identity),
  ];
  yield* removeOldSnapshots(log, own);
  return { position, bytes, parts };
}

/**
 * Makes a snapshot of one projection as of the last closed segment that it has come past. From then on it stands on that one, and need not keep in
 * memory where the events before it are.
 * @throws system errors of the disk, StoreDamagedError, StoreClosedError: it goes on as before
 */
export function* snapshotPassed(source: SnapshotSource, runtime: ProjectionRuntime): Io<void> {
  const position = yield* passedEnd(source.log.segments, runtime.position);
  if (position <= runtime.ground.position) return;
  yield* makeSnapshotDirectory(source.log.paths);
  yield* snapshotProjection(source, runtime, position);
}

/** Last position of the last closed segment up to a position; 0 when there is none. */
function* passedEnd(segments: LogInternals['segments'], to: number): Io<number> {
  const firsts = yield* segments.closedFirsts();
  for (const first of firsts.toReversed()) {
    const last = yield* segments.lastOf(first);
    if (last <= to) return last;
  }
  return 0;
}

/** Which projections and indexes a snapshot as of the head would cover. Nothing is written. @throws StoreDamagedError, StoreClosedError */
export function* planSnapshots(source: SnapshotSource): Io<SnapshotPlan> {
  const { log, engine } = source;
  const { position } = log;
  if (position === 0) return { position, parts: [] };
  const parts: PlannedPart[] = [];
  for (const runtime of source.projections) {
    yield* engine.advanceTo(runtime, position, PORTION_COMMITS);
    const { stopped, past } = runtime;
    const isSaved = past !== undefined && !(stopped && stopped.position <= position);
    const isCovered = isSaved && (yield* unsavedAt(source, runtime, position)) === 0;
    parts.push({ name: runtime.name, isCovered });
  }
  for (const index of source.indexes) {
    const { runtime, shelf } = index;
    yield* engine.advanceTo(runtime, position, PORTION_COMMITS);
    yield* shelf.look();
    // Any position tells whether it can be saved.
    const isCovered =
      (yield* isThere(source, index, position)) ||
      (yield* couldBeSaved(source, index, runtime.position));
    parts.push({ name: runtime.name, isCovered });
  }
  return { position, parts };
}

export interface SnapshotPlan {
  readonly position: number;
  readonly parts: readonly PlannedPart[];
}

export interface PlannedPart {
  readonly name: string;
  readonly isCovered: boolean;
}

type Made = Omit<SnapshotPart, 'name' | 'version'>;

function* snapshotProjection(
  source: SnapshotSource,
  runtime: ProjectionRuntime,
  position: number,
): Io<Made> {
  const { past } = runtime;
  if (!past) return { keys: 0, bytes: 0, skipped: 'this store keeps no snapshots' };
  yield* source.engine.advanceTo(runtime, position, PORTION_COMMITS);
  const { stopped } = runtime;
  if (stopped && stopped.position <= position) {
    const skipped = `the projection stopped at position ${stopped.position}`;
    return { keys: 0, bytes: 0, skipped };
  }
  // Another process may have made one meanwhile.
  yield* past.shelf.look();
  const there = yield* past.newest(position);
  if (there?.header.position === position) {
    const unsaved = yield* unsavedUnlessBroken(past.shelf, there);
    if (unsaved !== undefined) {
      yield* runtime.settleDown();
      return { keys: there.count('states'), bytes: 0, ...lacking(unsaved) };
    }
  }
  const behind = there?.header.position ?? 0;
  let made: Made | undefined;
  while (!made) made = yield* writeProjection(source, runtime, position);
  yield* past.shelf.added(position);
  for (const first of yield* past.segments.closedFirsts()) {
    if (first > behind && first <= position) yield* past.places.prepare(first);
    yield* rest();
  }
  yield* runtime.settleDown();
  yield* removeOlderStates(source, past.shelf);
  return made;
}

/** A part that lacks nothing says nothing of it. */
function lacking(unsaved: number): Pick<SnapshotPart, 'unsaved'> {
  return unsaved === 0 ? {} : { unsaved };
}

/** How many states a snapshot lacks; `undefined` when it turns out to be broken, and counts as missing from now on. */
function* unsavedUnlessBroken(shelf: Shelf, file: SortedFile): Io<number | undefined> {
  try {
    return yield* unsavedIn(file);
  } catch (error) {
    if (!(error instanceof SortedProblem)) throw error;
    yield* shelf.lose(file.header.position);
    return undefined;
  }
}

/** How many states a snapshot as of that position would lack. Nothing is written. */
function* unsavedAt(
  source: SnapshotSource,
  runtime: ProjectionRuntime,
  position: number,
): Io<number> {
  for (;;) {
    const { ground } = runtime;
    try {
      const before = ground.base ? yield* ground.base.unsaved() : 0;
      const sources = [...(before > 0 ? filed(ground) : []), yield* touched(ground, position)];
      return (yield* writeStates(source, runtime, ground, position, sources, NOWHERE)).unsaved;
    } catch (error) {
      if (!(error instanceof SortedProblem) || !ground.base) throw error;
      yield* runtime.leave(ground);
    }
  }
}

/** `undefined` when the snapshot before it turned out to be broken. */
function* writeProjection(
  source: SnapshotSource,
  runtime: ProjectionRuntime,
  position: number,
): Io<Made | undefined> {
  const { ground } = runtime;
  const { shelf } = runtime.past as NonNullable<ProjectionRuntime['past']>;
  const writer = yield* begin(source, shelf.identity, position);
  try {
    const namesMax = (ground.base?.count ?? 0) + ground.postings.size;
    writer.beginSection('states', namesMax);
    const sources = [...filed(ground), yield* touched(ground, position)];
    const { keys, unsaved } = yield* writeStates(
      source,
      runtime,
      ground,
      position,
      sources,
      writer,
    );
    yield* writer.endSection();
    writer.beginSection(UNSAVED_SECTION);
    if (unsaved > 0) writer.add('', unsavedLine(unsaved));
    yield* writer.endSection();
    const { bytes } = yield* writer.publish();
    return { keys, bytes, ...lacking(unsaved) };
  } catch (error) {
    yield* writer.discard();
    if (!(error instanceof SortedProblem) || !ground.base) throw error;
    yield* runtime.leave(ground);
    return undefined;
  }
}

interface Line {
  readonly key: string;
  /** As it stands in the snapshot before; left out for a key with events since. */
  readonly text?: string;
}

/** As it stands in the snapshot before. A class for the reason told at `SortedLine`. */
class FiledLine implements Line {
  readonly key: string;
  readonly text: string;

  constructor({ key, block, index }: SortedLine) {
    this.key = key;
    this.text = block.text(index);
  }
}

/** Takes lines in the order of their keys. */
type LineSink = Pick<SortedWriter, 'add' | 'flush'>;

const NOWHERE: LineSink = { add: () => false, *flush() {} };

function* writeStates(
  { absent }: SnapshotSource,
  runtime: ProjectionRuntime,
  ground: Ground,
  position: number,
  sources: readonly SortedSource<Line>[],
  sink: LineSink,
): Io<{ readonly keys: number; readonly unsaved: number }> {
  const lines = new Portioned(new Merged<Line>(sources));
  let keys = 0;
  let unsaved = 0;
  let most = PORTION_KEYS;
  for (let portion = yield* lines.next(most); portion; portion = yield* lines.next(most)) {
    const changed = portion.filter(({ text }) => text === undefined).map(({ key }) => key);
    const outcomes = changed.length === 0 ? [] : yield* runtime.outcomes(changed, position, true);
    let next = 0;
    let bytes = 0;
    for (const [index, { key, text }] of portion.entries()) {
      if (index % PORTION_KEYS === PORTION_KEYS - 1) yield* rest();
      let line = text;
      if (line === undefined) {
        line = lineOf(key, outcomes[next] as Outcome, ground, position, absent);
        next += 1;
      }
      if (line === undefined) continue;
      keys += 1;
      bytes += line.length;
      if (isUnsaved(line)) unsaved += 1;
      if (sink.add(key, line)) yield* sink.flush();
    }
    yield* rest();
    most = nextPortion(most, bytes);
  }
  return { keys, unsaved };
}

/** Larger as long as what it comes to is small: states of any size are held while their lines are written. */
function nextPortion(most: number, bytes: number): number {
  if (2 * bytes <= PORTION_BYTES) return Math.min(2 * most, PORTION_KEYS_MAX);
  return bytes > PORTION_BYTES ? Math.max(most >> 1, PORTION_KEYS) : most;
}

/** A sorted sequence in portions of the size that is asked for. */
class Portioned {
  readonly #source: SortedSource<Line>;
  #waiting: readonly Line[] = [];

  constructor(source: SortedSource<Line>) {
    this.#source = source;
  }

  *next(most: number): Io<readonly Line[] | undefined> {
    const found: Line[] = [];
    while (found.length < most) {
      if (this.#waiting.length === 0) this.#waiting = (yield* this.#source.next()) ?? [];
      if (this.#waiting.length === 0) break;
      const room = most - found.length;
      found.push(...this.#waiting.slice(0, room));
      this.#waiting = this.#waiting.slice(room);
    }
    return found.length === 0 ? undefined : found;
  }
}

function lineOf(
  key: string,
  outcome: Outcome,
  ground: Ground,
  to: number,
  absent: symbol,
): string | undefined {
  const position = ground.postings.last(key, to);
  if ('state' in outcome) return stateLine(key, { state: outcome.state, position }, absent);
  const failure: KeyFailure = outcome.failure;
  return stateLine(key, { state: absent, position, failure }, absent);
}

function filed({ base }: Ground): SortedSource<Line>[] {
  if (!base) return [];
  const cursor = base.passingCursor();
  const source: SortedSource<Line> = {
    *next() {
      const lines = yield* cursor.next();
      return lines?.map((line) => new FiledLine(line));
    },
  };
  return [source];
}

/** Keys with an event behind the snapshot before, up to that position. */
function* touched({ postings }: Ground, position: number): Io<SortedSource<Line>> {
  function* keys(): Generator<string, void, undefined> {
    for (const key of postings.keys()) if (postings.last(key, position) > 0) yield key;
  }
  return yield* sortedInSlices(keys());
}

function* snapshotIndex(source: SnapshotSource, index: SnapshotIndex, position: number): Io<Made> {
  const { engine } = source;
  const { runtime, shelf } = index;
  yield* shelf.look();
  if (yield* isThere(source, index, position)) return { keys: 0, bytes: 0 };
  if (runtime.position < position) yield* engine.advanceTo(runtime, position, PORTION_COMMITS);
  const parts = yield* savedAt(source, index, position);
  if ('skipped' in parts) return { keys: 0, bytes: 0, ...parts };
  const writer = yield* begin(source, shelf.identity, position);
  try {
    yield* parts.saved.writeTo(writer);
    const { bytes } = yield* writer.publish();
    yield* shelf.added(position);
    if (shelf.hasFailed && !(yield* isThere(source, index, position))) {
      return { keys: 0, bytes, skipped: 'what it saves it cannot load' };
    }
    shelf.prove(position);
    yield* removeOlderOf(source, shelf);
    return { keys: 0, bytes };
  } catch (error) {
    yield* writer.discard();
    throw error;
  }
}

/** Whether there is a snapshot as of that very position that the index can load. One that it loaded or wrote in this process is not loaded again. */
function* isThere({ log }: SnapshotSource, index: SnapshotIndex, position: number): Io<boolean> {
  const { shelf } = index;
  const there = yield* shelf.newest(position, log.position);
  if (there?.header.position !== position) return false;
  if (shelf.isProven(position)) return true;
  const loaded = yield* loadedAt(index, position, log.position);
  return loaded?.position === position;
}

/**
 * The index as it was saved last at or before that position; `undefined` when it can load nothing. What it cannot load counts as missing from then on, so that
 * it is written anew.
 */
function* loadedAt(
  { shelf, again }: SnapshotIndex,
  to: number,
  head: number,
): Io<IndexRuntime | undefined> {
  for (;;) {
    const before = yield* newestParts(shelf, to, head);
    if (!before) return undefined;
    try {
      const runtime = yield* again(before);
      shelf.prove(before.position);
      return runtime;
    } catch {
      shelf.failNow(before.position);
    }
  }
}

/** Whether a snapshot of the index would be one that it can load, as far as is known. */
function* couldBeSaved(
  source: SnapshotSource,
  index: SnapshotIndex,
  position: number,
): Io<boolean> {
  const parts = yield* savedAt(source, index, position);
  if ('skipped' in parts) return false;
  if (!index.shelf.hasFailed) return true;
  try {
    yield* index.again({ position, source: parts.saved.source() });
    return true;
  } catch {
    return false;
  }
}

/** What the index saves, or why it cannot. */
type Saved = { readonly saved: SavedParts } | { readonly skipped: string };

/**
 * As of that position. The live index is saved while it stands there; when it went on, or somebody read it before it was saved whole, another one is brought
 * there, so that no reader waits for the saving, and the saving for no reader.
 */
function* savedAt(
  { log }: { readonly log: LogInternals },
  index: SnapshotIndex,
  position: number,
): Io<Saved> {
  const { runtime } = index;
  yield* runtime.settle();
  if (runtime.position === position) {
    const live = yield* savedOf(runtime);
    if (live) return live;
  }
  let other: IndexRuntime;
  try {
    other = yield* broughtTo(log, index, position);
  } catch (error) {
    if (!(error instanceof HistoryPrunedError)) throw error;
    return {
      skipped: `it was read while it was saved, and cannot be built again: ${error.message}`,
    };
  }
  // Nobody else knows it.
  return (yield* savedOf(other)) as Saved;
}

/** `undefined` when somebody read it meanwhile. */
function* savedOf(runtime: IndexRuntime): Io<Saved | undefined> {
  const parts = new SavedParts();
  try {
    return (yield* runtime.save(parts)) ? { saved: parts } : undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { skipped: `it could not be saved: ${reason}` };
  } finally {
    parts.end();
  }
}

/** Another index of the same definition, brought to that position from what was saved before. @throws HistoryPrunedError */
function* broughtTo(log: LogInternals, index: SnapshotIndex, position: number): Io<IndexRuntime> {
  const loaded = yield* loadedAt(index, position, log.position);
  const runtime = loaded ?? (yield* index.again(undefined));
  const track = new Track(log, runtime.position, false);
  track.add(runtime);
  yield* track.advance(position);
  return runtime;
}

function* begin({ log }: SnapshotSource, identity: Identity, position: number): Io<SortedWriter> {
  const { paths, storeId, segments, environment } = log;
  const { kind, name, version, fingerprint } = identity;
  const { seal, time } = yield* endAt(segments, position);
  const file = snapshotName(identity, position);
  return yield* SortedWriter.begin(paths.snapshots, file, environment.randomBytes, {
    snapshot: kind,
    store: storeId,
    position,
    time,
    seal,
    name,
    version,
    fingerprint,
  });
}

function* endAt(
  segments: LogInternals['segments'],
  position: number,
): Io<{ readonly seal: string; readonly time: string }> {
  const { snapshot } = segments;
  if (snapshot?.position === position) return snapshot;
  const first = yield* segments.segmentOf(position);
  const { seal } = yield* segments.closingOf(first);
  // biome-ignore lint/correctness/useYield: every index knows its facts at once
  const time = yield* segments.ask(first, function* (index): Io<string> {
    return index.lastTime;
  });
  return { seal, time };
}

/**
 * States that the latest snapshots lack are folded from the newest one that has them, and what stands behind it in the log. That one stays too: what
 * it covers may have been dropped.
 */
function* removeOlderStates(source: SnapshotSource, shelf: Shelf): Io<void> {
  yield* shelf.look();
  let whole: number | undefined;
  for (const position of shelf.positions) {
    const unsaved = yield* unsavedOf(shelf, position);
    if (unsaved !== 0) continue;
    whole = position;
    break;
  }
  const names = shelf.positions.map((position) => snapshotName(shelf.identity, position));
  const kept = whole === undefined ? undefined : snapshotName(shelf.identity, whole);
  yield* removeOlder(source, names, kept);
}

/** `undefined` for one that cannot be opened. */
function* unsavedOf(shelf: Shelf, position: number): Io<number | undefined> {
  try {
    return yield* unsavedUnlessBroken(shelf, yield* shelf.open(position));
  } catch (error) {
    if (!(error instanceof SortedProblem)) throw error;
    return undefined;
  }
}

function* removeOlderOf(source: SnapshotSource, shelf: Shelf): Io<void> {
  yield* shelf.look();
  const names = shelf.positions.map((position) => snapshotName(shelf.identity, position));
  yield* removeOlder(source, names);
}

/** All but the newest few of the log itself. */
export function* removeOldLogSnapshots(source: SnapshotSource): Io<void> {
  const names = logPositions(yield* listSnapshots(source.log.paths)).map(logSnapshotName);
  yield* removeOlder(source, names);
}

/**
 * @param names - newest first
 * @param spared - one that stays in any case
 */
function* removeOlder(
  { log, kept }: SnapshotSource,
  names: readonly string[],
  spared?: string,
): Io<void> {
  for (const name of names.slice(kept)) {
    if (name === spared) continue;
    const path = join(log.paths.snapshots, name);
    yield* log.segments.sorted.forget(path);
    yield* removeIfThere(path);
  }
}
