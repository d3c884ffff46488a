/** A small file system of its own, which can really be full. Takes the right to mount one. */
import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { temporaryDirectory } from './temporary-directory.js';

export type FileSystemKind = 'ext4' | 'tmpfs';

export interface SmallFileSystem {
  readonly kind: FileSystemKind;
  /** Where it is mounted: empty, but for what the file system itself puts there. */
  readonly directory: string;
  /** Mounts it once more where it is, with other options. */
  remount(options: string): void;
}

function call(command: string, ...parameters: string[]): void {
  execFileSync(command, parameters, { stdio: 'pipe' });
}

/** Makes and mounts it for the running test; gives the reason when that cannot be done on this machine. */
export function smallFileSystem(
  kind: FileSystemKind,
  mebibytes: number,
  options = '',
): SmallFileSystem | string {
  const parent = temporaryDirectory();
  const directory = join(parent, 'mounted');
  mkdirSync(directory);
  const mountOptions = options === '' ? [] : [options];
  try {
    if (kind === 'tmpfs') {
      const all = [`size=${mebibytes}m`, ...mountOptions].join();
      call('mount', '-t', 'tmpfs', '-o', all, 'recollect-test', directory);
    } else {
      const image = join(parent, 'image');
      const file = openSync(image, 'wx');
      ftruncateSync(file, mebibytes * 1024 * 1024);
      closeSync(file);
      call('mkfs.ext4', '-q', '-F', '-m', '0', image);
      call('mount', '-o', ['loop', ...mountOptions].join(), image, directory);
    }
  } catch (error) {
    const { message, stderr } = error as Error & { stderr?: Buffer };
    return `${kind} cannot be mounted here: ${stderr?.toString().trim() || message}`;
  }
  onTestFinished(() => {
    try {
      call('umount', directory);
    } catch {
      // Something that a failed test left open must not keep it for ever.
      call('umount', '-l', directory);
    }
  });
  return {
    kind,
    directory,
    remount: (changed) => call('mount', '-o', `remount,${changed}`, directory),
  };
}
