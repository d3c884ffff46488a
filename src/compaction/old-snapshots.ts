/**
 * Snapshots of definitions that are no longer those of this program. Those of another program that reads the store are kept, told by the registry,
 * and of all others the latest few, for a program that goes back to an older version: it need not fold everything again.
 */
import { join } from 'node:path';
import type { LogInternals } from '../log/internals.js';
import type { Io } from '../log/io.js';
import { identityBeginning, listSnapshots, snapshotPositions } from '../log/snapshot-files.js';
import { removeIfThere } from '../log/sorted-write.js';
import { type ProjectionIdentity, registrations } from './registry.js';

/** Definitions that no program has open, and whose snapshots are kept. */
export const OTHERS_KEPT = 4;
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
    for (const kind of ['projection', 'index'] as const) {
      others.delete(identityBeginning({ ...identity, kind }));
    }
  }
  const newest = (beginning: string) => snapshotPositions(names, beginning)[0] ?? 0;
  const latest = [...others.keys()].sort((a, b) => newest(b) - newest(a) || (a < b ? -1 : 1));
  for (const beginning of latest.slice(OTHERS_KEPT)) {
    for (const name of others.get(beginning) ?? []) {
      const path = join(paths.snapshots, name);
      yield* segments.sorted.forget(path);
      yield* removeIfThere(path);
    }
  }
}
