/**
 * Writes the golden store of format 1: a small store with every kind of line, byte for byte the same on every machine.
 * test/fixtures/golden-format-1/ keeps what it wrote first; later releases must read it, and this release must still
 * write exactly it.
 *
 *   node scripts/write-golden-store.mjs <empty or new directory>
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MemoryDisk } from '#src/log/memory-disk.js';
import { openLogOn } from '#src/log/open-log.js';

/**
 * @typedef {import('#src/index.js').CommitPart} CommitPart
 * @typedef {import('#src/index.js').CommitOptions} CommitOptions
 * @typedef {import('#src/index.js').NewEvent} NewEvent
 *
 * @typedef {object} Planned
 * @property {CommitPart[]} parts
 * @property {CommitOptions} [options]
 */

const root = '/golden';
const start = Date.UTC(2026, 0, 1);

/** A disk in memory whose machine is always the same one. */
class GoldenDisk extends MemoryDisk {
  /** @override */
  bootId() {
    return '6f1c1a52-0a4e-4b9e-8f52-9d3d3a7c51e0';
  }
}

/** Bytes that look random and never change. */
function repeatableRandom() {
  let counter = 0;
  return (/** @type {number} */ count) => {
    const blocks = [];
    for (let bytes = 0; bytes < count; bytes += 32) {
      counter += 1;
      blocks.push(createHash('sha256').update(`golden ${counter}`).digest());
    }
    return Buffer.concat(blocks).subarray(0, count);
  };
}

/**
 * @param {string} stream
 * @param {NewEvent | NewEvent[]} events
 * @param {CommitOptions} [options]
 * @returns {Planned}
 */
function one(stream, events, options = {}) {
  return { parts: [{ stream, events: [events].flat() }], options };
}

/** Groups of commits, each with what the clock says then, relative to the one before. */
/** @type {{ advance: number, commits: Planned[] }[]} */
const groups = [
  { advance: 0, commits: [one('users/alice', { type: 'user.named', data: { name: 'Alice' } })] },
  {
    advance: 1,
    commits: [
      one(
        'users/alice',
        [
          {
            type: 'user.named',
            data: { name: 'Ålice Ünïcode 記憶 🧠' },
            metadata: { source: 'form' },
          },
          { type: 'user.moved', data: { to: null, from: ['a', { b: [] }] }, schemaVersion: 2 },
        ],
        {
          actor: 'agent/7',
          reason: 'because\nshe said "so"\u2028and meant it',
          correlationId: 'conversation 12',
          causationId: '1.0',
          idempotencyKey: 'rename-alice-1',
        },
      ),
    ],
  },
  {
    // Three commits that wait together, one of them to two streams.
    advance: 999,
    commits: [
      one('notes/1', { type: 'note.taken', data: 'a text alone, with \\ and "quotes" and \u0007' }),
      {
        parts: [
          { stream: 'notes/1', events: [{ type: 'note.read', data: true }] },
          {
            stream: 'users/bob',
            events: [
              { type: 'user.named', data: { name: 'Bob' } },
              { type: 'user.noted', data: { note: 'notes/1' }, metadata: { weight: 0.25 } },
            ],
          },
        ],
        options: { actor: 'bob' },
      },
      one('numbers', {
        type: 'numbers',
        data: [0, -1, 1.5, 1e21, 5e-324, 9007199254740991, -1.7976931348623157e308],
      }),
    ],
  },
  {
    // The clock goes back an hour: the time stays, and the raw clock is kept.
    advance: -3_600_000,
    commits: [one('users/alice', { type: 'user.greeted', data: {} }, { idempotencyKey: 'k2' })],
  },
  { advance: 3_600_500, commits: [one('__proto__', { type: 'constructor', data: proto() })] },
  ...Array.from({ length: 8 }, (_, n) => ({
    advance: 60_000,
    commits: [
      one(
        `filling/${n % 3}`,
        { type: 'filled', data: { n, text: 'lorem ipsum dolor sit amet '.repeat(30) } },
        { reason: 'so that there is more than one segment' },
      ),
    ],
  })),
  {
    advance: 86_400_000,
    commits: [
      one(
        'users/alice',
        { type: 'user.left', data: null },
        { idempotencyKey: 'last', actor: 'alice' },
      ),
    ],
  },
];

