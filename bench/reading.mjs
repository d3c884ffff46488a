import { closeSync, openSync, readSync } from 'node:fs';
import { makeEvent } from './events.mjs';
import { segmentFiles } from './lines.mjs';
import { loadRecollect } from './peers/recollect.mjs';
import { median } from './statistics.mjs';

/** Runs in a child process: fills a log, then reads it in several ways. */

const chunkBytes = 1 << 20;
const newline = 10;
const openingsPerProcess = 6;

/** Appends `commits` events from 256 callers, so that groups are as large as in busy use. */
export async function fill({ directory, commits }) {
  const { openLog } = await loadRecollect();
  const log = await openLog(directory);
  let left = commits;
  const caller = async (_, number) => {
    for (let version = 0; left > 0; version += 1) {
      left -= 1;
      const { stream, type, data } = makeEvent(`agent/${number}`, version);
      await log.append(stream, { type, data });
    }
  };
  await Promise.all(Array.from({ length: Math.min(256, commits) }, caller));
  const stored = log.head.position;
  await log.close();
  if (stored !== commits)
    throw new Error(`${commits} appends were acknowledged, ${stored} are stored`);
}

/** What any reader must do at least: find the lines, parse each. */
export function plain({ directory }) {
  return timed(() => {
    let lines = 0;
    const count = () => {
      lines += 1;
    };
    for (const file of segmentFiles(directory)) parsedLines(file, count);
    return lines;
  });
}

/** Calls `use` with what each line of the file holds. */
export function parsedLines(file, use) {
  const descriptor = openSync(file, 'r');
  let buffer = Buffer.allocUnsafe(chunkBytes);
  let filled = 0;
  for (;;) {
    const got = readSync(descriptor, buffer, filled, buffer.length - filled, null);
    if (got === 0) break;
    filled += got;
    const held = buffer.subarray(0, filled);
    let start = 0;
    let end = held.indexOf(newline);
    while (end >= 0) {
      use(JSON.parse(held.utf8Slice(start, end)));
      start = end + 1;
      end = held.indexOf(newline, start);
    }
    buffer.copyWithin(0, start, filled);
    filled -= start;
    if (filled === buffer.length) buffer = Buffer.concat([buffer, Buffer.allocUnsafe(chunkBytes)]);
  }
  closeSync(descriptor);
}

export function readAll({ directory }) {
  return withLog(directory, (log) =>
    timed(async () => {
      let events = 0;
      for await (const _ of log.readAll()) events += 1;
      return events;
    }),
  );
}

export function readAllSync({ directory }) {
  return withLog(directory, (log) =>
    timed(() => {
      let events = 0;
      for (const _ of log.readAllSync()) events += 1;
      return events;
    }),
  );
}

export function verify({ directory }) {
  return withLog(directory, (log) =>
    timed(async () => {
      const report = await log.verify();
      return report.commits;
    }),
  );
}

/** How long opening takes the first time in a process, when nothing is compiled yet, and how long after that. */
export async function opening({ directory }) {
  const { openLog } = await loadRecollect();
  const times = [];
  for (let turn = 0; turn < openingsPerProcess; turn += 1) {
    const started = performance.now();
    const log = await openLog(directory);
    times.push(performance.now() - started);
    await log.close();
  }
  return { firstMs: times[0], againMs: median(times.slice(1)) };
}

async function withLog(directory, use) {
  const { openLog } = await loadRecollect();
  const log = await openLog(directory);
  try {
    return await use(log);
  } finally {
    await log.close();
  }
}

async function timed(read) {
  globalThis.gc?.();
  const cpuBefore = process.cpuUsage();
  const started = performance.now();
  const items = await read();
  const elapsedMs = performance.now() - started;
  const cpu = process.cpuUsage(cpuBefore);
  return { items, elapsedMs, cpuMs: (cpu.user + cpu.system) / 1_000 };
}
