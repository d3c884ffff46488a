/** Backup, restore and import on a simulated disk: what they begin with, and what must hold whenever they end. */

import { backupStoreOn } from '#src/compaction/backup.js';
import { importStoreOn } from '#src/compaction/import.js';
import { restoreStoreOn } from '#src/compaction/restore.js';
import { RecollectError } from '#src/errors.js';
import type { Environment } from '#src/log/environment.js';
import { type Io, runSync } from '#src/log/io.js';
import { LogBuilder } from '#src/log/log-builder.js';
import { verifyStoreOnSync } from '#src/log/maintenance.js';
import { openLogOnSync } from '#src/log/open-log.js';
import { pathsOf } from '#src/log/paths.js';
import { addTo, contentOf } from './built-store.js';
import { keepNewest, keepOldest, seededChooser } from './chooser.js';
import { SeededRandom } from './random.js';
import { SimulatedDisk } from './simulated-disk.js';
import { CrashError, type CrashMoment, type SimulatedProcess } from './simulated-process.js';
import { environmentOn } from './story.js';
import { verificationOf } from './verification.js';

export const SOURCE = '/store';
export const EARLIER = '/earlier';
export const BACKUP = '/full';
export const FILE = '/events.ndjson';
export const TARGET = '/there/target';

export interface Copying {
  run(environment: Environment): Promise<unknown>;
  /** Commits that the target then has. */
  readonly commits: number;
  readonly isBackup: boolean;
}

const GROUPS = [1, 3, 2, 4];
const COMMITS = 22;

export const copyings: Readonly<Record<string, Copying>> = {
  'a backup': {
    run: (environment) => backupStoreOn(environment, SOURCE, TARGET),
    commits: COMMITS,
    isBackup: true,
  },
  'an incremental backup': {
    run: (environment) => backupStoreOn(environment, SOURCE, TARGET, { since: EARLIER }),
    commits: COMMITS,
    isBackup: true,
  },
  'a restore of a backup': {
    run: (environment) => restoreStoreOn(environment, BACKUP, TARGET),
    commits: COMMITS + 1,
    isBackup: false,
  },
  'a restore of a store': {
    run: (environment) => restoreStoreOn(environment, SOURCE, TARGET),
    commits: COMMITS + 1,
    isBackup: false,
  },
  'a restore to an earlier position': {
    run: (environment) => restoreStoreOn(environment, BACKUP, TARGET, { to: 9 }),
    commits: 10,
    isBackup: false,
  },
  'an import': {
    run: (environment) => importStoreOn(environment, FILE, TARGET, { format: 'ndjson' }, 1000),
    commits: COMMITS,
    isBackup: false,
  },
};

export function environmentOf(
  process: SimulatedProcess,
  disk: SimulatedDisk,
  seed = 1,
): Environment {
  return environmentOn(process, disk, new SeededRandom(seed * 7919 + process.name.charCodeAt(0)));
}

/** A disk with a store, two backups of it, one of them from earlier, and a file of its events. */
export async function furnishedDisk(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk();
  const process = disk.process('setup');
  const environment = environmentOf(process, disk);
  const run = <T>(work: Io<T>): T => runSync(process, work);
  const builder = run(LogBuilder.begin(environment, SOURCE, { segmentBytes: 700 }));
  let number = 0;
  for (const commits of GROUPS) {
    for (let count = 0; count < commits; count += 1) {
      number += 1;
      run(addTo(builder, contentOf(number)));
    }
    run(builder.seal());
  }
  run(builder.publish());
  await backupStoreOn(environment, SOURCE, EARLIER);
  const log = openLogOnSync(environment, SOURCE, { segmentBytes: 4096 });
  for (; number < COMMITS; number += 1) {
    const data = { number, text: 'x'.repeat(400) };
    log.appendSync('later/1', { type: 'added', data }, { idempotencyKey: `later-${number}` });
  }
  await backupStoreOn(environment, SOURCE, BACKUP);
  const lines = log
    .readAllSync()
    .toArray()
    .map((event) => `${JSON.stringify(event)}\n`);
  log.closeSync();
  const bytes = Buffer.from(lines.join(''));
  const file = process.open(FILE, 'create');
  process.write(file, bytes, 0, bytes.length, 0);
  process.sync(file);
  process.close(file);
  process.syncDirectory('/');
  return disk.powerLoss(keepNewest);
}

