/**
 * Snapshots of definitions that are no longer those of this program. Those of another program that reads the store are kept, told by the registry,
 * and of all others the latest few, for a program that goes back to an older version: it need not fold everything again.
 * What goes with them: what the registry says of them, and where the events of their keys stand.
 */
import { join } from 'node:path';
import type { LogInternals } from '../log/internals.js';
import type { Io } from '../log/io.js';
import {
  identityBeginning,
  identityText,
  listIndexes,
  listSnapshots,
  snapshotPositions,
} from '../log/snapshot-files.js';
import { removeIfThere } from '../log/sorted-write.js';
import { type ProjectionIdentity, registrations, unregister } from './registry.js';

/** Definitions that no program has open, and whose snapshots are kept. */
export const OTHERS_KEPT = 4;
const KINDS = ['projection', 'index'] as const;
const PROJECTION = /^projection-(.+)-[0-9]{20}\.ndjson$/;
const PLACES = /^[0-9]{20}-(.+)\.ndjson$/;
const SNAPSHOT = /^((?:projection|index)-.+-)[0-9]{20}\.ndjson$/;

/** Removes them. When a registration cannot be read, nobody knows whose they are, and all stay. */
export function* removeOldSnapshots(
  log: LogInternals,
  own: readonly ProjectionIdentity[],
): Io<void> {
  const { paths, environment, segments } = log;
  const known = yield* registrations(paths, environment.clock());
  if (!known) return;
  const names = yield* listSnapshots(paths);
  const others = new Map<string, string[]>();
  for (const name of names) {
    const [, beginning] = SNAPSHOT.exec(name) ?? [];
    if (beginning === undefined) continue;
    const same = others.get(beginning);
    if (same) same.push(name);
    else others.set(beginning, [name]);
  }
  for (const identity of [...own, ...known]) {
    for (const kind of KINDS) {
      others.delete(identityBeginning({ ...identity, kind }));
    }
  }
  const newest = (beginning: string) => snapshotPositions(names, beginning)[0] ?? 0;
  const latest = [...others.keys()].sort((a, b) => newest(b) - newest(a) || (a < b ? -1 : 1));
  const gone = new Set(latest.slice(OTHERS_KEPT));
  const stays = (name: string) => !gone.has(SNAPSHOT.exec(name)?.[1] ?? '');
  // First what is noted of them: a program that comes back must not be believed to have covered what it has lost.
  yield* unregister(paths, environment.clock(), (identity) => {
    return names.some((name) => isOf(name, identity) && stays(name));
  });
  for (const beginning of gone) {
    for (const name of others.get(beginning) ?? []) {
      const path = join(paths.snapshots, name);
      yield* segments.sorted.forget(path);
      yield* removeIfThere(path);
    }
  }
  const used = [...own, ...known].map((identity) => identityText(identity));
  const left = names.filter(stays).map((name) => PROJECTION.exec(name)?.[1] ?? '');
  yield* removePlaces(log, new Set([...used, ...left]));
}

function isOf(name: string, identity: ProjectionIdentity): boolean {
  return KINDS.some((kind) => name.startsWith(identityBeginning({ ...identity, kind })));
}

/** Removes the files in `index/` that tell where the keys of projections stand that are no longer used. */
function* removePlaces({ paths, segments }: LogInternals, used: ReadonlySet<string>): Io<void> {
  for (const name of yield* listIndexes(paths)) {
    const [, text] = PLACES.exec(name) ?? [];
    if (text === undefined || used.has(text)) continue;
    const path = join(paths.index, name);
    yield* segments.sorted.forget(path);
    yield* removeIfThere(path);
  }
}
