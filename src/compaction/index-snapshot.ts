/** Snapshots of indexes: what each of them saves, whatever is read and written meanwhile. */
import { HistoryPrunedError } from '../errors.js';
import type { LogInternals } from '../log/internals.js';
import type { Io } from '../log/io.js';
import { snapshotName } from '../log/snapshot-files.js';
import type { IndexRuntime } from '../projections/index-runtime.js';
import { newestParts, SavedParts } from '../projections/index-snapshot.js';
import type { Shelf } from '../projections/shelf.js';
import { Track } from '../projections/track.js';
import {
  beginSnapshot,
  type Made,
  PORTION_COMMITS,
  removeOlder,
  type SnapshotIndex,
  type SnapshotSource,
} from './snapshot-source.js';

/** Writes one unless it is there. */
export function* snapshotIndex(
  source: SnapshotSource,
  index: SnapshotIndex,
  position: number,
): Io<Made> {
  const { engine } = source;
  const { runtime, shelf } = index;
  yield* shelf.look();
  if (yield* isThere(source, index, position)) return { keys: 0, bytes: 0 };
  if (runtime.position < position) yield* engine.advanceTo(runtime, position, PORTION_COMMITS);
  const parts = yield* savedAt(source, index, position);
  if ('skipped' in parts) return { keys: 0, bytes: 0, ...parts };
  const writer = yield* beginSnapshot(source, shelf.identity, position);
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
export function* isThere(
  { log }: SnapshotSource,
  index: SnapshotIndex,
  position: number,
): Io<boolean> {
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
export function* couldBeSaved(
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

function* removeOlderOf(source: SnapshotSource, shelf: Shelf): Io<void> {
  yield* shelf.look();
  const names = shelf.positions.map((position) => snapshotName(shelf.identity, position));
  yield* removeOlder(source, names);
}
