/**
 * One process's view of a simulated disk, and what can go wrong for it: a call that fails or does less than asked
 * (`inject`), or a death in the middle (`crashAt`, `disk.kill`). Every call is counted and traced.
 */
import type { Disk, DiskCalls, FileFacts, LockKind, LockRange, OpenMode } from '#src/log/disk.js';
import { systemError } from '#src/log/system-error.js';
import type { SimulatedDisk } from './simulated-disk.js';
import type { SimulatedFile } from './simulated-file.js';

/** The calls that are counted, can fail, and can be the last of a process. */
export type CallName = keyof DiskCalls | 'tryLock' | 'unlock';

/** What every call of a dead process throws. It has no system code, so that nobody takes it for an error of the disk. */
export class CrashError extends Error {
  constructor(process: string, number: number) {
    super(`the simulated process ${process} died at its call ${number}`);
    this.name = 'CrashError';
  }
}

export interface Fault {
  /** Which calls it is about. Default: all. */
  readonly method?: CallName | readonly CallName[];
  /** Only calls for such paths. */
  readonly path?: RegExp;
  /** The how-manieth of those calls from now on, from 1. Default 1: the next. */
  readonly call?: number;
  /** The system error: EIO, ENOSPC, EDQUOT, EMFILE, ENFILE, EACCES, EROFS … Left out: no error, only a short count. */
  readonly code?: string;
  /** For read and write: so many bytes are done before. Default: none when there is a code, half of them otherwise. */
  readonly bytes?: number;
  /** True: the call has its whole effect and fails all the same. */
  readonly applied?: boolean;
  /** True: all of those calls from that one on. Default: that one alone. */
  readonly lasting?: boolean;
}

export interface TracedCall {
  readonly process: string;
  /** Counts the calls of this process from 1. */
  readonly number: number;
  readonly method: CallName;
  readonly path: string;
  /** Numbers such as `@512+310`: where and how much. */
  readonly detail: string;
  /** What it gave, or the error's code, or `crash`. */
  outcome: string;
}

export type CrashMoment =
  /** Nothing of the call happened. */
  | 'before'
  /** Of a write the first half; of any other call nothing. */
  | 'during'
  /** All of it, but nobody heard of it. */
  | 'after';

interface Descriptor {
  readonly file: SimulatedFile;
  readonly path: string;
  readonly writable: boolean;
}

const traceMax = 10_000;
let processes = 0;

export class SimulatedProcess implements Disk {
  readonly sharedBetweenThreads = false;
  readonly name: string;
  readonly #disk: SimulatedDisk;
  /**
   * Another number for each process, so that what this thread keeps per device and inode (a mutex between the stores of
   * one process, say) is not shared by two of them.
   */
  readonly #device: number;
  readonly #descriptors = new Map<number, Descriptor>();
  readonly #watches = new Set<() => void>();
  readonly #counts = new Map<CallName, number>();
  readonly #faults: { readonly fault: Fault; matched: number }[] = [];
  #calls = 0;
  #crash: { readonly call: number; readonly moment: CrashMoment } | undefined;
  #alive = true;

  constructor(disk: SimulatedDisk, name: string) {
    this.#disk = disk;
    this.name = name;
    processes += 1;
    this.#device = 1_000_000 + processes;
  }

  get alive(): boolean {
    return this.#alive;
  }

  get rangeLocks(): boolean {
    return this.#disk.rangeLocks;
  }

  /** Calls so far. */
  get calls(): number {
    return this.#calls;
  }

  /** Calls of one method so far. */
  count(method: CallName): number {
    return this.#counts.get(method) ?? 0;
  }

  /** Descriptors that are open now. */
  get openFiles(): string[] {
    return [...this.#descriptors.values()].map(({ path }) => path);
  }

  /** Dies at its call of that number, counted as `calls` counts. */
  crashAt(call: number, moment: CrashMoment = 'before'): void {
    this.#crash = { call, moment };
  }

  /** Lets calls fail. Gives a function that lifts the fault again. */
  inject(fault: Fault): () => void {
    const entry = { fault, matched: 0 };
    this.#faults.push(entry);
    return () => {
      const place = this.#faults.indexOf(entry);
      if (place >= 0) this.#faults.splice(place, 1);
    };
  }

  /** As by kill -9: its descriptors, locks and watches are gone, what it wrote stays. */
  die(): void {
    this.#alive = false;
    for (const descriptor of this.#descriptors.values()) {
      descriptor.file.locks.release(descriptor);
    }
    this.#descriptors.clear();
    for (const stop of this.#watches) stop();
  }

  open(path: string, mode: OpenMode): number {
    return this.#call('open', path, mode, () => {
      const node = this.#disk.find(path);
      if (mode === 'create') {
        const file = this.#disk.createFile(path);
        return this.#newDescriptor({ file, path, writable: true });
      }
      if (!node) {
        // For the right error when what should be a directory is none.
        this.#disk.directory(path.replace(/[\\/][^\\/]*$/, ''), 'open');
        throw systemError('ENOENT', 'open', path);
      }
      if (node.kind === 'other') throw systemError('ELOOP', 'open', path);
      if (node.kind === 'directory') throw systemError('EISDIR', 'open', path);
      return this.#newDescriptor({ file: node, path, writable: mode === 'write' });
    });
  }

