/**
 * A process beside others that compact, or that itself does: it writes, or reads everything again and again and looks for gaps, or compacts until
 * it is killed. Says on its standard output, one JSON line each, what it found.
 */
import { writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { openStore } from '#src/index.js';

/**
 * @typedef {object} CompactingTask
 * @property {string} directory
 * @property {'write' | 'read' | 'compact'} role
 * @property {string} name
 *
 * @typedef {{ kind: 'opened' }} Opened
 * @typedef {{ kind: 'moved', segments: number }} Moved
 * @typedef {{ kind: 'failed', code: string, message: string }} Failed
 * @typedef {{ kind: 'ended', name: string, count: number, problems: string[] }} Ended
 * @typedef {Opened | Moved | Failed | Ended} CompactingReport
 */

/** @type {CompactingTask} */
const task = JSON.parse(process.argv[2] ?? '{}');
const { directory, role, name } = task;

/** @param {CompactingReport} report */
function say(report) {
  writeSync(1, `${JSON.stringify(report)}\n`);
}

let stopped = false;
process.stdin.once('data', () => {
  stopped = true;
});

/** @type {string[]} */
const problems = [];
let count = 0;

const options = { segmentBytes: 16_384, compaction: false, readOnly: role === 'read' };
const store = await openStore(directory, options);
say({ kind: 'opened' });

async function write() {
  while (!stopped) {
    const stream = `notes/${name}`;
    const data = { number: count + 1, text: 'x'.repeat(150) };
    const { version } = await store.append(stream, { type: 'note.taken', data });
    count += 1;
    if (version !== count) problems.push(`version ${version} where ${count} must come`);
    // Fast enough to be always there, slow enough for readers to keep up.
    await setTimeout(3);
  }
}

/** @param {import('#src/index.js').Store} from */
async function lookThrough(from) {
  /** @type {Map<string, number>} */
  const versions = new Map();
  let next = 1;
  for await (const { position, stream, version, data } of from.readAll()) {
    if (position !== next) problems.push(`position ${position} where ${next} must come`);
    const expected = (versions.get(stream) ?? 0) + 1;
    const { number } = /** @type {{ number: number }} */ (data);
    if (version !== expected || number !== expected) {
      problems.push(
        `version ${version} of ${stream} with number ${number}, where ${expected} must come`,
      );
    }
    versions.set(stream, expected);
    next = position + 1;
  }
  for (const [stream, version] of versions) {
    if ((await from.version(stream)) < version) problems.push(`the version of ${stream} went back`);
    const [first] = await from.readStream(stream, { limit: 1 }).toArray();
    if (first?.version !== 1) problems.push(`${stream} begins with version ${first?.version}`);
  }
}

async function read() {
  while (!stopped && problems.length === 0) {
    await lookThrough(store);
    const other = await openStore(directory, options);
    await lookThrough(other);
    await other.close();
    count += 1;
  }
}

async function compact() {
  while (!stopped) {
    const { moved } = await store.compact();
    count += moved.length;
    say({ kind: 'moved', segments: moved.length });
    await setTimeout(5);
  }
}

try {
  await { write, read, compact }[role]();
} catch (error) {
  const { code = '', message } = /** @type {NodeJS.ErrnoException} */ (error);
  say({ kind: 'failed', code, message });
}
await store.close();
say({ kind: 'ended', name, count, problems });
process.stdin.destroy();
