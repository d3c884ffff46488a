/** One of the agents of the main job: imports its part of the source, raises the tally and visits a site. Its parent hears of every acknowledgement. */
import { once } from 'node:events';
import { importMemory, openMemory } from '#src/index.js';
import { options, tally, visitedSite } from './projections.mjs';

/**
 * @typedef {object} Task
 * @property {string} directory
 * @property {string} agent
 * @property {string} path
 * @property {import('#src/index.js').MemoryImportFormat | undefined} format
 * @property {{ number: number, of: number }} part
 * @property {number} itemsPerCommit
 * @property {number} raiseEvery items for which it raises the tally once
 * @property {number} leash acknowledgements that its parent may not have heard of yet
 *
 * @typedef {object} Report an acknowledgement
 * @property {string} agent
 * @property {string} key
 * @property {number} position
 * @property {number} done items of its part that are imported
 * @property {number} ms since the one before
 * @property {number} queue commits that wait
 */

// Nobody would hear of what it does.
const orphaned = () => process.exit(1);
process.once('disconnect', orphaned);

/** @type {[Task]} */
const [task] = /** @type {[Task]} */ (await once(process, 'message'));
const { agent, directory, raiseEvery, leash } = task;
const memory = await openMemory(directory, { ...options, actor: agent });

let unheard = 0;
let hear = () => {};
process.on('message', () => {
  unheard -= 1;
  hear();
});
let last = performance.now();

/**
 * Tells its parent, and goes on when that has heard of what came before.
 * @param {string} key
 * @param {number} done
 */
async function tell(key, done) {
  const position = await memory.engine.positionOf(key);
  if (position === undefined) throw new Error(`${key} was acknowledged, and is not known`);
  const now = performance.now();
  const { queue } = memory.engine.stats();
  const report = { agent, key, position, done, ms: now - last, queue: queue.commits };
  last = now;
  unheard += 1;
  process.send?.(report);
  while (unheard >= leash) {
    await new Promise((resolve) => {
      hear = () => resolve(undefined);
    });
  }
}

let raised = 0;

/**
 * Many processes raise one tally at once, and say so in one record: all but one of those that read the same state must run again.
 * @param {string} key
 * @param {number} number
 */
async function raise(key, number) {
  await memory.transaction(
    async (transaction) => {
      const { engine, records, sites } = transaction;
      const before = (await engine.get(tally, 'tally'))?.raised ?? 0;
      engine.append('tally', { type: 'tally.raised', data: { agent, number } });
      const after = (await engine.get(tally, 'tally'))?.raised;
      if (after !== before + 1) throw new Error('a transaction misses its own write');
      const told = await records.get('tally');
      const value = /** @type {Record<string, number>} */ (told?.value ?? {});
      await records.store('tally', { ...value, raised: after, [agent]: number });
      await sites.recordVisit(visitedSite, { success: true });
    },
    { idempotencyKey: key, reason: `item ${number * raiseEvery}`, retries: 200 },
  );
}

/** @param {number} done */
async function raiseUpTo(done) {
  for (; raised < Math.floor(done / raiseEvery); raised += 1) {
    const key = `tally/${agent}/${raised + 1}`;
    // One that was killed may have raised it, without having said so.
    const stands = (await memory.engine.positionOf(key)) !== undefined;
    if (!stands) await raise(key, raised + 1);
    await tell(key, done);
  }
}

const report = await importMemory(task.path, memory, {
  format: task.format,
  part: task.part,
  itemsPerCommit: task.itemsPerCommit,
  reason: 'the main job',
  onCommit: async ({ idempotencyKey, done }) => {
    await tell(idempotencyKey, done);
    await raiseUpTo(done);
  },
});
await raiseUpTo(report.items);
await memory.close();
process.off('disconnect', orphaned);
process.disconnect();
