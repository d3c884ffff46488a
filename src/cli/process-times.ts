/** When processes began, as /proc tells everybody, also of those of others. */
import { readFileSync } from 'node:fs';

/** The unit of /proc for times, on every machine that Node runs on. */
const TICK_MS = 10;
const KERNEL_THREAD = 0x200000;

/** Milliseconds since the system's start. */
export function now(): number {
  return Number.parseFloat(readFileSync('/proc/uptime', 'utf8')) * 1000;
}

/** In milliseconds since the system's start; undefined when there is no such process any more. */
export function beginOf(pid: string): number | undefined {
  const ticks = fieldOf(pid, 22);
  return ticks === undefined ? undefined : ticks * TICK_MS;
}

/** A part of the kernel, which has no files. */
export function isKernelThread(pid: string): boolean {
  return ((fieldOf(pid, 9) ?? 0) & KERNEL_THREAD) !== 0;
}

/** By its number in proc_pid_stat(5). */
function fieldOf(pid: string, number: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second is the program's name, which may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const field = fields[number - 3];
    return field === undefined ? undefined : Number(field);
  } catch {
    return undefined;
  }
}