  close(file: number): void {
    this.#call('close', this.#pathOf(file), '', () => {
      const descriptor = this.#descriptor(file, 'close');
      descriptor.file.locks.release(descriptor);
      this.#descriptors.delete(file);
    });
  }

  read(file: number, buffer: Uint8Array, offset: number, length: number, position: number): number {
    const effect = (bytes: number): number =>
      this.#descriptor(file, 'read').file.read(buffer, offset, bytes, position);
    return this.#call('read', this.#pathOf(file), `@${position}+${length}`, effect, length);
  }

  write(
    file: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    const effect = (bytes: number): number => {
      const descriptor = this.#descriptor(file, 'write');
      if (!descriptor.writable) throw systemError('EBADF', 'write');
      const growth = Math.max(0, position + bytes - descriptor.file.size);
      const missing = growth - this.#disk.takeRoom(growth);
      if (missing > 0 && missing >= bytes) throw systemError('ENOSPC', 'write');
      descriptor.file.write(buffer.subarray(offset, offset + bytes - missing), position);
      this.#disk.changed(descriptor.file);
      return bytes - missing;
    };
    return this.#call('write', this.#pathOf(file), `@${position}+${length}`, effect, length);
  }

  truncate(file: number, size: number): void {
    this.#call('truncate', this.#pathOf(file), `to ${size}`, () => {
      const descriptor = this.#descriptor(file, 'ftruncate');
      if (!descriptor.writable) throw systemError('EINVAL', 'ftruncate');
      const growth = size - descriptor.file.size;
      if (growth < 0) this.#disk.giveRoom(-growth);
      descriptor.file.truncate(size);
      this.#disk.changed(descriptor.file);
    });
  }

  sync(file: number): void {
    const fail = (): void => this.#descriptors.get(file)?.file.failSync();
    const effect = (): void => this.#descriptor(file, 'fdatasync').file.sync();
    this.#call('sync', this.#pathOf(file), '', effect, 0, fail);
  }

  syncDirectory(path: string): void {
    this.#call('syncDirectory', path, '', () => this.#disk.syncDirectory(path));
  }

  size(file: number): number {
    return this.#call(
      'size',
      this.#pathOf(file),
      '',
      () => this.#descriptor(file, 'fstat').file.size,
    );
  }

  facts(path: string): FileFacts | undefined {
    return this.#call('facts', path, '', () => {
      const node = this.#disk.find(path);
      if (!node) return undefined;
      const { kind, inode } = node;
      const size = kind === 'file' ? node.size : 0;
      const mode = { file: 0o600, directory: 0o700, other: 0o777 }[kind];
      return { kind, size, mode, device: this.#device, inode };
    });
  }

  list(path: string): string[] {
    return this.#call('list', path, '', () =>
      [...this.#disk.directory(path, 'scandir').entries.keys()].sort(),
    );
  }

  makeDirectory(path: string): void {
    this.#call('makeDirectory', path, '', () => this.#disk.makeDirectory(path));
  }

  rename(from: string, to: string): void {
    this.#call('rename', from, `to ${to}`, () => this.#disk.rename(from, to));
  }

  link(from: string, to: string): void {
    this.#call('link', from, `to ${to}`, () => this.#disk.link(from, to));
  }

  remove(path: string): void {
    this.#call('remove', path, '', () => this.#disk.remove(path));
  }

  tryLock(file: number, range: LockRange, kind: LockKind): boolean {
    return this.#call('tryLock', this.#pathOf(file), `${kind} ${range.offset}`, () => {
      const descriptor = this.#descriptor(file, 'lock');
      const exclusive = kind === 'exclusive';
      if (exclusive && !descriptor.writable) throw systemError('EBADF', 'lock');
      const { offset, length } = this.#locked(range);
      return descriptor.file.locks.tryLock(descriptor, offset, length, exclusive);
    });
  }

  unlock(file: number, range: LockRange): void {
    this.#call('unlock', this.#pathOf(file), `${range.offset}`, () => {
      const descriptor = this.#descriptor(file, 'unlock');
      const { offset, length } = this.#locked(range);
      descriptor.file.locks.unlock(descriptor, offset, length);
    });
  }

  /** Does not wait: the clock moves on, and others may act in `disk.onPause`. */
  pause(milliseconds: number): void {
    this.#mustLive();
    this.#disk.clock.advance(milliseconds);
    this.#disk.onPause?.(this.name, milliseconds);
    this.#mustLive();
  }

  bootId(): string {
    this.#mustLive();
    return this.#disk.bootId;
  }

  fileSystem(): { readonly name: string; readonly trusted: boolean } {
    this.#mustLive();
    return { name: 'simulated', trusted: true };
  }

  watch(path: string, changed: () => void): () => void {
    this.#mustLive();
    const file = this.#disk.find(path);
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
    const stop = (): void => {
      file.watchers.delete(watcher);
      this.#watches.delete(stop);
    };
    file.watchers.add(watcher);
    this.#watches.add(stop);
    return stop;
  }

  /**
   * Counts, traces, crashes and fails. `effect` is told how many bytes to do, where that has a meaning; `failure` is
   * what a failing call leaves behind.
   */
  #call<T>(
    method: CallName,
    path: string,
    detail: string,
    effect: (bytes: number) => T,
    bytes = 0,
    failure?: () => void,
  ): T {
    this.#mustLive();
    this.#calls += 1;
    this.#counts.set(method, this.count(method) + 1);
    const traced = this.#trace(method, path, detail);
    const moment = this.#crash?.call === this.#calls ? this.#crash.moment : undefined;
    try {
      if (moment === 'during' && method === 'write') effect(Math.floor(bytes / 2));
      if (moment === 'before' || moment === 'during') this.#crashNow();
      const fault = this.#nextFault(method, path);
      const result = fault
        ? this.#fail(fault, method, path, effect, bytes, failure)
        : effect(bytes);
      traced.outcome = outcomeOf(result);
      if (moment === 'after') this.#crashNow();
      return result;
    } catch (error) {
      traced.outcome = error instanceof CrashError ? 'crash' : String((error as Error).message);
      throw error;
    }
  }

  #fail<T>(
    fault: Fault,
    method: CallName,
    path: string,
    effect: (bytes: number) => T,
    bytes: number,
    failure: (() => void) | undefined,
  ): T {
    const { code } = fault;
    const some = Math.min(bytes, fault.bytes ?? (code === undefined ? Math.ceil(bytes / 2) : 0));
    if (code === undefined) return effect(some);
    // A descriptor is gone even when close fails.
    if (fault.applied || method === 'close') effect(bytes);
    else if (some > 0) effect(some);
    else failure?.();
    throw systemError(code, method, path);
  }

  #nextFault(method: CallName, path: string): Fault | undefined {
    let found: Fault | undefined;
    for (const entry of this.#faults) {
      const { fault } = entry;
      const methods = fault.method === undefined ? [method] : [fault.method].flat();
      if (!methods.includes(method) || (fault.path && !fault.path.test(path))) continue;
      entry.matched += 1;
      const call = fault.call ?? 1;
      if (entry.matched === call || (fault.lasting && entry.matched > call)) found ??= fault;
    }
    return found;
  }

  #crashNow(): never {
    this.die();
    throw new CrashError(this.name, this.#calls);
  }

  #mustLive(): void {
    if (!this.#alive) throw new CrashError(this.name, this.#calls);
  }

  #trace(method: CallName, path: string, detail: string): TracedCall {
    const traced = { process: this.name, number: this.#calls, method, path, detail, outcome: '' };
    const { trace } = this.#disk;
    trace.push(traced);
    if (trace.length > traceMax) trace.splice(0, traceMax / 2);
    return traced;
  }

  #newDescriptor(descriptor: Descriptor): number {
    // The lowest free number, as the kernel gives it: a number that was closed soon means another file.
    let number = 3;
    while (this.#descriptors.has(number)) number += 1;
    this.#descriptors.set(number, descriptor);
    return number;
  }

  #descriptor(file: number, call: string): Descriptor {
    const descriptor = this.#descriptors.get(file);
    if (!descriptor) throw systemError('EBADF', call);
    return descriptor;
  }

  #pathOf(file: number): string {
    return this.#descriptors.get(file)?.path ?? `descriptor ${file}`;
  }

  #locked(range: LockRange): LockRange {
    return this.#disk.rangeLocks ? range : { offset: 0, length: Number.MAX_SAFE_INTEGER };
  }
}

function outcomeOf(result: unknown): string {
  if (result === undefined) return 'done';
  return Array.isArray(result) ? `${result.length} names` : JSON.stringify(result);
}
