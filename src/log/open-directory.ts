/** Whether a directory can hold a store, or does: asked before anything is touched. */
import { basename, dirname, join } from 'node:path';
import {
  StoreAccessError,
  StoreDamagedError,
  StoreNotFoundError,
  UnsupportedFileSystemError,
} from '../errors.js';
import type { Disk } from './disk.js';
import type { Environment } from './environment.js';
import { MANIFEST_FILE, STORE_FILE } from './format.js';
import { runSync } from './io.js';
import type { OpenSettings } from './open-settings.js';
import { listSegments, type Paths } from './paths.js';

/** Refuses what cannot or must not hold a store before anything is touched. */
export function prepareDirectory(environment: Environment, settings: OpenSettings): void {
  const { disk } = environment;
  const { paths, create } = settings;
  const facts = disk.facts(paths.directory);
  if (facts === undefined) {
    if (!create) throw notFound(disk, paths, 'there is no such directory');
    checkFileSystem(disk, existingParent(disk, paths.directory), settings);
    return;
  }
  if (facts.kind !== 'directory') {
    throw new StoreNotFoundError(paths.directory, 'it is not a directory');
  }
  checkFileSystem(disk, paths.directory, settings);
  const othersMayWrite = (facts.mode & 0o022) !== 0 && process.platform !== 'win32';
  if (othersMayWrite && !settings.allowSharedDirectory) {
    throw new StoreAccessError(
      paths.directory,
      new Error(`other users may write there (mode ${facts.mode.toString(8)})`),
      'Take that right away (chmod go-w), or accept it with allowSharedDirectory: true.',
    );
  }
  if (!settings.readOnly && disk.facts(join(paths.directory, MANIFEST_FILE)) !== undefined) {
    throw new StoreAccessError(
      paths.directory,
      new Error('it is a backup, and writing would change what its manifest says'),
      'Open it with readOnly: true, or restore it and open what was restored.',
    );
  }
  if (!create && disk.facts(paths.store) === undefined) {
    throw missingStoreFile(disk, paths);
  }
}

/** A directory without store.json: something else, or a store that lost it. */
function missingStoreFile(disk: Disk, paths: Paths): Error {
  if (disk.facts(paths.log)?.kind === 'directory') {
    const [first] = runSync(disk, listSegments(paths));
    const facts = first === undefined ? undefined : disk.facts(paths.segment(first));
    if (first !== undefined && (first > 1 || (facts?.size ?? 0) > 1024)) {
      const { directory, store: file } = paths;
      const problem = 'there is a log but no store.json';
      return new StoreDamagedError({ directory, file, offset: 0, problem });
    }
  }
  return notFound(disk, paths, `there is no ${STORE_FILE}`);
}

function existingParent(disk: Disk, path: string): string {
  const parent = dirname(path);
  return parent === path || disk.facts(parent) !== undefined
    ? parent
    : existingParent(disk, parent);
}

function checkFileSystem(disk: Disk, path: string, settings: OpenSettings): void {
  if (settings.allowFileSystem) return;
  const { name, trusted } = disk.fileSystem(path);
  if (!trusted) throw new UnsupportedFileSystemError(settings.paths.directory, name);
}

const NEARBY_LOOKED_AT = 200;
const NEARBY_TOLD = 3;

function notFound(disk: Disk, paths: Paths, reason: string): StoreNotFoundError {
  const nearby: string[] = [];
  for (const directory of [dirname(paths.directory), paths.directory]) {
    try {
      for (const name of disk.list(directory).slice(0, NEARBY_LOOKED_AT)) {
        const candidate = join(directory, name);
        if (candidate === paths.directory) continue;
        if (disk.facts(join(candidate, STORE_FILE))?.kind === 'file') nearby.push(candidate);
      }
    } catch {
      // A directory that cannot be listed has nothing to suggest.
    }
  }
  const wanted = basename(paths.directory).toLowerCase();
  nearby.sort((a, b) => likeness(b, wanted) - likeness(a, wanted));
  return new StoreNotFoundError(paths.directory, reason, nearby.slice(0, NEARBY_TOLD));
}

function likeness(path: string, wanted: string): number {
  const name = basename(path).toLowerCase();
  let same = 0;
  while (same < name.length && name[same] === wanted[same]) same += 1;
  return same;
}
