/**
 * Writers that are wrong on purpose, each in one of the ways that the rules of the log forbid. They are the healthy code on a disk
 * that does not do what it is told, so they stay as wrong as they are whatever becomes of that code.
 */
import type { Disk } from '#src/log/disk.js';
import { WRITE_LOCK } from '#src/log/format.js';
import { decodeMark, encodeMark, MARK_BYTES } from '#src/log/mark.js';
import type { SimulatedProcess } from '../support/simulated-process.js';

type BreakDisk = (process: SimulatedProcess) => Disk;
type Read = Disk['read'];

/** The same disk, but for these calls. */
function withCalls(disk: Disk, calls: Partial<Disk>): Disk {
  return new Proxy(disk, {
    get(target, name) {
      const changed = (calls as Record<string | symbol, unknown>)[name];
      const value = changed ?? (Reflect.get(target, name, target) as unknown);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
}

/** The path of each open file, which the calls that take a descriptor do not tell. */
class Paths {
  readonly #paths = new Map<number, string>();
  readonly open: Disk['open'];

  constructor(disk: Disk) {
    this.open = (path, mode) => {
      const file = disk.open(path, mode);
      this.#paths.set(file, path);
      return file;
    };
  }

  isSegment(file: number): boolean {
    return /log.[0-9]{20}\.ndjson$/.test(this.#paths.get(file) ?? '');
  }

  isLock(file: number): boolean {
    return this.#paths.get(file)?.endsWith('lock') ?? false;
  }
}

function isGroup(buffer: Uint8Array, offset: number): boolean {
  return Buffer.from(buffer.subarray(offset, offset + 5)).toString() === '{"p":';
}

/** Acknowledges before the sync: what was written is synced when the next group comes. */
const acknowledgesFirst: BreakDisk = (disk) => {
  const paths = new Paths(disk);
  const written = new Set<number>();
  const late = new Set<number>();
  return withCalls(disk, {
    open: paths.open,
    sync(file) {
      if (written.has(file)) late.add(file);
      else disk.sync(file);
    },
    write(file, buffer, offset, length, position) {
      if (late.delete(file)) disk.sync(file);
      if (isGroup(buffer, offset)) written.add(file);
      else written.delete(file);
      return disk.write(file, buffer, offset, length, position);
    },
    close(file) {
      late.delete(file);
      disk.close(file);
    },
  });
};

/** Tries a failed sync again, and believes the second answer. */
const retriesSync: BreakDisk = (disk) =>
  withCalls(disk, {
    sync(file) {
      try {
        disk.sync(file);
      } catch {
        disk.sync(file);
      }
    },
  });

/** Takes the entries of a directory for durable once they are there. */
const dropsDirectorySync: BreakDisk = (disk) => withCalls(disk, { syncDirectory: () => {} });

/** Does not look, once it has the lock, at what others wrote since it looked last. */
const skipsRereading: BreakDisk = (disk) => {
  const paths = new Paths(disk);
  let holds = false;
  let seen: Buffer | undefined;
  const isMark = (file: number, position: number) => paths.isLock(file) && position === 0;
  return withCalls(disk, {
    open: paths.open,
    tryLock(file, range, kind) {
      const taken = disk.tryLock(file, range, kind);
      if (taken && range.offset === WRITE_LOCK.offset && kind === 'exclusive') holds = true;
      return taken;
    },
    unlock(file, range) {
      if (range.offset === WRITE_LOCK.offset) holds = false;
      disk.unlock(file, range);
    },
    read(file, buffer, offset, length, position) {
      const count = disk.read(file, buffer, offset, length, position);
      if (!holds || !isMark(file, position)) return count;
      if (seen) buffer.set(seen, offset);
      else seen = Buffer.from(buffer.subarray(offset, offset + MARK_BYTES));
      return count;
    },
    write(file, buffer, offset, length, position) {
      if (isMark(file, position)) seen = Buffer.from(buffer.subarray(offset, offset + MARK_BYTES));
      return disk.write(file, buffer, offset, length, position);
    },
    size(file) {
      const mark = seen && decodeMark(seen);
      return holds && mark && paths.isSegment(file) ? mark.offset : disk.size(file);
    },
  });
};

/** A mark behind the last whole group that stands in the file, proven or not. */
function markBeyond(disk: SimulatedProcess, read: Read, bytes: Buffer): Buffer {
  const mark = decodeMark(bytes);
  if (!mark) return bytes;
  const name = `${String(mark.segment).padStart(20, '0')}.ndjson`;
  const file = disk.open(`/memory/log/${name}`, 'read');
  const tail = Buffer.alloc(64 * 1024);
  const count = read(file, tail, 0, tail.length, mark.offset);
  disk.close(file);
  let beyond = mark;
  let offset = mark.offset;
  for (const line of tail.toString('utf8', 0, count).split('\n').slice(0, -1)) {
    offset += Buffer.byteLength(line) + 1;
    const [, seal, position] = /^\{"seal":"([0-9a-f]{64})",.*"p":([0-9]+),/.exec(line) ?? [];
    if (seal) beyond = { ...mark, offset, seal, position: Number(position) };
  }
  return encodeMark(beyond);
}

/** Takes what stands in the file for what is proven: with the lock (a writer), or without it (a reader). */
function believesTheFile(who: 'writer' | 'reader'): BreakDisk {
  return (disk) => {
    const paths = new Paths(disk);
    const holders = new Set<number>();
    return withCalls(disk, {
      open: paths.open,
      tryLock(file, range, kind) {
        const taken = disk.tryLock(file, range, kind);
        if (taken && range.offset === WRITE_LOCK.offset) holders.add(file);
        return taken;
      },
      unlock(file, range) {
        if (range.offset === WRITE_LOCK.offset) holders.delete(file);
        disk.unlock(file, range);
      },
      read(file, buffer, offset, length, position) {
        const count = disk.read(file, buffer, offset, length, position);
        const asks = holders.has(file) ? 'writer' : 'reader';
        if (asks !== who || !paths.isLock(file) || position !== 0 || count < MARK_BYTES)
          return count;
        const mark = Buffer.from(buffer.subarray(offset, offset + MARK_BYTES));
        buffer.set(markBeyond(disk, disk.read.bind(disk), mark), offset);
        return count;
      },
    });
  };
}

/** Syncs what another writer left, but does not write it again: the kernel may count it as clean already. */
const onlySyncsTheTail: BreakDisk = (disk) => {
  const paths = new Paths(disk);
  return withCalls(disk, {
    open: paths.open,
    write(file, buffer, offset, length, position) {
      const there = Buffer.alloc(length);
      const isSame =
        paths.isSegment(file) &&
        disk.read(file, there, 0, length, position) === length &&
        there.equals(buffer.subarray(offset, offset + length));
      return isSame ? length : disk.write(file, buffer, offset, length, position);
    },
  });
};

/** Cuts off what could not be written, and goes on before the cut is durable. */
const forgetsToSyncCuts: BreakDisk = (disk) => {
  const cut = new Set<number>();
  return withCalls(disk, {
    truncate(file, size) {
      disk.truncate(file, size);
      if (size > 0) cut.add(file);
    },
    sync(file) {
      if (!cut.delete(file)) disk.sync(file);
    },
    close(file) {
      cut.delete(file);
      disk.close(file);
    },
  });
};

/** Does not look at how many bytes a write took. */
const trustsShortWrites: BreakDisk = (disk) =>
  withCalls(disk, {
    write(file, buffer, offset, length, position) {
      const count = disk.write(file, buffer, offset, length, position);
      return isGroup(buffer, offset) ? length : count;
    },
  });

export const brokenWriters = {
  acknowledgesFirst,
  retriesSync,
  dropsDirectorySync,
  skipsRereading,
  readsBeyondTheMark: believesTheFile('reader'),
  buildsOnUnprovenTail: believesTheFile('writer'),
  onlySyncsTheTail,
  forgetsToSyncCuts,
  trustsShortWrites,
} satisfies Record<string, BreakDisk>;
