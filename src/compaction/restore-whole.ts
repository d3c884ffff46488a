/** A restore that leaves nothing out: a copy of every byte, verified, with one commit behind it that says where it came from. */
import { StoreDamagedError } from '../errors.js';
import { firstAnchor } from '../log/anchor.js';
import { Beside } from '../log/beside.js';
import type { Envelope } from '../log/envelope.js';
import { examineTail } from '../log/examine.js';
import { LOCK_FILE } from '../log/format.js';
import { ask, closeQuietly, type Io, runAsync } from '../log/io.js';
import { readFully } from '../log/open-files.js';
import { listLog, type Paths, readable } from '../log/paths.js';
import { type Place, samePlace } from '../log/place.js';
import { remainsVersions } from '../log/remains.js';
import { type StoreFacts, storeFactsOf } from '../log/store-file.js';
import { verifyLog } from '../log/verify.js';
import { putInPlace, writeWhole } from '../log/whole-file.js';
import { copyLive } from './live-copy.js';
import { bytesOf, checkFile, type Manifest } from './manifest.js';
import { appendOrigin, ORIGIN_STREAM, type Origin, type OriginPlace } from './origin.js';
import { type RestoreReport, type Restoring, reportOf } from './restoring.js';
import { findSource, holdCompaction, sourceSettings } from './source.js';
import { StoreCopy } from './store-copy.js';
import { ANCHOR_FILE, pathOfFile, STORE_FILE } from './store-files.js';

/** What was copied: the store's facts, and where its log ends. */
interface Copied {
  readonly store: StoreFacts;
  readonly place: Place;
}

export interface RestoringWhole extends Restoring {
  /** Give nothing when the source has gone on beyond that position. */
  readonly only?: number;
}

export function restoreWhole(restoring: Restoring): Promise<RestoreReport>;
export function restoreWhole(restoring: RestoringWhole): Promise<RestoreReport | undefined>;
export async function restoreWhole(restoring: RestoringWhole): Promise<RestoreReport | undefined> {
  const { environment, source, target, course, manifest, options } = restoring;
  const run = <T>(work: Io<T>): Promise<T> => runAsync(environment.disk, work);
  if (manifest) return await intoPlace(restoring, (copy) => run(copyBackup(copy, manifest)));
  const settings = sourceSettings(source, options);
  const first = await findSource(environment, settings);
  closeQuietly(environment.disk, first.lockFile);
  const { paths, lockTimeoutMs } = settings;
  const release = await holdCompaction(environment, paths, lockTimeoutMs, course);
  try {
    return await intoPlace(restoring, (copy) => copyStore(restoring, copy));
  } finally {
    release();
  }

  async function intoPlace(
    { only }: RestoringWhole,
    fill: (copy: StoreCopy) => Promise<Copied | undefined>,
  ): Promise<RestoreReport | undefined> {
    const beside = await run(Beside.begin(environment, target));
    try {
      const copy = new StoreCopy(source, beside.directory, course);
      const copied = await fill(copy);
      if (!copied || (only !== undefined && copied.place.position !== only)) {
        await run(beside.discard());
        return undefined;
      }
      return await run(finish(restoring, beside, copy, copied));
    } catch (error) {
      await run(beside.discard());
      throw error;
    }
  }
}

/** Copies what the manifest names, each file compared with what it says. */
function* copyBackup(copy: StoreCopy, manifest: Manifest): Io<Copied> {
  const { course } = copy;
  const { directory } = copy.source;
  course.begin('copy', 'bytes', bytesOf(manifest.files));
  for (const file of manifest.files) {
    // It is not needed here; that it is whole is part of the backup being whole.
    const facts = yield* ask('facts', pathOfFile(directory, file.name));
    if (!facts) checkFile(directory, file, undefined);
    if (file.name === LOCK_FILE) continue;
    checkFile(directory, file, yield* copy.take(file.name, false));
  }
  course.end();
  const store = yield* factsIn(copy);
  if (store.id !== manifest.store) {
    const problem = 'it is of another store than the manifest says';
    throw new StoreDamagedError({ directory, file: copy.source.store, offset: 0, problem });
  }
  return { store, place: manifest.place };
}

