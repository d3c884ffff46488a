/**
 * A disk that keeps everything in this process's memory and forgets it with the process. It refuses what a real disk
 * refuses, so that code behaves the same on both; nothing can be lost on it, so that `sync` has nothing to do.
 */
import { randomUUID } from 'node:crypto';
import { basename, dirname, parse, sep } from 'node:path';
import { pause } from '../locks/pause.js';
import { RangeLocks } from '../locks/range-locks.js';
import type { Disk, FileFacts, LockKind, LockRange, OpenMode } from './disk.js';
import { systemError } from './system-error.js';

/** Large enough that a large file has few, small enough that the last one wastes little. */
const CHUNK_BYTES = 64 * 1024;

/** Bytes in chunks: appending never copies what stands already, except inside the first chunk while it grows. */
class ChunkedBytes {
  readonly #chunks: (Uint8Array | undefined)[] = [];
  size = 0;

  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.size - position));
    for (let done = 0; done < count; ) {
      const { index, start, bytes } = stretch(position + done, count - done);
      const chunk = this.#chunks[index] ?? new Uint8Array();
      const present = chunk.subarray(start, start + bytes);
      buffer.set(present, offset + done);
      // What was never written reads as zeros.
      buffer.fill(0, offset + done + present.length, offset + done + bytes);
      done += bytes;
    }
    return count;
  }

  write(bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.length; ) {
      const { index, start, bytes: count } = stretch(position + done, bytes.length - done);
      this.#chunk(index, start + count).set(bytes.subarray(done, done + count), start);
      done += count;
    }
    this.size = Math.max(this.size, position + bytes.length);
  }

  truncate(size: number): void {
    if (size < this.size) {
      const { index, start } = stretch(size, 1);
      this.#chunks.length = Math.min(this.#chunks.length, index + 1);
      // What is cut must not reappear when the file grows again.
      this.#chunks[index]?.fill(0, start);
    }
    this.size = size;
  }

  #chunk(index: number, bytes: number): Uint8Array {
    const chunk = this.#chunks[index];
    if (chunk && chunk.length >= bytes) return chunk;
    // A small file stays small: only its first chunk begins with less than the whole.
    const length = index === 0 ? Math.min(CHUNK_BYTES, Math.max(bytes, 512) * 2) : CHUNK_BYTES;
    const larger = new Uint8Array(length);
    if (chunk) larger.set(chunk);
    this.#chunks[index] = larger;
    return larger;
  }
}

/** The part of `length` bytes from `position` that lies in one chunk. */
function stretch(position: number, length: number) {
  const index = Math.floor(position / CHUNK_BYTES);
  const start = position - index * CHUNK_BYTES;
  return { index, start, bytes: Math.min(length, CHUNK_BYTES - start) };
}

class MemoryFile {
  readonly kind = 'file';
  readonly inode: number;
  readonly bytes = new ChunkedBytes();
  readonly locks = new RangeLocks<Descriptor>();
  readonly watchers = new Set<() => void>();

  constructor(inode: number) {
    this.inode = inode;
  }
}

class MemoryDirectory {
  readonly kind = 'directory';
  readonly inode: number;
  readonly entries = new Map<string, MemoryFile | MemoryDirectory>();

  constructor(inode: number) {
    this.inode = inode;
  }
}

interface Descriptor {
  readonly file: MemoryFile;
  readonly writable: boolean;
}

let disks = 0;

/** A new, empty disk: its root directory is there, all else must be made. */
export class MemoryDisk implements Disk {
  readonly sharedBetweenThreads = false;
  readonly rangeLocks = true;
  readonly #bootId = randomUUID();
  /** No device of the system and no other disk in memory has this number: device and inode together name one file. */
  readonly #device: number;
  readonly #root = new MemoryDirectory(1);
  readonly #descriptors = new Map<number, Descriptor>();
  #lastInode = 1;
  #lastDescriptor = 0;

  constructor() {
    disks += 1;
    this.#device = -disks;
  }

