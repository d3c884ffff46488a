import { closeSync, openSync, readSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';

/**
 * How long the event loop is kept from its next turn while some work goes on. On Linux it is the processor time of this thread alone that counts: what
 * other processes take on a shared machine is in the wall time only.
 */
export async function watchTurns(work) {
  const clock = threadClock();
  const turns = { cpuMs: 0, wallMs: 0, gcMs: 0, over10: 0 };
  const collections = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) turns.gcMs = Math.max(turns.gcMs, duration);
  });
  collections.observe({ entryTypes: ['gc'] });
  let stopped = false;
  let [cpu, wall] = [clock.read(), performance.now()];
  const turn = () => {
    const cpuMs = clock.read() - cpu;
    turns.cpuMs = Math.max(turns.cpuMs, cpuMs);
    turns.wallMs = Math.max(turns.wallMs, performance.now() - wall);
    if (cpuMs > 10) turns.over10 += 1;
    [cpu, wall] = [clock.read(), performance.now()];
    if (!stopped) setImmediate(turn);
  };
  setImmediate(turn);
  const began = performance.now();
  const result = await work();
  const elapsedMs = performance.now() - began;
  stopped = true;
  await new Promise((resolve) => setTimeout(resolve, 10));
  collections.disconnect();
  clock.close();
  return { result, elapsedMs, ...turns };
}

/** Processor time of this thread, ms; elsewhere than on Linux the time that passes. */
function threadClock() {
  let file;
  try {
    file = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  } catch {
    return { read: () => performance.now(), close: () => {} };
  }
  const buffer = Buffer.alloc(64);
  const read = () => {
    // Brings the kernel's figure up to this moment; by itself it does so at ticks of the timer only.
    process.cpuUsage();
    readSync(file, buffer, 0, buffer.length, 0);
    return Number(buffer.latin1Slice(0, buffer.indexOf(0x20))) / 1e6;
  };
  return { read, close: () => closeSync(file) };
}
