/**
 * A process that kills itself, or stops itself until it is sent on, at a chosen disk call: in the middle of a write, when half
 * of its bytes are through, or right after any call. Without the writer thread, because only this thread's disk is watched.
 * Says what was acknowledged.
 */
import { writeSync } from 'node:fs';
import { realEnvironment } from '#src/log/environment.js';
import { openLogOnSync } from '#src/log/open-log.js';
import { RealDisk } from '#src/log/real-disk.js';

/**
 * @typedef {object} DyingTask
 * @property {string} directory
 * @property {'opening' | 'appending'} from where counting begins
 * @property {number} call which call that changes something to die at, from 1; none when it is 0
 * @property {'within' | 'after'} moment
 * @property {NodeJS.Signals} signal
 * @property {string} name of what it appends
 * @property {number} commits
 * @property {number} textBytes in each of them
 * @property {import('#src/index.js').LogOptions} options
 */

/** @type {DyingTask} */
const task = JSON.parse(process.argv[2] ?? '{}');

let counting = task.from === 'opening';
/** @type {string[]} */
const calls = [];

function die() {
  process.kill(process.pid, task.signal);
}

/** Calls that change what others see. A sync does not: whoever looks after a kill sees what was written without it. */
const changing = /** @type {const} */ ([
  'write',
  'truncate',
  'makeDirectory',
  'rename',
  'remove',
  'open',
]);

const disk = new RealDisk();
const watched = Object.create(disk);
for (const name of changing) {
  const call = /** @type {(...args: unknown[]) => unknown} */ (disk[name]);
  watched[name] = (/** @type {unknown[]} */ ...args) => {
    if (!counting || (name === 'open' && args[1] !== 'create')) return call(...args);
    calls.push(name);
    const chosen = calls.length === task.call;
    if (!chosen) return call(...args);
    if (task.moment === 'within') {
      const [file, bytes, from, length, position] = args;
      call(file, bytes, from, Math.floor(Number(length) / 2), position);
      die();
      return call(...args);
    }
    const answer = call(...args);
    die();
    return answer;
  };
}

const log = openLogOnSync(realEnvironment(watched), task.directory, {
  ...task.options,
  writerThread: false,
});
counting = true;
for (let number = 1; number <= task.commits; number += 1) {
  const answer = log.appendSync(
    'notes/dying',
    { type: 'note.taken', data: { name: task.name, number, text: 'x'.repeat(task.textBytes) } },
    { idempotencyKey: `${task.name}/${number}` },
  );
  writeSync(1, `${JSON.stringify({ number, position: answer.position })}\n`);
}
log.closeSync();
writeSync(1, `${JSON.stringify({ calls })}\n`);