  open(path: string, mode: OpenMode): number {
    const directory = this.#parent(path, 'open');
    let file = directory.entries.get(basename(path));
    if (mode === 'create') {
      if (file) throw systemError('EEXIST', 'open', path);
      file = new MemoryFile(this.#newInode());
      directory.entries.set(basename(path), file);
    }
    if (!file) throw systemError('ENOENT', 'open', path);
    if (file.kind === 'directory') throw systemError('EISDIR', 'open', path);
    this.#lastDescriptor += 1;
    this.#descriptors.set(this.#lastDescriptor, { file, writable: mode !== 'read' });
    return this.#lastDescriptor;
  }

  close(file: number): void {
    const descriptor = this.#descriptor(file, 'close');
    descriptor.file.locks.release(descriptor);
    this.#descriptors.delete(file);
  }

  read(file: number, buffer: Uint8Array, offset: number, length: number, position: number): number {
    return this.#descriptor(file, 'read').file.bytes.read(buffer, offset, length, position);
  }

  write(
    file: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    const descriptor = this.#descriptor(file, 'write');
    if (!descriptor.writable) throw systemError('EBADF', 'write');
    descriptor.file.bytes.write(buffer.subarray(offset, offset + length), position);
    this.#changed(descriptor.file);
    return length;
  }

  truncate(file: number, size: number): void {
    const descriptor = this.#descriptor(file, 'ftruncate');
    if (!descriptor.writable) throw systemError('EINVAL', 'ftruncate');
    descriptor.file.bytes.truncate(size);
    this.#changed(descriptor.file);
  }

  sync(file: number): void {
    this.#descriptor(file, 'fdatasync');
  }

  syncDirectory(path: string): void {
    this.#directory(path, 'open');
  }

  size(file: number): number {
    return this.#descriptor(file, 'fstat').file.bytes.size;
  }

  facts(path: string): FileFacts | undefined {
    const node = this.#find(path);
    if (!node) return undefined;
    const { kind, inode } = node;
    const device = this.#device;
    if (kind === 'directory') return { kind, size: 0, mode: 0o700, device, inode };
    return { kind, size: node.bytes.size, mode: 0o600, device, inode };
  }

  list(path: string): string[] {
    return [...this.#directory(path, 'scandir').entries.keys()].sort();
  }

  makeDirectory(path: string): void {
    if (this.#find(path)) throw systemError('EEXIST', 'mkdir', path);
    const directory = new MemoryDirectory(this.#newInode());
    this.#parent(path, 'mkdir').entries.set(basename(path), directory);
  }

  rename(from: string, to: string): void {
    const source = this.#parent(from, 'rename');
    const target = this.#parent(to, 'rename');
    const node = source.entries.get(basename(from));
    const replaced = target.entries.get(basename(to));
    if (!node) throw systemError('ENOENT', 'rename', from);
    if (node === replaced) return;
    if (replaced?.kind === 'directory') {
      if (node.kind === 'file') throw systemError('EISDIR', 'rename', to);
      if (replaced.entries.size > 0) throw systemError('ENOTEMPTY', 'rename', to);
    }
    if (replaced?.kind === 'file') {
      if (node.kind === 'directory') throw systemError('ENOTDIR', 'rename', to);
      this.#changed(replaced);
    }
    source.entries.delete(basename(from));
    target.entries.set(basename(to), node);
  }

  link(from: string, to: string): void {
    const file = this.#find(from);
    if (!file) throw systemError('ENOENT', 'link', from);
    if (file.kind === 'directory') throw systemError('EPERM', 'link', from);
    const entries = this.#parent(to, 'link').entries;
    if (entries.has(basename(to))) throw systemError('EEXIST', 'link', to);
    entries.set(basename(to), file);
  }

  remove(path: string): void {
    const directory = this.#parent(path, 'unlink');
    const node = directory.entries.get(basename(path));
    if (!node) throw systemError('ENOENT', 'unlink', path);
    if (node.kind === 'directory' && node.entries.size > 0) {
      throw systemError('ENOTEMPTY', 'rmdir', path);
    }
    directory.entries.delete(basename(path));
    if (node.kind === 'file') this.#changed(node);
  }

  tryLock(file: number, range: LockRange, kind: LockKind): boolean {
    const descriptor = this.#descriptor(file, 'lock');
    const exclusive = kind === 'exclusive';
    if (exclusive && !descriptor.writable) throw systemError('EBADF', 'lock');
    return descriptor.file.locks.tryLock(descriptor, range.offset, range.length, exclusive);
  }

  unlock(file: number, range: LockRange): void {
    const descriptor = this.#descriptor(file, 'unlock');
    descriptor.file.locks.unlock(descriptor, range.offset, range.length);
  }

  pause(milliseconds: number): void {
    pause(milliseconds);
  }

  bootId(): string {
    return this.#bootId;
  }

  fileSystem(): { readonly name: string; readonly trusted: boolean } {
    return { name: 'memory', trusted: true };
  }

  watch(path: string, changed: () => void): () => void {
    const file = this.#find(path);
    if (file?.kind !== 'file') return () => {};
    let waiting = false;
    const watcher = (): void => {
      if (waiting) return;
      waiting = true;
      queueMicrotask(() => {
        waiting = false;
        if (file.watchers.has(watcher)) changed();
      });
    };
    file.watchers.add(watcher);
    return () => {
      file.watchers.delete(watcher);
    };
  }

  #changed(file: MemoryFile): void {
    for (const watcher of file.watchers) watcher();
  }

  #newInode(): number {
    this.#lastInode += 1;
    return this.#lastInode;
  }

  #descriptor(file: number, call: string): Descriptor {
    const descriptor = this.#descriptors.get(file);
    if (!descriptor) throw systemError('EBADF', call);
    return descriptor;
  }

  #find(path: string): MemoryFile | MemoryDirectory | undefined {
    let node: MemoryFile | MemoryDirectory | undefined = this.#root;
    for (const name of path.slice(parse(path).root.length).split(sep)) {
      if (name === '') continue;
      node = node?.kind === 'directory' ? node.entries.get(name) : undefined;
    }
    return node;
  }

  #directory(path: string, call: string): MemoryDirectory {
    const node = this.#find(path);
    if (!node) throw systemError('ENOENT', call, path);
    if (node.kind === 'file') throw systemError('ENOTDIR', call, path);
    return node;
  }

  #parent(path: string, call: string): MemoryDirectory {
    return this.#directory(dirname(path), call);
  }
}
