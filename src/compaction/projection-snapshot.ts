/** Snapshots of projections: states that were not touched are taken over from the snapshot before, the others are folded. */
import type { Io } from '../log/io.js';
import { rest } from '../log/io.js';
import { Merged, type SortedSource, sortedInSlices } from '../log/merge.js';
import { snapshotName } from '../log/snapshot-files.js';
import { SortedProblem } from '../log/sorted-format.js';
import type { SortedFile, SortedLine } from '../log/sorted-read.js';
import type { SortedWriter } from '../log/sorted-write.js';
import type { Ground } from '../projections/ground.js';
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
import {
  beginSnapshot,
  type Made,
  PORTION_COMMITS,
  removeOlder,
  type SnapshotPart,
  type SnapshotSource,
} from './snapshot-source.js';

/** Keys folded at once: the more, the fewer times a commit is decoded in which many of them have an event. */
const PORTION_KEYS = 128;
const PORTION_KEYS_MAX = 8192;
/** What the lines of a portion should take. */
const PORTION_BYTES = 1024 * 1024;

/** Writes one unless it is there. */
export function* snapshotProjection(
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
export function* unsavedAt(
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
  const writer = yield* beginSnapshot(source, shelf.identity, position);
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

/**
 * A sorted sequence in portions of the size that is asked for, or smaller ones where many lines are taken over: these need nothing done together, and held for
 * long they would become old objects, a hundred megabytes of them for a million keys.
 */
class Portioned {
  readonly #source: SortedSource<Line>;
  #waiting: readonly Line[] = [];
  #next = 0;

  constructor(source: SortedSource<Line>) {
    this.#source = source;
  }

  *next(most: number): Io<readonly Line[] | undefined> {
    const found: Line[] = [];
    let filed = 0;
    while (found.length < most && filed < PORTION_KEYS) {
      if (this.#next === this.#waiting.length) {
        this.#waiting = (yield* this.#source.next()) ?? [];
        this.#next = 0;
        if (this.#waiting.length === 0) break;
      }
      const line = this.#waiting[this.#next] as Line;
      this.#next += 1;
      found.push(line);
      if (line.text !== undefined) filed += 1;
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
