/** Names of the files in `snapshots/` and of place files in `index/`, and which of them there are. Names of projections never become paths. */
import { join } from 'node:path';
import { systemCode } from '../errors.js';
import { ask, type Io } from './io.js';
import type { Paths } from './paths.js';
import { removeIfThere } from './sorted-write.js';

/** Whose a snapshot is: a projection or an index, as its definition declares it. */
export interface Identity {
  readonly kind: 'projection' | 'index';
  readonly name: string;
  readonly version: number;
  /** SHA-256, hex. */
  readonly fingerprint: string;
}

const SLUG_MAX = 40;
const PRINT_DIGITS = 16;

/** What the names of all files of an identity have in common. */
export function identityText({ name, version, fingerprint }: Omit<Identity, 'kind'>): string {
  const slug = name.slice(0, SLUG_MAX).replace(/[^a-z0-9]/g, '_');
  return `${slug}-${version}-${fingerprint.slice(0, PRINT_DIGITS)}`;
}

function digits(position: number): string {
  return String(position).padStart(20, '0');
}

export function logSnapshotName(position: number): string {
  return `log-${digits(position)}.ndjson`;
}

/** What the names of all snapshots of an identity begin with. */
export function identityBeginning(identity: Identity): string {
  return `${identity.kind}-${identityText(identity)}-`;
}

export function snapshotName(identity: Identity, position: number): string {
  return `${identityBeginning(identity)}${digits(position)}.ndjson`;
}

/** The name of a file with the places of a projection's keys in a segment. */
export function placesName(identity: Identity, first: number): string {
  return `${digits(first)}-${identityText(identity)}.ndjson`;
}

const POSITION = /^([0-9]{20})\.ndjson$/;

/** The positions of the files whose names begin so, the newest first. */
function positionsOf(names: readonly string[], beginning: string): number[] {
  const positions: number[] = [];
  for (const name of names) {
    if (!name.startsWith(beginning)) continue;
    const match = POSITION.exec(name.slice(beginning.length));
    const position = Number(match?.[1] ?? Number.NaN);
    if (Number.isSafeInteger(position) && position > 0) positions.push(position);
  }
  return positions.sort((a, b) => b - a);
}

/** Names in `snapshots/`; none when there is no such directory, or it cannot be read. */
export function* listSnapshots(paths: Paths): Io<string[]> {
  try {
    return yield* ask('list', paths.snapshots);
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined || code === 'EMFILE' || code === 'ENFILE') throw error;
    return [];
  }
}

/** Names in `index/`; none when there is no such directory, or it cannot be read. */
export function* listIndexes(paths: Paths): Io<string[]> {
  try {
    return yield* ask('list', paths.index);
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined || code === 'EMFILE' || code === 'ENFILE') throw error;
    return [];
  }
}

export function logPositions(names: readonly string[]): number[] {
  return positionsOf(names, 'log-');
}

/** The positions of the snapshots of an identity, whose names begin so, the newest first. */
export function snapshotPositions(names: readonly string[], beginning: string): number[] {
  return positionsOf(names, beginning);
}

export function* makeSnapshotDirectory(paths: Paths): Io<void> {
  if ((yield* ask('facts', paths.snapshots)) !== undefined) return;
  try {
    yield* ask('makeDirectory', paths.snapshots);
  } catch (error) {
    // Another one made it at the same time.
    if (systemCode(error) !== 'EEXIST') throw error;
  }
  yield* ask('syncDirectory', paths.directory);
}

/** Removes what writers of snapshots left when they died. */
export function* removeSnapshotLeftovers(paths: Paths): Io<void> {
  for (const name of yield* listSnapshots(paths)) {
    if (name.endsWith('.tmp')) yield* removeIfThere(join(paths.snapshots, name));
  }
}
