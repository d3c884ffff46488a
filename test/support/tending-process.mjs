/**
 * A process that does one thing with a store, beside others that write to it, until it is done or killed: a snapshot, a compaction, a copy of one kind or
 * another. Says on its standard output, one JSON line each, when it begins and what came of it.
 */
import { createWriteStream, writeSync } from 'node:fs';
import { importStoreOn } from '#src/compaction/import.js';
import { defineProjection, exportStore, openStore, restoreStore } from '#src/index.js';
import { realEnvironment } from '#src/log/environment.js';
import { RealDisk } from '#src/log/real-disk.js';

/**
 * @typedef {object} TendingTask
 * @property {'snapshot' | 'compact' | 'backup' | 'restore' | 'export' | 'import'} kind
 * @property {string} source
 * @property {string} target what it makes; of a snapshot and a compaction nothing
 * @property {string} [since] of a backup
 * @property {number | string} [to] of a restore
 * @property {string} [dropBefore] of a compaction: events of the archive that are older than this go
 *
 * @typedef {{ kind: 'begun' }} Begun
 * @typedef {{ kind: 'ended', position: number, resumed: boolean }} Ended
 * @typedef {{ kind: 'failed', code: string, message: string }} Failed
 * @typedef {Begun | Ended | Failed} TendingReport
 */

/** @param {{ events: number, sum: number }} draft @param {{ data: unknown }} event */
function count(draft, { data }) {
  draft.events += 1;
  draft.sum += /** @type {{ number: number }} */ (data).number;
}

/** Of each stream that the writers of a storm append to. */
export const counts = defineProjection({
  name: 'counts',
  version: 1,
  initial: { events: 0, sum: 0 },
  on: {
    'note.taken': count,
    'note.shared': count,
    'note.signed': count,
    'note.begun': count,
    'counter.added': count,
  },
});

/** Longer than any of them takes: they wait for each other. */
const lockTimeoutMs = 120_000;
/** An import writes down so often how far it came, bytes. */
const POINT_BYTES = 64 * 1024;

/** @param {TendingReport} report */
function say(report) {
  writeSync(1, `${JSON.stringify(report)}\n`);
}

/** @param {TendingTask} task */
async function open({ source, dropBefore }) {
  const now = Date.parse(dropBefore ?? '');
  return await openStore(source, {
    projections: [counts],
    compaction: false,
    lockTimeoutMs,
    // By a clock that stands still it is certain what goes.
    ...(dropBefore === undefined ? {} : { retention: { days: 0 }, clock: () => now }),
  });
}

/** @param {TendingTask} task @returns {Promise<Ended>} */
async function carryOut(task) {
  const { kind, source, target, since, to } = task;
  const none = /** @type {const} */ ({ kind: 'ended', resumed: false });
  switch (kind) {
    case 'restore': {
      say({ kind: 'begun' });
      const moment = typeof to === 'string' ? new Date(to) : to;
      const { position } = await restoreStore(source, target, { to: moment, lockTimeoutMs });
      return { ...none, position };
    }
    case 'export': {
      say({ kind: 'begun' });
      const sink = createWriteStream(target);
      const { head } = await exportStore(source, sink, { format: 'ndjson', lockTimeoutMs });
      return { ...none, position: head.position };
    }
    case 'import': {
      say({ kind: 'begun' });
      const environment = realEnvironment(new RealDisk());
      const options = /** @type {const} */ ({ format: 'ndjson' });
      const { head, resumed } = await importStoreOn(
        environment,
        source,
        target,
        options,
        POINT_BYTES,
      );
      return { ...none, position: head.position, resumed };
    }
    default: {
      const store = await open(task);
      say({ kind: 'begun' });
      const { position } =
        kind === 'snapshot'
          ? await store.snapshot()
          : kind === 'compact'
            ? await store.compact()
            : (await store.backup(target, { since })).head;
      await store.close();
      return { ...none, position };
    }
  }
}

if (process.argv[2] !== undefined) {
  try {
    say(await carryOut(JSON.parse(process.argv[2])));
  } catch (error) {
    const { code = '', message } = /** @type {NodeJS.ErrnoException} */ (error);
    say({ kind: 'failed', code, message });
  }
}
