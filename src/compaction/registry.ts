/**
 * The projections that read a store, one small file for each (docs/FORMAT.md, "The registry of projections"). Programs that open the store put theirs
 * there; retention drops nothing that one of them has not covered.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { systemCode } from '../errors.js';
import { checksumHolds } from '../log/decode.js';
import { finishedLine } from '../log/encode.js';
import { isoTime } from '../log/group.js';
import { ask, type Io } from '../log/io.js';
import { readFully } from '../log/open-files.js';
import type { Paths } from '../log/paths.js';
import { removeIfThere } from '../log/sorted-write.js';
import { writeAll } from '../log/whole-file.js';
import type { Covered } from './retention.js';

/** Which code a projection is. */
export interface ProjectionIdentity {
  readonly name: string;
  readonly version: number;
  readonly fingerprint: string;
}

export interface Registration extends ProjectionIdentity {
  /** A verified snapshot stands for all events up to this position; 0 when there is none. */
  readonly covered: number;
  /** When a program that reads it had the store open last, ISO 8601. */
  readonly seen: string;
}

/** One that no program had open for so long holds nothing back any more, ms. */
export const FORGOTTEN_MS: number = 30 * 86_400_000;
/** A registration is written again when it is older than this, ms. */
export const FRESH_MS: number = 86_400_000;
const FILE_BYTES_MAX = 4096;
/** Programs would have to be opened again and again, each in the same moment. */
const ATTEMPTS_MAX = 10;
const NAME = /^[0-9a-f]{32}\.json$/;

function fileName({ name, version, fingerprint }: ProjectionIdentity): string {
  const text = [name, version, fingerprint].join('\n');
  return `${createHash('sha256').update(text).digest('hex').slice(0, 32)}.json`;
}

function encode({ name, version, fingerprint, covered, seen }: Registration): Buffer {
  return finishedLine(
    `{"projection":${JSON.stringify(name)},"version":${version},"fingerprint":${JSON.stringify(fingerprint)},"covered":${covered},"seen":"${seen}"`,
  );
}

function decode(line: Buffer): Registration | undefined {
  if (!checksumHolds(line, 0, line.length)) return undefined;
  const value = JSON.parse(line.toString('utf8')) as Record<string, unknown>;
  const { projection: name, version, fingerprint, covered, seen } = value;
  const registration = { name, version, fingerprint, covered, seen } as Registration;
  return encode(registration).equals(line) ? registration : undefined;
}

function* readOne(path: string): Io<Registration | undefined> {
  const file = yield* ask('open', path, 'read');
  try {
    const bytes = Buffer.alloc(FILE_BYTES_MAX);
    return decode(bytes.subarray(0, yield* readFully(file, bytes, 0, bytes.length, 0)));
  } finally {
    yield* ask('close', file);
  }
}

function* readIfThere(path: string): Io<Registration | undefined> {
  try {
    return yield* readOne(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    return undefined;
  }
}

/** Notes that a program has the projection open, and what it has covered. A lower position than what is noted changes nothing. */
export function* register(
  paths: Paths,
  identity: ProjectionIdentity,
  covered: number,
  now: number,
  randomBytes: (count: number) => Buffer,
): Io<void> {
  const path = join(paths.registry, fileName(identity));
  const known = yield* readIfThere(path);
  const isFresh = known && now - Date.parse(known.seen) < FRESH_MS && known.covered >= covered;
  if (isFresh) return;
  const { name, version, fingerprint } = identity;
  const most = Math.max(covered, known?.covered ?? 0);
  const line = encode({ name, version, fingerprint, covered: most, seen: isoTime(now) });
  yield* makeRegistry(paths);
  for (let attempt = 1; ; attempt += 1) {
    try {
      yield* putInPlace(path, line, randomBytes);
      break;
    } catch (error) {
      // Another program that opens the store took the file away for one that was left over.
      if (systemCode(error) !== 'ENOENT' || attempt === ATTEMPTS_MAX) throw error;
    }
  }
  yield* ask('syncDirectory', paths.registry);
}

/** Another program may register the same one at the same time: each renames a whole file. */
function* putInPlace(path: string, line: Buffer, randomBytes: (count: number) => Buffer): Io<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  const file = yield* ask('open', temporary, 'create');
  try {
    yield* writeAll(file, line, 0);
    yield* ask('sync', file);
  } finally {
    yield* ask('close', file);
  }
  yield* ask('rename', temporary, path);
}

function* makeRegistry(paths: Paths): Io<void> {
  if ((yield* ask('facts', paths.registry)) !== undefined) return;
  try {
    yield* ask('makeDirectory', paths.registry);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
  yield* ask('syncDirectory', paths.directory);
}

/** Takes away what is noted of projections that no program had open lately, and of which no snapshot is left: what they had covered they must fold again. */
export function* unregister(
  paths: Paths,
  now: number,
  hasSnapshots: (identity: ProjectionIdentity) => boolean,
): Io<void> {
  let removed = false;
  for (const file of yield* filesIn(paths)) {
    const path = join(paths.registry, file);
    const known = yield* readIfThere(path);
    if (!known || !isForgotten(known, now) || hasSnapshots(known)) continue;
    yield* removeIfThere(path);
    removed = true;
  }
  if (removed) yield* ask('syncDirectory', paths.registry);
}

function isForgotten({ seen }: Registration, now: number): boolean {
  return now - Date.parse(seen) >= FORGOTTEN_MS;
}

function* filesIn(paths: Paths): Io<string[]> {
  try {
    return (yield* ask('list', paths.registry)).filter((name) => NAME.test(name));
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    return [];
  }
}

/** The programs that had a store open lately, by the file of each; `undefined` for a file that cannot be read. */
function* recent(paths: Paths, now: number): Io<Map<string, Registration | undefined>> {
  const found = new Map<string, Registration | undefined>();
  for (const file of yield* filesIn(paths)) {
    const registration = yield* readIfThere(join(paths.registry, file));
    if (!registration || !isForgotten(registration, now)) found.set(file, registration);
  }
  return found;
}

/** Those that a program had open lately; `undefined` when one of them cannot be read. */
export function* registrations(paths: Paths, now: number): Io<Registration[] | undefined> {
  const found = [...(yield* recent(paths, now)).values()];
  return found.every((each) => each !== undefined) ? found : undefined;
}

/**
 * What retention must not drop behind, the one that covered least first: those that a program had open lately. A file that cannot be read stands for
 * one that covered nothing.
 * @param noted - what is about to be registered
 */
export function* registered(
  paths: Paths,
  now: number,
  noted: readonly (ProjectionIdentity & Covered)[] = [],
): Io<Covered[]> {
  const projections = new Map<string, Covered>();
  for (const [file, found] of yield* recent(paths, now)) {
    const broken = { name: `in registry/${file}, which is broken`, covered: 0 };
    projections.set(file, found ?? broken);
  }
  for (const identity of noted) {
    const file = fileName(identity);
    const known = yield* readIfThere(join(paths.registry, file));
    const covered = Math.max(identity.covered, known?.covered ?? 0);
    projections.set(file, { name: identity.name, covered });
  }
  return [...projections.values()].sort(
    (a, b) => a.covered - b.covered || (a.name < b.name ? -1 : Number(a.name > b.name)),
  );
}
