/** A store on a simulated disk whose events are days apart, for what is done with those that are old. */
import type { StoreOptions } from '#src/index.js';
import type { Disk } from '#src/log/disk.js';
import type { Environment } from '#src/log/environment.js';
import { type Io, runSync } from '#src/log/io.js';
import { type StoreReport, verifyFound, verifyStoreOnSync } from '#src/log/maintenance.js';
import { findStoreSync } from '#src/log/open.js';
import { type LogListing, listLog, pathsOf } from '#src/log/paths.js';
import type { VerifyOptions } from '#src/log/verify.js';
import { openStoreOn, type Store } from '#src/store.js';
import { counted } from './counted.js';
import { SimulatedDisk } from './simulated-disk.js';
import { DIRECTORY, environmentOn, randomOn } from './story.js';
import { verificationOf } from './verification.js';

export const paths = pathsOf(DIRECTORY);
export const DAY_MS = 86_400_000;

/** Opens the store in segments of a few commits. */
export async function openOn(
  disk: SimulatedDisk,
  name: string,
  options: StoreOptions = {},
  diskOf = (own: Disk): Disk => own,
): Promise<Store> {
  const environment = environmentOn(disk.process(name), disk, randomOn(disk, name.charCodeAt(0)));
  const parts = { ...environment, disk: diskOf(environment.disk) };
  return await openStoreOn(parts, DIRECTORY, { segmentBytes: 4096, ...options });
}

/**
 * One of two streams with thirty events each, which a projection counts.
 * @param diskOf - what it is to take for its disk
 */
export async function agedStore(options: StoreOptions = {}, diskOf?: (own: Disk) => Disk) {
  const disk = new SimulatedDisk();
  const store = await openOn(disk, 'a', { projections: [counted], ...options }, diskOf);
  await append(store, disk, ['a/1', 'b/1'], 60);
  await store.flush();
  return { disk, store };
}

/** Appends so many events, ten a day, to these streams in turn. */
export async function append(
  store: Store,
  disk: SimulatedDisk,
  streams: readonly string[],
  count: number,
): Promise<void> {
  for (let number = 0; number < count; number += 1) {
    const stream = streams[number % streams.length] as string;
    const idempotencyKey = `${stream}-${store.head.position}`;
    await store.append(
      stream,
      { type: 'added', data: { by: 1, text: 'x'.repeat(60) } },
      { idempotencyKey },
    );
    disk.clock.advance(DAY_MS / 10);
  }
}

export function listing(disk: SimulatedDisk): LogListing {
  return runSync(disk.process('lister'), listLog(paths));
}

const settings = verificationOf(paths);

export function verified(disk: SimulatedDisk, options: VerifyOptions = {}): StoreReport {
  return verifyStoreOnSync(looking(disk), settings, options);
}

/** The work of verifying the store as it is now. */
export function verifying(disk: SimulatedDisk, options: VerifyOptions): Io<StoreReport> {
  const environment = looking(disk);
  return verifyFound(environment.disk, paths, findStoreSync(environment, settings), options);
}

function looking(disk: SimulatedDisk): Environment {
  return environmentOn(disk.process('v'), disk, randomOn(disk, 1));
}
