/**
 * What stands in a lock file: the record of who took it last, and behind it, with fencing, the tokens of fence.ts.
 *
 * Whoever holds the lock alone signs. A wrong path is easily given, so nothing is written over what could be anybody's data: only over an
 * empty file, over what a lock file holds, whole or torn by a crash, and over zeros as long as a lock file, which a power failure leaves.
 */
import { ftruncateSync, readSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { invalidArgument, quote, StoreAccessError } from '../errors.js';
import { FENCE_END, holdsTokens } from './fence.js';
import { decodeHolder, encodeHolder, HOLDER_BYTES, type Holder, isTornHolder } from './holder.js';

let known: Omit<Holder, 'label'> | undefined;

export function thisProcess(): Omit<Holder, 'label'> {
  known ??= {
    pid: process.pid,
    host: hostname(),
    startedAt: Math.round(Date.now() - process.uptime() * 1000),
  };
  return known;
}

let signed: { readonly label: string; readonly record: Buffer } | undefined;

function recordOf(label: string): Buffer {
  if (signed?.label !== label) {
    signed = { label, record: encodeHolder({ ...thisProcess(), label }) };
  }
  return signed.record;
}

/**
 * Writes this process into the file, under its exclusive lock.
 * @throws TypeError for a file that is no lock file, StoreAccessError for one that cannot be read: both are left as they are
 */
export function sign(path: string, file: number, label = ''): void {
  const record = recordOf(label);
  // A byte more than a lock file has tells a longer one.
  const bytes = Buffer.alloc(FENCE_END + 1);
  const length = contentOf(path, file, bytes);
  const content = bytes.subarray(0, length);
  if (length <= FENCE_END && record.equals(content.subarray(0, HOLDER_BYTES))) return;
  if (!isLockFile(content)) {
    throw invalidArgument(
      `${quote(path)} holds something else and cannot be a lock file: choose a path of its own for the lock`,
    );
  }
  writeRecord(file, record, length === 0);
}

/** The record only serves error messages: a full disk must not keep anyone from the lock. */
function writeRecord(file: number, record: Buffer, isNew: boolean): void {
  try {
    const written = writeSync(file, record, 0, record.length, 0);
    // A few bytes could not be told from somebody's data later on.
    if (isNew && written < record.length) ftruncateSync(file, 0);
  } catch {
    // See above.
  }
}

function isLockFile(content: Buffer): boolean {
  if (content.length === 0) return true;
  if (content.length > FENCE_END) return false;
  if (content.length < HOLDER_BYTES) return isTornHolder(content);
  return (
    decodeHolder(content) !== undefined ||
    holdsTokens(content) ||
    content.every((byte) => byte === 0)
  );
}

function contentOf(path: string, file: number, bytes: Buffer): number {
  try {
    return readSync(file, bytes, 0, bytes.length, 0);
  } catch (error) {
    throw new StoreAccessError(path, error);
  }
}

/** Who signed last, as far as the file can tell it. */
export function lastHolder(file: number): Holder | undefined {
  const bytes = Buffer.alloc(HOLDER_BYTES);
  try {
    readSync(file, bytes, 0, bytes.length, 0);
  } catch {
    // It serves error messages: one about a lock must not become one about its file.
  }
  return decodeHolder(bytes);
}
