/**
 * Takes a store's lock for writing as a writer does, signs it, says so, and keeps it: until it is told to let go, or stopped
 * while it holds it when its task says so.
 */
import { writeSync } from 'node:fs';
import { realEnvironment } from '#src/log/environment.js';
import { WRITE_LOCK } from '#src/log/format.js';
import { RealDisk } from '#src/log/real-disk.js';
import { WriteLock } from '#src/log/write-lock.js';

/**
 * @typedef {object} HoldingTask
 * @property {string} file
 * @property {string} label
 * @property {boolean} stops
 */

/** @type {HoldingTask} */
const task = JSON.parse(process.argv[2] ?? '{}');

const disk = new RealDisk();
const environment = realEnvironment(disk);
const file = disk.open(task.file, 'write');
const lock = new WriteLock(environment, file, task.label);
const outcome = lock.acquire({ deadline: environment.monotonic() + 10_000 });
lock.sign(Buffer.alloc(0));
writeSync(1, `${outcome}\n`);
if (task.stops) process.kill(process.pid, 'SIGSTOP');
process.stdin.once('data', () => {
  disk.unlock(file, WRITE_LOCK);
  disk.close(file);
  process.stdin.destroy();
});
