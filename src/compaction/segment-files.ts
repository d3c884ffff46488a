/** The files that segments stand in, in the log and in the archive, and what they take: as they are, and as they will be. */
import { closingLine, headerLine } from '../log/encode.js';
import type { LogInternals } from '../log/internals.js';
import { ask, type Io } from '../log/io.js';
import { listLog } from '../log/paths.js';

export interface SegmentFile {
  /** First position of the segment. */
  readonly first: number;
  readonly bytes: number;
}

export interface SegmentFiles {
  readonly plain: readonly SegmentFile[];
  readonly archived: readonly SegmentFile[];
}

export function* filesOf({ paths }: LogInternals): Io<SegmentFiles> {
  const { plain, archived } = yield* listLog(paths);
  return {
    plain: yield* measured(plain, (first) => paths.segment(first)),
    archived: yield* measured(archived, (first) => paths.archived(first)),
  };
}

function* measured(
  firsts: readonly number[],
  pathOf: (first: number) => string,
): Io<SegmentFile[]> {
  const files: SegmentFile[] = [];
  for (const first of firsts) {
    files.push({ first, bytes: (yield* ask('facts', pathOf(first)))?.size ?? 0 });
  }
  return files;
}

/** The same with that segment in the archive, whatever an earlier attempt left of it there. */
export function move(
  { plain, archived }: SegmentFiles,
  { first, archiveBytes }: { readonly first: number; readonly archiveBytes: number },
): SegmentFiles {
  const others = archived.filter((file) => file.first !== first);
  return {
    plain: plain.filter((file) => file.first !== first),
    archived: [...others, { first, bytes: archiveBytes }].sort((a, b) => a.first - b.first),
  };
}

/** The archives whose segment is nowhere else, oldest first, as far as they follow what was dropped without a gap. */
export function archivesOf({ plain, archived }: SegmentFiles): SegmentFile[] {
  const firstPlain = plain[0]?.first ?? Number.POSITIVE_INFINITY;
  return archived.filter(({ first }) => first < firstPlain);
}

export function bytesOf(files: readonly { readonly bytes: number }[]): number {
  return files.reduce((total, { bytes }) => total + bytes, 0);
}

export function sum({ plain, archived }: SegmentFiles): number {
  return bytesOf(plain) + bytesOf(archived);
}

/** Whether a snapshot will end the segment that is being written. */
export function isEnding({ position, tailFirst }: LogInternals): boolean {
  return position >= tailFirst;
}

/** What ending it adds: its closing line, and the first line of the next one. */
export function endingBytes(log: LogInternals): number {
  if (!isEnding(log)) return 0;
  const { position, storeId } = log;
  const seal = '0'.repeat(64);
  return closingLine(position, seal).length + headerLine(position + 1, storeId, seal).length;
}
