import { spawnSync } from 'node:child_process';
import { createWriteStream, rmSync, statSync } from 'node:fs';
import { makeEvent } from './events.mjs';
import { segmentFiles } from './lines.mjs';
import { loadRecollect } from './peers/recollect.mjs';
import { openStore } from './peers/store.mjs';
import { appendAll } from './peers/values.mjs';

/** Runs in a child process: copies of a store, each into a place of its own that is removed before it. */

export async function fill({ directory, events }) {
  const store = await openStore(directory);
  const many = Array.from({ length: events }, (_, index) =>
    makeEvent(`agent/${index % 1_000}`, index),
  );
  await appendAll(store, many);
  await store.backup(`${directory}/backup`);
  await store.close();
  const bytes = segmentFiles(`${directory}/store`).reduce(
    (sum, file) => sum + statSync(file).size,
    0,
  );
  return { bytes };
}

export function plain({ directory, events }) {
  return timed(directory, async (target) => {
    const { verifyStore } = await loadRecollect();
    const { status } = spawnSync('cp', ['-r', `${directory}/store`, target]);
    const { ok, commits } = await verifyStore(target);
    if (status !== 0 || !ok || commits !== events) throw new Error('the copy is not whole');
  });
}

export function fromBackup({ directory, events }) {
  return restoring(directory, `${directory}/backup`, undefined, events);
}

export function fromStore({ directory, events }) {
  return restoring(directory, `${directory}/store`, undefined, events);
}

export function toHalf({ directory, events }) {
  const to = Math.floor(events / 2);
  return restoring(directory, `${directory}/store`, to, to);
}

function restoring(directory, source, to, expected) {
  return timed(directory, async (target) => {
    const { restoreStore } = await loadRecollect();
    const { position } = await restoreStore(source, target, { to });
    if (position !== expected) throw new Error(`${position} of ${expected} commits were restored`);
  });
}

export function backup({ directory }) {
  return backingUp(directory, undefined);
}

export function again({ directory }) {
  return backingUp(directory, `${directory}/backup`);
}

async function backingUp(directory, since) {
  const store = await openStore(directory);
  try {
    return await timed(directory, (target) => store.backup(target, { since }));
  } finally {
    await store.close();
  }
}

export function carryOut({ directory, events }) {
  return timed(directory, async (target) => {
    const { exportStore } = await loadRecollect();
    const report = await exportStore(`${directory}/store`, createWriteStream(target), {
      format: 'ndjson',
    });
    if (report.events !== events) throw new Error(`${report.events} of ${events} were exported`);
  });
}

export async function carryIn({ directory, events }) {
  const { exportStore, importStore } = await loadRecollect();
  const file = `${directory}/events.ndjson`;
  await exportStore(`${directory}/store`, createWriteStream(file), { format: 'ndjson' });
  return timed(directory, async (target) => {
    const report = await importStore(file, target, { format: 'ndjson' });
    if (report.events !== events) throw new Error(`${report.events} of ${events} were imported`);
  });
}

async function timed(directory, copy) {
  const target = `${directory}/target`;
  rmSync(target, { recursive: true, force: true });
  globalThis.gc?.();
  const started = performance.now();
  await copy(target);
  const elapsedMs = performance.now() - started;
  rmSync(target, { recursive: true, force: true });
  return { elapsedMs };
}
