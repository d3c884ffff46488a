/**
 * Small programs that end in different ways, each as a user would write it: the last thing each does is what its name says.
 * None calls process.exit unless that is what it is about, and none ends by force: what keeps it alive, keeps it for ever.
 */
import { writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { openLog, openLogSync } from '#src/index.js';
import { FileLock } from '#src/locks/index.js';

/**
 * @typedef {object} EndingTask
 * @property {string} directory
 * @property {keyof typeof programs} program
 * @property {import('#src/index.js').LogOptions} options
 */

/** @type {EndingTask} */
const { directory, program, options } = JSON.parse(process.argv[2] ?? '{}');
const event = { type: 'note.taken', data: { text: 'the last one' } };
const stream = 'notes/last';

/** By then the writer thread has started. */
async function openAndWarmUp() {
  const log = await openLog(directory, options);
  for (let number = 0; number < 3; number += 1) {
    await log.append('notes/first', event);
    await setTimeout(100);
  }
  return log;
}

const programs = {
  'opens a log and does nothing': async () => {
    await openLog(directory, options);
  },
  'opens a log synchronously and does nothing': () => {
    openLogSync(directory, options);
  },
  'appends, waits, and leaves the log open': async () => {
    const log = await openLog(directory, options);
    await log.append(stream, event);
  },
  'appends to a log in use, waits, and leaves it open': async () => {
    const log = await openAndWarmUp();
    await log.append(stream, event);
  },
  'appends synchronously and leaves the log open': () => {
    openLogSync(directory, options).appendSync(stream, event);
  },
  'appends without waiting': async () => {
    const log = await openLog(directory, options);
    void log.append(stream, event);
  },
  'appends to a log in use without waiting': async () => {
    const log = await openAndWarmUp();
    void log.append(stream, event);
  },
  'appends very much without waiting': async () => {
    const log = await openAndWarmUp();
    for (let number = 1; number < 3000; number += 1) void log.append(stream, event);
    void log.append(stream, event);
  },
  'appends and waits for close': async () => {
    const log = await openAndWarmUp();
    void log.append(stream, event);
    await log.close();
  },
  'appends and waits for flush': async () => {
    const log = await openAndWarmUp();
    void log.append(stream, event);
    await log.flush();
  },
  'appends and closes synchronously': async () => {
    const log = await openAndWarmUp();
    void log.append(stream, event);
    log.closeSync();
  },
  'appends and reads it back': async () => {
    const log = await openAndWarmUp();
    await log.append(stream, event);
    const read = await log.readStream(stream).toArray();
    if (read.length !== 1) throw new Error('it was not read back');
  },
  'appends and follows up to its own event': async () => {
    const log = await openAndWarmUp();
    void log.append(stream, event);
    for await (const { stream: found } of log.follow()) if (found === stream) break;
  },
  'waits for the end of a follow that is aborted': async () => {
    const log = await openAndWarmUp();
    await log.append(stream, event);
    for await (const { position } of log.follow({ signal: AbortSignal.timeout(300) }))
      void position;
  },
  'holds a file lock without releasing it': async () => {
    await openLog(directory, options);
    await new FileLock(`${directory}/own-lock`).exclusive();
  },
  'appends much and exits in the middle of it': async () => {
    const log = await openAndWarmUp();
    for (let number = 1; number < 3000; number += 1) {
      void log.append(stream, { type: 'note.taken', data: number }).then(({ version }) => {
        writeSync(1, `acknowledged ${version}\n`);
        if (version === 1000) process.exit(0);
      });
    }
  },
  'appends much and exits at once': async () => {
    const log = await openAndWarmUp();
    for (let number = 1; number < 3000; number += 1) {
      void log.append(stream, { type: 'note.taken', data: number });
    }
    process.exit(0);
  },
  'fails with appends in flight': async () => {
    const log = await openAndWarmUp();
    for (let number = 1; number < 1000; number += 1) {
      void log.append(stream, { type: 'note.taken', data: number });
    }
    throw new Error('the program itself failed');
  },
};

await programs[program]();
