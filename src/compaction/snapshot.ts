/**
 * Makes snapshots of all that is derived from the log: of the log itself, of every projection and of every index (docs/FORMAT.md, "Snapshots").
 *
 * Invariants:
 * - all of them are as of the same position, the end of a closed segment, and all that they are made of is durable;
 * - nothing older goes before what replaces it is in place, read back and durable;
 * - whoever reads or appends meanwhile goes on: states as of that position are folded beside the newer ones.
 */
import type { LogInternals } from '../log/internals.js';
import type { Io } from '../log/io.js';
import { makeSnapshotDirectory } from '../log/snapshot-files.js';
import type { ProjectionRuntime } from '../projections/projection.js';
import { Course } from './course.js';
import { couldBeSaved, isThere, snapshotIndex } from './index-snapshot.js';
import { removeOldSnapshots } from './old-snapshots.js';
import { snapshotProjection, unsavedAt } from './projection-snapshot.js';
import {
  PORTION_COMMITS,
  removeOldLogSnapshots,
  type SnapshotPart,
  type SnapshotReport,
  type SnapshotSource,
} from './snapshot-source.js';

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
