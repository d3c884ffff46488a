/**
 * A process that carries out commands on the models of a memory, several at once. Each command stands in its commit as the correlation id, so that the log
 * tells in which order they came. Says what was acknowledged, one line each and before it goes on.
 */
import { writeSync } from 'node:fs';
import { openMemory } from '#src/index.js';
import { carryOut } from './memory-command.mjs';

/**
 * @typedef {object} RememberingTask
 * @property {string} directory
 * @property {string} writer
 * @property {number} callers how many commands are under way at once
 * @property {readonly import('./memory-command.mjs').MemoryCommand[]} commands
 */

/** @type {RememberingTask} */
const { directory, writer, callers, commands } = JSON.parse(process.argv[2] ?? '{}');
const memory = await openMemory(directory, { actor: writer });
let next = 0;

async function call() {
  for (let index = next++; index < commands.length; index = next++) {
    const command = commands[index];
    if (!command) continue;
    const answer = await carryOut(memory, command, { correlationId: `${writer}-${index}` });
    const { changed } = /** @type {{ changed?: boolean }} */ (answer ?? {});
    writeSync(1, `${writer}-${index} ${changed ? 'changed' : 'done'}\n`);
  }
}

await Promise.all(Array.from({ length: callers }, call));
await memory.close();
