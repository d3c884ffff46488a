/** What a file may hold for an exclusive lock to sign it: a lock file's own content, whole or cut off, and nothing else. */
import { closeSync, openSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { StoreAccessError } from '#src/errors.js';
import { encodeHolder } from '#src/locks/holder.js';
import { FileLock } from '#src/locks/index.js';
import { sign } from '#src/locks/lock-content.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const path = (): string => join(temporaryDirectory(), 'some.lock');

const record = encodeHolder({
  pid: 4711,
  host: 'elsewhere',
  startedAt: Date.UTC(2026, 0, 1),
  label: 'night shift',
});

/** A counter as programs keep it: eight bytes. */
function counter(kind: 'double' | 'integer', value: number): Buffer {
  const bytes = Buffer.alloc(8);
  if (kind === 'double') bytes.writeDoubleLE(value);
  else bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function changed(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
}

describe('a file that only looks a little like a lock file', () => {
  const contents: Record<string, Buffer> = {
    'a counter': counter('double', 42),
    'a counter of whole numbers': counter('integer', 4711),
    'a counter at zero': counter('integer', 0),
    'a few zeros': Buffer.alloc(100),
    'zeros, then content': Buffer.concat([Buffer.alloc(128), Buffer.from('mine')]),
    'zeros up to where tokens stand': Buffer.concat([Buffer.alloc(1000), Buffer.from('mine')]),
    'more zeros than a lock file has': Buffer.alloc(4096),
    'a record, then much else': Buffer.concat([record, Buffer.alloc(4000, 'x')]),
    'numbers and a text': Buffer.concat([counter('integer', 4711), Buffer.from('a text\0')]),
    'the beginning of a record without a process': changed(record, (bytes) =>
      bytes.writeUInt32LE(0, 0),
    ).subarray(0, 100),
    'the beginning of a record of no time': changed(record, (bytes) =>
      bytes.writeDoubleLE(42, 4),
    ).subarray(0, 100),
    'the beginning of a record with something between its texts': changed(record, (bytes) =>
      bytes.write('x', 60),
    ).subarray(0, 100),
  };

  test.each(Object.keys(contents))('is refused and left as it is: %s', async (name) => {
    const content = contents[name] ?? Buffer.alloc(0);
    const file = path();
    writeFileSync(file, content);
    for (const fencing of [false, true]) {
      const lock = new FileLock(file, { fencing });
      await expect(lock.exclusive()).rejects.toThrow(TypeError);
      expect(() => lock.exclusiveSync()).toThrow(/holds something else/);
      expect(readFileSync(file).equals(content)).toBe(true);
    }
  });
});

describe('a lock file that a crash left in part', () => {
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['zeros for a record', Buffer.alloc(128)],
    ['zeros for record and tokens', Buffer.alloc(1040)],
    ['the number and time of a process', record.subarray(0, 12)],
    ['the beginning of a host', record.subarray(0, 16)],
    ['the beginning of a label', record.subarray(0, 72)],
    ['a record without its checksum', record.subarray(0, 124)],
    ['a record', record],
  ])('is signed anew: %s', (_name, content) => {
    const file = path();
    writeFileSync(file, content);
    const lock = new FileLock(file, { label: 'next' });
    lock.exclusiveSync().release();
    const { lastHolder } = lock.status();
    expect(lastHolder).toMatchObject({ pid: process.pid, host: hostname(), label: 'next' });
    expect(statSync(file).size).toBe(Math.max(128, content.length));
  });

  test('keeps its tokens when only its record is damaged', () => {
    const file = path();
    const lock = new FileLock(file, { fencing: true });
    for (const token of [1, 2]) lock.withExclusiveSync((lease) => expect(lease.token).toBe(token));
    const bytes = readFileSync(file);
    bytes.fill(0, 0, 128);
    writeFileSync(file, bytes);
    lock.withExclusiveSync(({ token }) => expect(token).toBe(3));
    // Cut behind the first range's end, as a crash before the second range leaves it.
    truncateSync(file, 528);
    lock.withExclusiveSync(({ token }) => expect(token).toBe(4));
  });
});

describe('a lock file that cannot be read', () => {
  test('is not taken for an empty one', () => {
    const file = path();
    writeFileSync(file, 'mine');
    const descriptor = openSync(file, 'r+');
    const writable = openSync(file, 'a');
    try {
      expect(() => sign(file, descriptor, 'x')).toThrow(TypeError);
      expect(() => sign(file, writable, 'x')).toThrow(StoreAccessError);
    } finally {
      closeSync(descriptor);
      closeSync(writable);
    }
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });
});
