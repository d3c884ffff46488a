/** Writes index files so that a reader finds a whole one or none (docs/FORMAT.md, "Index files in detail"). */
import { join } from 'node:path';
import { systemCode } from '../errors.js';
import { type ClosingFacts, encodeIndex } from './index-encode.js';
import { indexPath } from './index-file.js';
import { ask, type Io, rest } from './io.js';
import { sortedInSlices } from './merge.js';
import type { Paths } from './paths.js';
import type { TailIndex } from './segment-index.js';
import { writeAll } from './whole-file.js';

const WRITE_BYTES = 64 * 1024;
const TEMPORARY_NAMES = 8;

/**
 * Writes the index file of a closed segment: beside, synced, renamed. Another process may do the same at the same time; whoever
 * is last wins with the same bytes.
 */
export function* writeIndexFile(paths: Paths, tail: TailIndex, closing: ClosingFacts): Io<void> {
  const path = indexPath(paths, tail.first);
  const temporary = yield* createTemporary(paths, path);
  try {
    try {
      yield* writePieces(temporary.file, tail, closing);
      yield* ask('sync', temporary.file);
    } finally {
      yield* ask('close', temporary.file);
    }
    yield* ask('rename', temporary.path, path);
  } catch (error) {
    if (systemCode(error) !== undefined) yield* removeIfThere(temporary.path);
    throw error;
  }
  yield* ask('syncDirectory', paths.index);
}

/** In pieces, and between them others have their turn. */
function* writePieces(file: number, tail: TailIndex, closing: ClosingFacts): Io<void> {
  const names = { streams: yield* inOrder(tail.streams()), keys: yield* inOrder(tail.keyNames()) };
  let parts: Buffer[] = [];
  let [position, bytes] = [0, 0];
  const write = function* (): Io<void> {
    yield* writeAll(file, Buffer.concat(parts), position);
    position += bytes;
    parts = [];
    bytes = 0;
  };
  for (const part of encodeIndex(tail, closing, names)) {
    parts.push(part);
    bytes += part.length;
    if (bytes >= WRITE_BYTES) yield* write();
    yield* rest();
  }
  if (bytes > 0) yield* write();
}

function* inOrder(names: Iterable<string>): Io<string[]> {
  const sorted = yield* sortedInSlices(names);
  const all: string[] = [];
  for (let batch = yield* sorted.next(); batch; batch = yield* sorted.next()) {
    for (const { key } of batch) all.push(key);
  }
  return all;
}

/** Names that are taken belong to another process that writes the same index, or were left over by one that died. */
function* createTemporary(paths: Paths, path: string): Io<{ file: number; path: string }> {
  let madeDirectory = false;
  for (let number = 0; ; ) {
    const temporary = `${path}.${number}.tmp`;
    try {
      return { file: yield* ask('open', temporary, 'create'), path: temporary };
    } catch (error) {
      const code = systemCode(error);
      if (code === 'EEXIST' && number < TEMPORARY_NAMES - 1) number += 1;
      else if (code === 'ENOENT' && !madeDirectory) {
        madeDirectory = true;
        // Only the folder itself: a store that was moved or deleted meanwhile must not appear again.
        yield* makeIndexDirectory(paths);
      } else throw error;
    }
  }
}

function* makeIndexDirectory(paths: Paths): Io<void> {
  try {
    yield* ask('makeDirectory', paths.index);
  } catch (error) {
    // Another one made it at the same time.
    if (systemCode(error) !== 'EEXIST') throw error;
  }
}

/**
 * Removes what writers of index files and registrations left when they died. One that is at work right now loses its file too, and then keeps that
 * index in memory, or registers again later: neither is needed by what is going on.
 */
export function* removeLeftovers(paths: Paths): Io<void> {
  for (const directory of [paths.index, paths.registry]) yield* removeTemporary(directory);
}

function* removeTemporary(directory: string): Io<void> {
  try {
    for (const name of yield* ask('list', directory)) {
      if (name.endsWith('.tmp')) yield* removeIfThere(join(directory, name));
    }
  } catch (error) {
    // No such folder, or no right: then they stay, and are ignored.
    if (systemCode(error) === undefined) throw error;
  }
}

function* removeIfThere(path: string): Io<void> {
  try {
    yield* ask('remove', path);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}