/** Names that a careless reader could mistake for its own. */
function proto() {
  return JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":1},"":[]}');
}

/** What each event must read back as, counted by hand. */
function expectedEvents() {
  const events = [];
  /** @type {Map<string, number>} */
  const versions = new Map();
  let position = 0;
  let clock = start;
  let last = start;
  for (const { advance, commits } of groups) {
    clock += advance;
    last = Math.max(last, clock);
    for (const { parts, options } of commits) {
      position += 1;
      const all = parts.flatMap(({ stream, events }) =>
        /** @type {NewEvent[]} */ (events).map((event) => ({ stream, event })),
      );
      for (const [index, { stream, event }] of all.entries()) {
        const version = (versions.get(stream) ?? 0) + 1;
        versions.set(stream, version);
        const { type, data, schemaVersion = 1, ...metadata } = event;
        events.push({
          id: `${position}.${index}`,
          position,
          index,
          last: index === all.length - 1,
          time: new Date(last).toISOString(),
          stream,
          version,
          type,
          schemaVersion,
          data,
          ...metadata,
          ...options,
        });
      }
    }
  }
  return events;
}

/** @param {GoldenDisk} disk */
function filesOf(disk) {
  /** @type {Map<string, Buffer>} */
  const files = new Map();
  const visit = (/** @type {string} */ directory, /** @type {string} */ prefix) => {
    for (const name of disk.list(directory)) {
      const path = `${directory}/${name}`;
      if (disk.facts(path)?.kind === 'directory') {
        visit(path, `${prefix}${name}/`);
        continue;
      }
      const file = disk.open(path, 'read');
      const bytes = Buffer.alloc(disk.size(file));
      disk.read(file, bytes, 0, bytes.length, 0);
      disk.close(file);
      files.set(`${prefix}${name}`, bytes);
    }
  };
  visit(root, '');
  return files;
}

/** All files of the fixture by their path in it: the store, and what must be read from it. */
export async function goldenFiles() {
  const disk = new GoldenDisk();
  let now = start;
  let ticks = 0;
  const environment = {
    disk,
    clock: () => now,
    monotonic: () => {
      ticks += 1;
      return ticks;
    },
    randomBytes: repeatableRandom(),
    writer: { pid: 4711, host: 'golden', startedAt: start },
  };
  const log = await openLogOn(environment, root, { segmentBytes: 4096, idempotencyWindow: 1000 });
  for (const { advance, commits } of groups) {
    now += advance;
    await Promise.all(commits.map(({ parts, options }) => log.commit(parts, options)));
    // The index of a segment that was closed is written before the next one is.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { head, id } = log;
  const { ok, ...report } = await log.verify({ deep: true });
  if (!ok) throw new Error(`the golden store is damaged: ${JSON.stringify(report.damage)}`);
  await log.close();
  const events = expectedEvents().map((event) => `${JSON.stringify(event)}\n`);
  const facts = JSON.stringify({ id, head, report }, null, 2);
  /** @type {Map<string, Buffer>} */
  const files = new Map();
  for (const [path, bytes] of filesOf(disk)) files.set(`store/${path}`, bytes);
  files.set('events.ndjson', Buffer.from(events.join('')));
  files.set('facts.json', Buffer.from(`${facts}\n`));
  return files;
}

/** @param {string} target */
async function write(target) {
  mkdirSync(target, { recursive: true });
  if (readdirSync(target).length > 0) throw new Error(`${target} is not empty`);
  for (const [path, bytes] of await goldenFiles()) {
    const file = join(target, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes, { flag: 'wx' });
  }
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [, , target] = process.argv;
  if (target === undefined) throw new Error('name an empty or new directory');
  await write(target);
  console.log(`The golden store was written to ${target}.`);
}
