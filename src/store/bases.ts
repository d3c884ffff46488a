/** The snapshots that an open store begins with: what they hold need not be folded again. */
import type { LogInternals } from '../log/internals.js';
import type { Io } from '../log/io.js';
import type { Identity } from '../log/snapshot-files.js';
import { ABSENT } from '../projections/fold.js';
import { Shelf } from '../projections/shelf.js';
import { ProjectionSnapshot } from '../projections/snapshot.js';
import type { StoreSettings } from './options.js';

export interface ProjectionBase {
  readonly shelf: Shelf;
  readonly snapshot: ProjectionSnapshot | undefined;
}

export interface IndexBase {
  readonly shelf: Shelf;
  /** As of which it was saved last, 0 for never: it is loaded later. */
  readonly position: number;
}

/** By name: no two definitions of a store share one. */
export interface Bases {
  readonly projections: ReadonlyMap<string, ProjectionBase>;
  readonly indexes: ReadonlyMap<string, IndexBase>;
}

export function identityOf(kind: Identity['kind'], definition: Omit<Identity, 'kind'>): Identity {
  const { name, version, fingerprint } = definition;
  return { kind, name, version, fingerprint };
}

/** @throws StoreDamagedError when a snapshot is right in itself, and the log is not as it says */
export function* findBases(log: LogInternals, settings: StoreSettings): Io<Bases> {
  const projections = new Map<string, ProjectionBase>();
  for (const definition of settings.projections) {
    const shelf = new Shelf(log, identityOf('projection', definition));
    const file = yield* shelf.newest(log.position, log.position);
    const snapshot = file && new ProjectionSnapshot(file, ABSENT);
    projections.set(definition.name, { shelf, snapshot });
  }
  const indexes = new Map<string, IndexBase>();
  for (const definition of settings.indexes) {
    const shelf = new Shelf(log, identityOf('index', definition));
    const file = yield* shelf.newest(log.position, log.position);
    indexes.set(definition.name, { shelf, position: file?.header.position ?? 0 });
  }
  return { projections, indexes };
}
