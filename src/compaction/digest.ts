/** Files read or copied from their first byte to their last, with the SHA-256 of what was read. */
import { createHash, type Hash } from 'node:crypto';
import { systemCode } from '../errors.js';
import { ask, type Io } from '../log/io.js';
import { writeAll } from '../log/whole-file.js';
import type { Course } from './course.js';

export interface Digest {
  readonly bytes: number;
  /** 64 hexadecimal digits. */
  readonly sha256: string;
}

const PIECE_BYTES = 1024 * 1024;

/** Of the file at a path; nothing when there is none. */
export function* digestOfFile(path: string, course: Course): Io<Digest | undefined> {
  let file: number;
  try {
    file = yield* ask('open', path, 'read');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return yield* readThrough(file, Number.MAX_SAFE_INTEGER, course);
  } finally {
    yield* ask('close', file);
  }
}

/**
 * Copies the first `bytesMax` bytes of a file, or all that it has, into a new one and syncs that. Gives the digest of what was read.
 * Whoever must know what was written reads it again.
 */
export function* copyFile(
  from: string,
  to: string,
  course: Course,
  bytesMax: number = Number.MAX_SAFE_INTEGER,
): Io<Digest> {
  const source = yield* ask('open', from, 'read');
  try {
    const target = yield* ask('open', to, 'create');
    try {
      const digest = yield* readThrough(source, bytesMax, course, target);
      yield* ask('sync', target);
      return digest;
    } finally {
      yield* ask('close', target);
    }
  } finally {
    yield* ask('close', source);
  }
}

function* readThrough(file: number, bytesMax: number, course: Course, copy?: number): Io<Digest> {
  const hash = createHash('sha256');
  const size = Math.min(bytesMax, yield* ask('size', file));
  const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(PIECE_BYTES, size)));
  let at = 0;
  while (at < bytesMax) {
    const want = Math.min(buffer.length, bytesMax - at);
    const count = yield* ask('read', file, buffer, 0, want, at);
    if (count === 0) break;
    const piece = buffer.subarray(0, count);
    hash.update(piece);
    if (copy !== undefined) yield* writeAll(copy, piece, at);
    at += count;
    course.advance(count);
  }
  return { bytes: at, sha256: hash.digest('hex') };
}

interface Reading {
  readonly path: string;
  readonly hash: Hash;
  at: number;
}

/**
 * Does work that reads files and notes the digest of each that it reads from its beginning, one byte after the other: what was verified and what
 * was hashed are then the same bytes, read once.
 */
export function* hashing<T>(work: Io<T>, digests: Map<string, Digest>): Io<T> {
  const readings = new Map<number, Reading>();
  let step = work.next();
  while (!step.done) {
    const { method, args } = step.value;
    let answer: unknown;
    try {
      answer = yield step.value;
    } catch (error) {
      step = work.throw(error);
      continue;
    }
    const [first, buffer, start, , position] = args as [number, Buffer, number, number, number];
    if (method === 'open') {
      const path = String(args[0]);
      readings.set(answer as number, { path, hash: createHash('sha256'), at: 0 });
    }
    const reading = readings.get(first);
    if (method === 'read' && reading && position === reading.at) {
      const count = answer as number;
      reading.hash.update(buffer.subarray(start, start + count));
      reading.at += count;
    }
    if (method === 'close' && reading) {
      readings.delete(first);
      const known = digests.get(reading.path)?.bytes ?? -1;
      if (reading.at > known) {
        digests.set(reading.path, { bytes: reading.at, sha256: reading.hash.digest('hex') });
      }
    }
    step = work.next(answer);
  }
  return step.value;
}
