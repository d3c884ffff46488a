/** All that the log takes from outside: disk, clocks, randomness, who it is. Passed in, so that tests can decide it. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Disk } from './disk.js';
import type { Writer } from './mark.js';
import { monotonicMs } from './monotonic.js';

export interface Environment {
  readonly disk: Disk;
  /** Milliseconds since 1970; may jump. */
  readonly clock: () => number;
  /** Milliseconds; never goes back; the same in all threads of the process. */
  readonly monotonic: () => number;
  readonly randomBytes: (count: number) => Buffer;
  readonly writer: Writer;
}

const POOL_BYTES = 4096;

/** Random bytes from a pool: asking the system for 16 at a time costs more than sealing a small group. */
export function pooledRandom(): (count: number) => Buffer {
  let pool = Buffer.alloc(0);
  return (count) => {
    if (count > POOL_BYTES) return randomBytes(count);
    if (pool.length < count) pool = randomBytes(POOL_BYTES);
    const taken = pool.subarray(0, count);
    pool = pool.subarray(count);
    return taken;
  };
}

/** This process, as it is named to others. */
export function thisWriter(): Writer {
  return {
    pid: process.pid,
    host: hostname(),
    startedAt: Math.round(Date.now() - process.uptime() * 1000),
  };
}

/** The environment of a program: its own clocks, randomness and name. */
export function realEnvironment(disk: Disk, clock: () => number = Date.now): Environment {
  return {
    disk,
    clock,
    monotonic: monotonicMs,
    randomBytes: pooledRandom(),
    writer: thisWriter(),
  };
}