/** The same disk once more, and nobody on it. */
export function again(base: SimulatedDisk): SimulatedDisk {
  return base.powerLoss(keepNewest);
}

/** What stands outside of the target's directory, with its bytes. */
export function surroundings(disk: SimulatedDisk): Record<string, string> {
  const paths = disk.paths().filter((path) => !path.startsWith('/there'));
  return Object.fromEntries(
    paths.map((path) => [path, disk.contentOf(path)?.toString('latin1') ?? '']),
  );
}

/** What is wrong with the target: it must be absent or whole. */
export function problemsOfTarget(disk: SimulatedDisk, copying: Copying): string[] {
  const process = disk.process('look');
  if (process.facts(TARGET) === undefined) return [];
  const environment = environmentOf(process, disk);
  try {
    const log = openLogOnSync(environment, TARGET, { create: false, readOnly: true });
    const commits = log.head.position;
    log.closeSync();
    const report = verifyStoreOnSync(environment, verificationOf(pathsOf(TARGET)));
    if (!report.ok) return [`the target is damaged: ${report.damage?.problem}`];
    if (commits !== copying.commits) return [`the target has ${commits} commits`];
    const hasManifest = process.facts(`${TARGET}/manifest.json`) !== undefined;
    return hasManifest === copying.isBackup
      ? []
      : ['the manifest is where none belongs, or missing'];
  } catch (error) {
    return [`the target does not open: ${String(error)}`];
  }
}

/** Runs it in a process that dies at its call of that number. */
export async function runAndDie(
  base: SimulatedDisk,
  copying: Copying,
  call: number,
  moment: CrashMoment,
): Promise<SimulatedDisk> {
  const disk = again(base);
  const process = disk.process('a');
  process.crashAt(call, moment);
  try {
    await copying.run(environmentOf(process, disk));
  } catch (error) {
    // What a dying process tells itself on the way out is no matter.
    if (process.alive && !(error instanceof CrashError)) throw error;
  }
  return disk;
}

/** The disk as a power loss leaves it, in a few ways. */
export function lossesOf(disk: SimulatedDisk, seed: number): SimulatedDisk[] {
  return [keepOldest, keepNewest, seededChooser(seed)].map((choose) => disk.powerLoss(choose));
}

/** Does it once more, as whoever started it would; gives what is wrong afterwards. */
export async function problemsOfRetry(disk: SimulatedDisk, copying: Copying): Promise<string[]> {
  const process = disk.process('b');
  const isThere = process.facts(TARGET) !== undefined;
  if (!isThere) await copying.run(environmentOf(process, disk, 2));
  const problems = problemsOfTarget(disk, copying);
  if (process.facts(TARGET) === undefined) problems.push('the target is still absent');
  if (process.openFiles.length > 0) problems.push(`open: ${process.openFiles.join()}`);
  const beside = disk.process('look').list('/there');
  // One that died before it had its lock file cannot be told from one that has only begun.
  const left = beside.filter((name) => {
    const inside = disk.paths().filter((path) => path.startsWith(`/there/${name}/`));
    return name !== 'target' && inside.length > 1;
  });
  if (!isThere && left.length > 0) problems.push(`left beside: ${left.join()}`);
  return problems;
}

/** Runs it while one call fails; gives the error that it ended with, if it did. */
export async function runWithFault(
  base: SimulatedDisk,
  copying: Copying,
  call: number,
  code: string,
): Promise<{ disk: SimulatedDisk; error: unknown; openFiles: readonly string[] }> {
  const disk = again(base);
  const process = disk.process('a');
  process.inject({ call, code });
  let error: unknown;
  try {
    await copying.run(environmentOf(process, disk));
  } catch (thrown) {
    error = thrown;
  }
  return { disk, error, openFiles: process.openFiles };
}

export function isOurs(error: unknown): boolean {
  return error instanceof RecollectError;
}

/** Every call that a run makes. */
export async function callsOf(base: SimulatedDisk, copying: Copying) {
  const disk = again(base);
  await copying.run(environmentOf(disk.process('a'), disk));
  return disk.trace.filter(({ process }) => process === 'a');
}