async function copyStore(
  { environment, source, course, options }: Restoring,
  copy: StoreCopy,
): Promise<Copied> {
  const { disk } = environment;
  course.begin('copy', 'bytes');
  const settings = sourceSettings(source, options);
  const { place, store } = await copyLive(disk, copy, () => findSource(environment, settings));
  await runAsync(disk, copy.take(STORE_FILE, false));
  course.end();
  return { store, place };
}

const STORE_FILE_BYTES_MAX = 4096;

function* readSmall(path: string): Io<Buffer> {
  const file = yield* ask('open', path, 'read');
  try {
    const bytes = Buffer.alloc(STORE_FILE_BYTES_MAX);
    return bytes.subarray(0, yield* readFully(file, bytes, 0, bytes.length, 0));
  } finally {
    yield* ask('close', file);
  }
}

function* factsIn({ paths, source }: StoreCopy): Io<StoreFacts> {
  const bytes = yield* readSmall(paths.store);
  return storeFactsOf(bytes, source.directory, source.store);
}

function* finish(
  { environment, target, manifest }: Restoring,
  beside: Beside,
  copy: StoreCopy,
  { store, place }: Copied,
): Io<RestoreReport> {
  const { paths } = copy;
  // Until all is verified, and store.json comes last, it is no store.
  const storeFile = yield* readSmall(paths.store);
  yield* ask('remove', paths.store);
  yield* ask('makeDirectory', paths.index);
  yield* writeWhole(paths.anchor, firstAnchor(place));
  const { time, version } = yield* verifyCopy(copy, store, place);
  const origin: Origin = {
    from: manifest ? 'backup' : 'store',
    store: store.id,
    position: place.position,
    time: time === '' ? null : time,
    head: { position: place.position, seal: place.seal },
  };
  const end = yield* appendOrigin(environment, paths, { place, time, version }, origin);
  const tail = yield* examineTail(paths, store.id, place, { laterGroupsProve: true });
  if (tail.end.kind !== 'clean' || !samePlace(tail.place, end)) {
    copy.failReadBack('the last commit');
  }
  yield* writeWhole(paths.anchor, firstAnchor(end));
  yield* copy.sync();
  yield* putInPlace(paths.directory, STORE_FILE, storeFile);
  yield* beside.publish();
  const head = Object.freeze({ position: end.position, time: tail.time, seal: end.seal });
  return reportOf(target, store.id, origin, head);
}

/** Reads the copy from its first byte; gives what the commit behind it must know. */
function* verifyCopy(
  copy: StoreCopy,
  store: StoreFacts,
  place: Place,
): Io<Omit<OriginPlace, 'place'>> {
  const { course, paths } = copy;
  course.begin('verify', 'bytes', copy.bytes);
  const options = { onProgress: ({ bytes }: { bytes: number }) => course.reach(bytes) };
  let version = yield* droppedOriginVersion(paths);
  const report = yield* verifyLog(paths, store, place, options, {
    commit: (envelope, buffer) => {
      version += originEventsIn(envelope, buffer);
    },
  });
  if (report.damage) throw copy.damaged(report.damage);
  yield* copy.verifyFinished([ANCHOR_FILE, STORE_FILE]);
  course.end();
  return { time: report.lastTime ?? '', version };
}

/** Earlier restores of which only the remains of dropped segments tell; versions go on behind them. */
function* droppedOriginVersion(paths: Paths): Io<number> {
  let version = 0;
  const listing = yield* listLog(paths);
  const present = new Set(readable(listing));
  for (const first of listing.dropped) {
    // What is left of a drop that went no further counts for nothing: its events are there, and are counted.
    if (present.has(first)) continue;
    version = (yield* remainsVersions(paths, first)).get(ORIGIN_STREAM) ?? version;
  }
  return version;
}

const ORIGIN_NAME = Buffer.from(ORIGIN_STREAM);

function originEventsIn(envelope: Envelope, buffer: Buffer): number {
  let events = 0;
  for (let index = 0; index < envelope.eventCount; index += 1) {
    const start = envelope.streamStart(index);
    if (buffer[start] !== ORIGIN_NAME[0]) continue;
    if (ORIGIN_NAME.compare(buffer, start, envelope.streamEnd(index)) === 0) events += 1;
  }
  return events;
}
