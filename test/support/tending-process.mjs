/** A process that makes one backup, restore or import, and says when it begins and when it has ended. */
import { writeSync } from 'node:fs';
import { importStore, openStore, restoreStore } from '#src/index.js';

/**
 * @typedef {object} CopyingTask
 * @property {'backup' | 'restore' | 'import'} kind
 * @property {string} source
 * @property {string} target
 * @property {string} [since] of a backup
 * @property {number} [to] of a restore
 */

/** @type {CopyingTask} */
const task = JSON.parse(process.argv[2] ?? '{}');
const { kind, source, target, since, to } = task;

/** @param {string} text */
function say(text) {
  writeSync(1, `${text}\n`);
}

if (kind === 'backup') {
  const store = await openStore(source, { lockTimeoutMs: 30_000 });
  say('begun');
  const { head } = await store.backup(target, { since });
  say(JSON.stringify({ ended: head.position }));
  await store.close();
} else {
  say('begun');
  const { head } =
    kind === 'restore'
      ? await restoreStore(source, target, { to, lockTimeoutMs: 30_000 })
      : await importStore(source, target, { format: 'ndjson' });
  say(JSON.stringify({ ended: head.position }));
}
