/**
 * A program whose writer threads can be ended from outside the library, as a lack of memory would. Says how each
 * append came out, one JSON line each.
 */
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { setTimeout } from 'node:timers/promises';
import threads from 'node:worker_threads';

/**
 * @typedef {object} KillingTask
 * @property {string} directory
 * @property {keyof typeof programs} program
 * @property {number} hangsFromSync of the writer thread; 0 for never
 * @property {number} afterMs
 *
 * @typedef {{ name: string, position: number } | { name: string, code: string }} Outcome
 */

/** @type {KillingTask} */
const { directory, program, hangsFromSync, afterMs } = JSON.parse(process.argv[2] ?? '{}');

/** @type {{ worker: threads.Worker, control: Int32Array }[]} */
const started = [];
/** 1 once a sync hangs. */
const hanging = new Int32Array(new SharedArrayBuffer(4));
const { Worker } = threads;
threads.Worker = class extends Worker {
  /**
   * @param {string | URL} file
   * @param {threads.WorkerOptions} options
   */
  constructor(file, options) {
    const hook = new URL('./slow-syncs.mjs', import.meta.url).href;
    super(file, {
      ...options,
      workerData: { ...options.workerData, slowSyncs: { hangsFromSync, hanging: hanging.buffer } },
      ...(hangsFromSync > 0 ? { execArgv: ['--import', hook] } : {}),
    });
    started.push({ worker: this, control: new Int32Array(options.workerData.control) });
  }
};
syncBuiltinESMExports();

const { openLog } = await import('#src/index.js');
const { Word } = await import('#src/log/channel.js');
const log = await openLog(directory, { lockTimeoutMs: 3000 });

/** @param {Outcome} outcome */
function say(outcome) {
  writeSync(1, `${JSON.stringify(outcome)}\n`);
}

/** @param {string} name */
async function append(name) {
  try {
    const { position } = await log.append('notes/async', { type: 'note.taken', data: { name } });
    say({ name, position });
  } catch (error) {
    say({ name, code: /** @type {NodeJS.ErrnoException} */ (error).code ?? String(error) });
  }
}

/** @param {string} name */
function appendSync(name) {
  try {
    const { position } = log.appendSync('notes/sync', { type: 'note.taken', data: { name } });
    say({ name, position });
  } catch (error) {
    say({ name, code: /** @type {NodeJS.ErrnoException} */ (error).code ?? String(error) });
  }
}

/** From then on the writer thread takes the groups. */
async function warmUp() {
  await append('warm/1');
  while (!started.some(({ control }) => Atomics.load(control, Word.ready) === 1)) {
    await setTimeout(5);
  }
}

/** By then the writer thread is in the middle of a sync, with the lock in its hands. */
async function itHangs() {
  while (Atomics.load(hanging, 0) === 0) await setTimeout(5);
}

async function endThread() {
  // An idle writer thread keeps no process alive, and so does none that is being ended.
  const alive = setInterval(() => {}, 1000);
  await Promise.all(started.map(({ worker }) => worker.terminate()));
  clearInterval(alive);
}

const programs = {
  'while a group is synced': async () => {
    await warmUp();
    const waiting = [append('flight/1'), append('flight/2')];
    await itHangs();
    waiting.push(append('queued/1'));
    await endThread();
    await Promise.all(waiting);
    await append('after/1');
    appendSync('after/2');
  },
  'while the anchor is synced': async () => {
    await warmUp();
    await append('before/1');
    await itHangs();
    await endThread();
    await setTimeout(50);
    await append('after/1');
    appendSync('after/2');
  },
  'while nothing is in flight': async () => {
    await warmUp();
    await endThread();
    await append('after/1');
    appendSync('after/2');
    await append('after/3');
  },
  'while a synchronous call waits for its group': async () => {
    await warmUp();
    const waiting = [append('flight/1')];
    await itHangs();
    void endThread();
    appendSync('sync/1');
    await Promise.all(waiting);
  },
  'at a random moment': async () => {
    await warmUp();
    const waiting = Array.from({ length: 400 }, (_, number) => append(`many/${number}`));
    await setTimeout(afterMs);
    await endThread();
    await Promise.all(waiting);
    await append('after/1');
  },
  'while closing waits for the lock': async () => {
    await warmUp();
    await append('before/1');
    writeSync(1, 'ready\n');
    await once(process.stdin, 'data');
    process.stdin.destroy();
    void log.close();
    await setTimeout(100);
    await endThread();
    writeSync(1, 'ended\n');
  },
};

await programs[program]();
// Whatever happened, another log in the same process must find the lock free.
const other = await openLog(directory, { lockTimeoutMs: 5000, writerThread: false });
const { position } = await other.append('notes/other', {
  type: 'note.taken',
  data: { name: 'other' },
});
say({ name: 'other', position });
await other.close();
await log.close();
say({ name: 'closed', position: 0 });
