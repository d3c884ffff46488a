/** Tells one run of the machine from the next: page caches, and so unsynced bytes, live exactly as long. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function told(): string {
  try {
    if (process.platform === 'linux') {
      return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1');
    }
    if (process.platform === 'darwin') {
      return execFileSync('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'], {
        encoding: 'latin1',
        stdio: 'pipe',
      });
    }
  } catch {
    // A sandbox may hide it; then the same holds as for a system that has none.
  }
  return '';
}

/**
 * Where the system tells nothing, a random id stands for this process alone, so that no mark of another process is
 * ever trusted: slower, never wrong. The threads of the process share it, for what one of them proved holds for all.
 */
export function idOfThisProcess(): string {
  const key = 'recollect.bootId';
  const inherited = getEnvironmentData(key);
  if (typeof inherited === 'string') return inherited;
  const id = randomUUID();
  setEnvironmentData(key, id);
  return id;
}

let known: string | undefined;

/** A UUID in lower case. Asked once: it cannot change while this process runs. */
export function bootId(): string {
  if (known === undefined) {
    const id = told().trim().toLowerCase();
    known = UUID.test(id) ? id : idOfThisProcess();
  }
  return known;
}
