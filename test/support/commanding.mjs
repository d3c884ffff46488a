/**
 * A process that carries out its plan on a memory, several calls at once and some synchronously. Says what was acknowledged, one JSON line each, written
 * synchronously: what this process knew when it was killed, the test knows too.
 */
import { writeSync } from 'node:fs';
import { openMemory } from '#src/index.js';
import { memoryCommand, SHARED } from './memory-plan.mjs';

/**
 * @typedef {{ directory: string, writer: string, count: number, callers: number, shared: string }} CommandingTask
 * @typedef {{ kind: 'acknowledged', number: number, changed: boolean, repeated: boolean, position: number }} Acknowledged
 * @typedef {{ kind: 'refused', number: number, code: string }} Refused
 * @typedef {{ kind: 'ended' }} Ended
 * @typedef {Acknowledged | Refused | Ended} CommandingReport
 * @typedef {{ count: number, by: Record<string, number> }} Counted
 */

/** @type {CommandingTask} */
const { directory, writer, count, callers, shared } = JSON.parse(process.argv[2] ?? '{}');
const memory = await openMemory(directory, { actor: writer });
const { records, conversations } = memory;

/** Ids of what this process said, by number. @type {Map<number, string>} */
const said = new Map();

/** @param {Counted} value */
function increase(value) {
  value.count += 1;
  value.by[writer] = (value.by[writer] ?? 0) + 1;
}

/**
 * @param {number} number
 * @returns {Promise<import('#src/index.js').Written | undefined>}
 */
async function carryOut(number) {
  const command = memoryCommand(writer, number);
  const write = { idempotencyKey: `${writer}-${number}` };
  const sync = number % 7 === 0;
  switch (command.do) {
    case 'store': {
      const value = { count: command.count, by: {} };
      return sync
        ? records.storeSync(command.key, value, {}, write)
        : await records.store(command.key, value, {}, write);
    }
    case 'storeMany': {
      const value = { count: command.count, by: {} };
      const all = await records.storeMany(
        command.keys.map((key) => ({ key, value })),
        write,
      );
      return all.find(({ changed }) => changed) ?? all[0];
    }
    case 'update':
      return sync
        ? records.updateSync(command.key, increase, write)
        : await records.update(command.key, increase, write);
    case 'delete':
      return await records.delete(command.key, write);
    case 'say': {
      const storing = { ...SHARED, data: [command.text] };
      const written = sync
        ? conversations.storeSync(storing, write)
        : await conversations.store(storing, write);
      said.set(number, written.ids[0] ?? '');
      return written;
    }
    case 'rephrase':
      return await conversations.update({ ...SHARED, id: shared, data: command.text }, write);
    case 'unsay': {
      const id = said.get(command.earlier);
      return id === undefined ? undefined : await conversations.delete({ ...SHARED, id }, write);
    }
  }
}

/** @param {CommandingReport} report */
function say(report) {
  writeSync(1, `${JSON.stringify(report)}\n`);
}

let next = 0;

async function caller() {
  while (next < count) {
    const number = next;
    next += 1;
    try {
      const written = await carryOut(number);
      const { changed = false, repeated = false, position = 0 } = written ?? {};
      say({ kind: 'acknowledged', number, changed, repeated, position });
    } catch (error) {
      const { code = '' } = /** @type {NodeJS.ErrnoException} */ (error);
      say({ kind: 'refused', number, code });
    }
  }
}

await Promise.all(Array.from({ length: callers }, caller));
await memory.close();
say({ kind: 'ended' });
