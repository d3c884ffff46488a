/** What both ways of restoring are given, and what they give. */
import { HistoryPrunedError, StoreDamagedError } from '../errors.js';
import type { Environment } from '../log/environment.js';
import type { Log } from '../log/log.js';
import { beginningOf } from '../log/remains.js';
import type { Head } from '../log/types.js';
import type { Course } from './course.js';
import type { Manifest } from './manifest.js';
import type { Origin } from './origin.js';
import type { SourceOptions } from './source.js';

export interface RestoreReport {
  /** Where the new store stands. */
  readonly directory: string;
  /** Its id: that of the source, or a new one when commits were left out. */
  readonly id: string;
  /** The last position that was taken over. */
  readonly position: number;
  /** The end of the new store: one commit more, which tells where it came from. */
  readonly head: Head;
  readonly source: {
    readonly kind: Origin['from'];
    readonly id: string;
    readonly position: number;
    readonly seal: string;
  };
}

export interface Restoring {
  readonly environment: Environment;
  readonly source: string;
  readonly target: string;
  readonly course: Course;
  readonly options: SourceOptions;
  /** Of a source that is a backup. */
  readonly manifest: Manifest | undefined;
}

/** @throws StoreDamagedError for a log of which only the beginning can be read */
export function requireSound(log: Log, directory: string): void {
  const { state, file = directory, offset = 0, position = 0, problem } = log.recovery;
  if (state !== 'damaged') return;
  const facts = { directory, file, offset, position: position + 1 };
  throw new StoreDamagedError({ ...facts, problem: problem ?? 'it is damaged' });
}

/**
 * For whatever writes a log anew from its first commit on: without its beginning, versions and positions would be others.
 * @throws HistoryPrunedError when retention dropped the beginning
 */
export async function requireBeginning({ internals }: Log, hint: string): Promise<void> {
  const { paths, storeId } = internals;
  const { position } = await internals.run(beginningOf(paths, storeId));
  if (position > 0) throw new HistoryPrunedError(position + 1, hint);
}

/** The report of a restore, from what its last commit says. */
export function reportOf(target: string, id: string, origin: Origin, head: Head): RestoreReport {
  const { from: kind, store, position, head: source } = origin;
  return Object.freeze({
    directory: target,
    id,
    position,
    head,
    source: Object.freeze({ kind, id: store, ...source }),
  });
}
