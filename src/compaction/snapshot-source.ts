/** What snapshots are made of, and the beginning and the end of making one. */
import { join } from 'node:path';
import type { LogInternals } from '../log/internals.js';
import type { Io } from '../log/io.js';
import {
  type Identity,
  listSnapshots,
  logPositions,
  logSnapshotName,
  snapshotName,
} from '../log/snapshot-files.js';
import { removeIfThere, SortedWriter } from '../log/sorted-write.js';
import type { IndexSource } from '../projections/define-index.js';
import type { Engine } from '../projections/engine.js';
import type { IndexRuntime, SavedIndex } from '../projections/index-runtime.js';
import type { ProjectionRuntime } from '../projections/projection.js';
import type { Shelf } from '../projections/shelf.js';

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

/** What became of it, without its name. */
export type Made = Omit<SnapshotPart, 'name' | 'version'>;

/** Commits routed at once. */
export const PORTION_COMMITS = 500;

/** A file of a snapshot as of that position. */
export function* beginSnapshot(
  { log }: SnapshotSource,
  identity: Identity,
  position: number,
): Io<SortedWriter> {
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

/** All but the newest few of the log itself. */
export function* removeOldLogSnapshots(source: SnapshotSource): Io<void> {
  const names = logPositions(yield* listSnapshots(source.log.paths)).map(logSnapshotName);
  yield* removeOlder(source, names);
}

/**
 * @param names - newest first
 * @param spared - one that stays in any case
 */
export function* removeOlder(
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
