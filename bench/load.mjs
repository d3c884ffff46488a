import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { makeEvent } from './events.mjs';
import { countLines } from './lines.mjs';
import { variants } from './peers/index.mjs';
import { quantile } from './statistics.mjs';

/** Runs in a child process: puts load on one store and says what came of it. */

const appendsPerMillisecondMax = 1_500;
const delayResolutionMs = 1;

/** Runs `use(directory)` in a directory of its own, which is gone afterwards. */
export async function inFreshDirectory(use) {
  const directory = mkdtempSync(join(tmpdir(), 'recollect-bench-'));
  try {
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Opens and closes the store once, so that the parent learns whether it can be measured. */
export function probe({ variant }) {
  return inFreshDirectory(async (directory) => {
    const store = await variants[variant](directory);
    await store.close();
  });
}

/** Callers that each own a stream, and what they saw. */
export class Load {
  /** Appends acknowledged since the store was opened. */
  total = 0;
  #store;
  #versions;
  #prefix;

  constructor(store, callers, prefix = '') {
    this.#store = store;
    this.#versions = new Array(callers).fill(0);
    this.#prefix = prefix;
  }

  /** Closed loop: each caller awaits its append, then appends again. Ends when the last caller's append is acknowledged. */
  async run(milliseconds) {
    const latencies = new Float64Array(milliseconds * appendsPerMillisecondMax);
    let count = 0;
    const begun = performance.now();
    const deadline = begun + milliseconds;
    const caller = async (_, number) => {
      const stream = `agent/${this.#prefix}${number}`;
      let version = this.#versions[number];
      let started = performance.now();
      while (started < deadline) {
        await this.#store.append(makeEvent(stream, version), version);
        version += 1;
        const ended = performance.now();
        latencies[count++] = ended - started;
        started = ended;
      }
      this.#versions[number] = version;
    };
    const cpuBefore = process.cpuUsage();
    const loopBefore = performance.eventLoopUtilization();
    await Promise.all(this.#versions.map(caller));
    const elapsed = performance.now() - begun;
    const { utilization } = performance.eventLoopUtilization(loopBefore);
    return { ...this.#summary(latencies, count, elapsed, cpuBefore), loopBusy: utilization };
  }

  /** One caller that does nothing but call `appendSync`. */
  runSync(milliseconds) {
    const latencies = new Float64Array(milliseconds * appendsPerMillisecondMax);
    let count = 0;
    let version = this.#versions[0];
    const cpuBefore = process.cpuUsage();
    const begun = performance.now();
    let started = begun;
    while (started < begun + milliseconds) {
      this.#store.appendSync(makeEvent(`agent/${this.#prefix}0`, version), version);
      version += 1;
      const ended = performance.now();
      latencies[count++] = ended - started;
      started = ended;
    }
    this.#versions[0] = version;
    return this.#summary(latencies, count, started - begun, cpuBefore);
  }

  #summary(latencies, count, elapsed, cpuBefore) {
    const cpu = process.cpuUsage(cpuBefore);
    const sorted = latencies.subarray(0, count).sort();
    this.total += count;
    return {
      count,
      perSecond: (count / elapsed) * 1_000,
      p50Ms: quantile(sorted, 0.5),
      p99Ms: quantile(sorted, 0.99),
      maxMs: sorted[count - 1],
      cpuMicroseconds: (cpu.user + cpu.system) / count,
    };
  }

  /** A fast store that loses what it acknowledged would not be worth measuring. */
  check() {
    const stored = this.#store.stored?.() ?? this.total;
    if (stored !== this.total)
      throw new Error(`${this.total} appends were acknowledged, ${stored} are stored`);
  }
}

/** Asynchronous appends of a fresh store, after a warm-up in the same store. */
export function closedLoop({
  variant,
  callers,
  warmUpMs,
  measureMs,
  watchDelay = false,
  inspect = false,
}) {
  return inFreshDirectory(async (directory) => {
    const store = await variants[variant](directory);
    const load = new Load(store, callers);
    await load.run(warmUpMs);
    globalThis.gc?.();
    const delay = watchDelay ? monitorEventLoopDelay({ resolution: delayResolutionMs }) : undefined;
    delay?.enable();
    const result = await load.run(measureMs);
    delay?.disable();
    load.check();
    await store.close();
    return { ...result, ...delaysOf(delay), ...(inspect ? { lines: countLines(directory) } : {}) };
  });
}

/** What the histogram holds is the time between two ticks of its timer; the delay is what exceeds the timer's own period. */
function delaysOf(delay) {
  if (delay === undefined) return {};
  const beyond = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - delayResolutionMs);
  return { delayP99Ms: beyond(delay.percentile(99)), delayMaxMs: beyond(delay.max) };
}

/** Synchronous appends of a fresh store, after a warm-up in the same store. */
export function synchronousLoop({ variant, warmUpMs, measureMs }) {
  return inFreshDirectory(async (directory) => {
    const store = await variants[variant](directory);
    const load = new Load(store, 1);
    load.runSync(warmUpMs);
    globalThis.gc?.();
    const result = load.runSync(measureMs);
    load.check();
    await store.close();
    return result;
  });
}
