/** What every disk keeps, whoever makes it: the words of src/log/disk.ts as tests. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemCode } from '#src/errors.js';
import type { Disk, DiskCalls } from '#src/log/disk.js';
import { SeededRandom } from '../support/random.js';

/** Synchronous calls and their asynchronous twins keep the same contract: the tests await either. */
export type CallsUnderTest = {
  [Name in keyof DiskCalls]: (
    ...parameters: Parameters<DiskCalls[Name]>
  ) => ReturnType<DiskCalls[Name]> | Promise<ReturnType<DiskCalls[Name]>>;
};

export interface DiskUnderTest {
  readonly disk: Disk;
  /** The disk itself, or its `promises`. */
  readonly calls: CallsUnderTest;
  /** An empty directory. */
  readonly root: string;
}

export interface ContractOptions {
  /** Where the system has modes. */
  readonly modes: boolean;
  /** Where an exclusive lock needs a descriptor that can write. */
  readonly writableLocks: boolean;
  /** Puts a link to `target` at `path`, where there are links. */
  readonly makeLink?: (disk: Disk, path: string, target: string) => void;
}

const firstRange = { offset: 2 ** 40, length: 1 };
const otherRange = { offset: 2 ** 40 + 1, length: 1 };

/** The system's code of what the call fails with. */
export async function codeOf(call: () => unknown): Promise<string | undefined> {
  try {
    await call();
  } catch (error) {
    return systemCode(error);
  }
  return 'no error';
}

export function diskContract(
  name: string,
  make: () => DiskUnderTest,
  { modes, writableLocks, makeLink }: ContractOptions,
): void {
  async function writeNew(calls: CallsUnderTest, path: string, text: string): Promise<void> {
    const file = await calls.open(path, 'create');
    const bytes = Buffer.from(text);
    expect(await calls.write(file, bytes, 0, bytes.length, 0)).toBe(bytes.length);
    await calls.close(file);
  }

  async function readText(calls: CallsUnderTest, file: number): Promise<string> {
    const buffer = Buffer.alloc((await calls.size(file)) + 10);
    return buffer.toString('utf8', 0, await calls.read(file, buffer, 0, buffer.length, 0));
  }

  async function readPath(calls: CallsUnderTest, path: string): Promise<string> {
    const file = await calls.open(path, 'read');
    const text = await readText(calls, file);
    await calls.close(file);
    return text;
  }

  describe(`${name}: files`, () => {
    test('creates a file once and never opens another one in its place', async () => {
      const { calls, root } = make();
      const path = join(root, 'file');
      await writeNew(calls, path, 'first');
      expect(await codeOf(() => calls.open(path, 'create'))).toBe('EEXIST');
      expect(await readPath(calls, path)).toBe('first');
    });

    test('opens only what is there', async () => {
      const { calls, root } = make();
      expect(await codeOf(() => calls.open(join(root, 'none'), 'read'))).toBe('ENOENT');
      expect(await codeOf(() => calls.open(join(root, 'none'), 'write'))).toBe('ENOENT');
      expect(await codeOf(() => calls.open(join(root, 'none', 'file'), 'create'))).toBe('ENOENT');
      expect(await calls.facts(join(root, 'none'))).toBeUndefined();
    });

    test('opens no directory and nothing below a file', async () => {
      const { calls, root } = make();
      await calls.makeDirectory(join(root, 'directory'));
      await writeNew(calls, join(root, 'file'), '');
      expect(await codeOf(() => calls.open(join(root, 'directory'), 'read'))).toBe('EISDIR');
      expect(await codeOf(() => calls.open(join(root, 'directory'), 'write'))).toBe('EISDIR');
      expect(await codeOf(() => calls.open(join(root, 'directory'), 'create'))).toBe('EEXIST');
      const below = () => calls.open(join(root, 'file', 'below'), 'read');
      expect(await codeOf(below)).toMatch(/^(ENOTDIR|ENOENT)$/);
      expect(await calls.facts(join(root, 'file', 'below'))).toBeUndefined();
    });

    test('knows no descriptor that was not opened', async () => {
      const { calls } = make();
      const buffer = Buffer.alloc(1);
      expect(await codeOf(() => calls.read(999_999, buffer, 0, 1, 0))).toBe('EBADF');
      expect(await codeOf(() => calls.write(999_999, buffer, 0, 1, 0))).toBe('EBADF');
      expect(await codeOf(() => calls.sync(999_999))).toBe('EBADF');
      expect(await codeOf(() => calls.size(999_999))).toBe('EBADF');
      expect(await codeOf(() => calls.close(999_999))).toBe('EBADF');
    });

    test('reads what was written, from and into the middle of buffers', async () => {
      const { calls, root } = make();
      const file = await calls.open(join(root, 'file'), 'create');
      expect(await calls.write(file, Buffer.from('..hello..'), 2, 5, 0)).toBe(5);
      expect(await calls.write(file, Buffer.from('XY'), 0, 2, 1)).toBe(2);
      const buffer = Buffer.from('.......');
      expect(await calls.read(file, buffer, 1, 5, 0)).toBe(5);
      expect(buffer.toString()).toBe('.hXYlo.');
      expect(await calls.size(file)).toBe(5);
      await calls.close(file);
    });

    test('reads less at the end of a file and nothing behind it', async () => {
      const { calls, root } = make();
      await writeNew(calls, join(root, 'file'), 'hello');
      const file = await calls.open(join(root, 'file'), 'read');
      const buffer = Buffer.from('..........');
      expect(await calls.read(file, buffer, 0, 10, 3)).toBe(2);
      expect(buffer.toString()).toBe('lo........');
      expect(await calls.read(file, buffer, 0, 10, 5)).toBe(0);
      expect(await calls.read(file, buffer, 0, 10, 5000)).toBe(0);
      await calls.close(file);
    });

    test('writes nothing through a descriptor for reading', async () => {
      const { calls, root } = make();
      await writeNew(calls, join(root, 'file'), 'hello');
      const file = await calls.open(join(root, 'file'), 'read');
      expect(await codeOf(() => calls.write(file, Buffer.from('x'), 0, 1, 0))).toMatch(/^E/);
      expect(await codeOf(() => calls.truncate(file, 0))).toMatch(/^E/);
      expect(await readText(calls, file)).toBe('hello');
      await calls.close(file);
    });

    test('truncates, and what was cut off does not come back', async () => {
      const { calls, root } = make();
      const file = await calls.open(join(root, 'file'), 'create');
      await calls.write(file, Buffer.from('hello world'), 0, 11, 0);
      await calls.truncate(file, 5);
      expect(await readText(calls, file)).toBe('hello');
      await calls.truncate(file, 7);
      expect(await readText(calls, file)).toBe('hello\0\0');
      await calls.write(file, Buffer.from('!'), 0, 1, 9);
      expect(await readText(calls, file)).toBe('hello\0\0\0\0!');
      await calls.close(file);
    });

    test('holds what any order of writes, cuts and reads says it holds', async () => {
      const { calls, root } = make();
      const random = new SeededRandom(11);
      const file = await calls.open(join(root, 'file'), 'create');
      let model: Buffer = Buffer.alloc(0);
      for (let step = 0; step < 200; step += 1) {
        const position = random.below(200_000);
        if (random.chance(0.2)) {
          await calls.truncate(file, position);
          model = Buffer.concat([model.subarray(0, position)], position);
        } else {
          const bytes = Buffer.alloc(random.below(random.chance(0.2) ? 150_000 : 600), step);
          let done = 0;
          while (done < bytes.length) {
            const left = bytes.length - done;
            done += await calls.write(file, bytes, done, left, position + done);
          }
          const end = bytes.length === 0 ? model.length : position + bytes.length;
          model = Buffer.concat([model], Math.max(model.length, end));
          bytes.copy(model, position);
        }
        const length = random.below(100_000);
        const buffer = Buffer.alloc(length, 0xff);
        const from = random.below(model.length + 10);
        const count = await calls.read(file, buffer, 0, length, from);
        expect(buffer.subarray(0, count).equals(model.subarray(from, from + length))).toBe(true);
      }
      expect(await calls.size(file)).toBe(model.length);
      await calls.close(file);
    });

    test('syncs files opened for writing, and directories', async () => {
      const { calls, root } = make();
      const file = await calls.open(join(root, 'file'), 'create');
      await calls.write(file, Buffer.from('x'), 0, 1, 0);
      await calls.sync(file);
      await calls.syncDirectory(root);
      await calls.close(file);
      expect(await readPath(calls, join(root, 'file'))).toBe('x');
    });

    if (modes) {
      test('makes files 0600 and directories 0700', async () => {
        const { calls, root } = make();
        await writeNew(calls, join(root, 'file'), 'x');
        await calls.makeDirectory(join(root, 'directory'));
        expect((await calls.facts(join(root, 'file')))?.mode).toBe(0o600);
        expect((await calls.facts(join(root, 'directory')))?.mode).toBe(0o700);
      });
    }
  });

  describe(`${name}: names`, () => {
    test('lists names in the order of UTF-16 code units', async () => {
      const { calls, root } = make();
      // In UTF-8 the last two stand the other way round.
      const names = ['10', '9', 'B', 'a', '\u{1f600}', '\uff5e'];
      for (const each of names.toReversed()) await writeNew(calls, join(root, each), '');
      expect(await calls.list(root)).toEqual(names);
      expect(await codeOf(() => calls.list(join(root, 'none')))).toBe('ENOENT');
      expect(await codeOf(() => calls.list(join(root, 'a')))).toBe('ENOTDIR');
    });

    test('tells kind, size and identity of what stands at a path', async () => {
      const { calls, root } = make();
      await writeNew(calls, join(root, 'file'), 'hello');
      await calls.makeDirectory(join(root, 'directory'));
      const file = await calls.facts(join(root, 'file'));
      const directory = await calls.facts(join(root, 'directory'));
      expect(file).toMatchObject({ kind: 'file', size: 5 });
      expect(directory).toMatchObject({ kind: 'directory' });
      expect(file?.inode).not.toBe(directory?.inode);
      expect(file?.device).toBe(directory?.device);
      await calls.rename(join(root, 'file'), join(root, 'moved'));
      expect(await calls.facts(join(root, 'moved'))).toEqual(file);
    });

    test('makes a directory once, and only inside another', async () => {
      const { calls, root } = make();
      await calls.makeDirectory(join(root, 'directory'));
      const again = () => calls.makeDirectory(join(root, 'directory'));
      expect(await codeOf(again)).toBe('EEXIST');
      const deep = () => calls.makeDirectory(join(root, 'none', 'directory'));
      expect(await codeOf(deep)).toBe('ENOENT');
    });

    test('puts a renamed file in the place of the one that stood there', async () => {
      const { calls, root } = make();
      await writeNew(calls, join(root, 'new'), 'new');
      await writeNew(calls, join(root, 'old'), 'old');
      await calls.rename(join(root, 'new'), join(root, 'old'));
      expect(await calls.list(root)).toEqual(['old']);
      expect(await readPath(calls, join(root, 'old'))).toBe('new');
    });

    test('renames between directories, and refuses what cannot be renamed', async () => {
      const { calls, root } = make();
      await calls.makeDirectory(join(root, 'directory'));
      await writeNew(calls, join(root, 'file'), 'x');
      const onto = () => calls.rename(join(root, 'file'), join(root, 'directory'));
      expect(await codeOf(onto)).toMatch(/^(EISDIR|EPERM)$/);
      await calls.rename(join(root, 'file'), join(root, 'directory', 'file'));
      expect(await calls.list(root)).toEqual(['directory']);
      expect(await readPath(calls, join(root, 'directory', 'file'))).toBe('x');
      const missing = () => calls.rename(join(root, 'none'), join(root, 'other'));
      expect(await codeOf(missing)).toBe('ENOENT');
    });

    test('renames a directory with all that is in it', async () => {
      const { calls, root } = make();
      await calls.makeDirectory(join(root, 'a'));
      await writeNew(calls, join(root, 'a', 'file'), 'x');
      await calls.rename(join(root, 'a'), join(root, 'b'));
      expect(await readPath(calls, join(root, 'b', 'file'))).toBe('x');
      expect(await calls.facts(join(root, 'a'))).toBeUndefined();
    });

    test('gives a file a second name, and takes one of the two away', async () => {
      const { calls, root } = make();
      await calls.makeDirectory(join(root, 'directory'));
      await writeNew(calls, join(root, 'first'), 'x');
      await calls.link(join(root, 'first'), join(root, 'directory', 'second'));
      const facts = await calls.facts(join(root, 'first'));
      expect(await calls.facts(join(root, 'directory', 'second'))).toEqual(facts);
      const again = () => calls.link(join(root, 'first'), join(root, 'directory', 'second'));
      expect(await codeOf(again)).toBe('EEXIST');
      const missing = () => calls.link(join(root, 'none'), join(root, 'other'));
      expect(await codeOf(missing)).toBe('ENOENT');
      await calls.remove(join(root, 'first'));
      expect(await readPath(calls, join(root, 'directory', 'second'))).toBe('x');
    });

    test('removes files and empty directories', async () => {
      const { calls, root } = make();
      await calls.makeDirectory(join(root, 'directory'));
      await writeNew(calls, join(root, 'directory', 'file'), 'x');
      expect(await codeOf(() => calls.remove(join(root, 'directory')))).toBe('ENOTEMPTY');
      await calls.remove(join(root, 'directory', 'file'));
      await calls.remove(join(root, 'directory'));
      expect(await calls.list(root)).toEqual([]);
      expect(await codeOf(() => calls.remove(join(root, 'directory')))).toBe('ENOENT');
    });

    if (modes) {
      test('keeps a file readable for who has it open, though it was removed or replaced', async () => {
        const { calls, root } = make();
        await writeNew(calls, join(root, 'removed'), 'one');
        await writeNew(calls, join(root, 'replaced'), 'two');
        await writeNew(calls, join(root, 'new'), 'new');
        const removed = await calls.open(join(root, 'removed'), 'read');
        const replaced = await calls.open(join(root, 'replaced'), 'read');
        await calls.remove(join(root, 'removed'));
        await calls.rename(join(root, 'new'), join(root, 'replaced'));
        expect(await readText(calls, removed)).toBe('one');
        expect(await readText(calls, replaced)).toBe('two');
        await calls.close(removed);
        await calls.close(replaced);
      });
    }

    if (makeLink) {
      test('follows no link at the end of a path', async () => {
        const { disk, calls, root } = make();
        await writeNew(calls, join(root, 'target'), 'secret');
        makeLink(disk, join(root, 'link'), join(root, 'target'));
        expect(await codeOf(() => calls.open(join(root, 'link'), 'read'))).toBe('ELOOP');
        expect(await codeOf(() => calls.open(join(root, 'link'), 'write'))).toBe('ELOOP');
        expect(await codeOf(() => calls.open(join(root, 'link'), 'create'))).toBe('EEXIST');
        expect((await calls.facts(join(root, 'link')))?.kind).toBe('other');
        await calls.remove(join(root, 'link'));
        expect(await readPath(calls, join(root, 'target'))).toBe('secret');
      });

      test('creates nothing through a link that leads nowhere', async () => {
        const { disk, calls, root } = make();
        makeLink(disk, join(root, 'link'), join(root, 'elsewhere'));
        expect(await codeOf(() => calls.open(join(root, 'link'), 'create'))).toBe('EEXIST');
        expect(await calls.list(root)).toEqual(['link']);
      });
    }
  });

  describe(`${name}: locks`, () => {
    async function twoOpens() {
      const { disk, calls, root } = make();
      const path = join(root, 'lock');
      await writeNew(calls, path, 'content');
      const first = await calls.open(path, 'write');
      const second = await calls.open(path, 'write');
      const close = async (): Promise<void> => {
        await calls.close(first);
        await calls.close(second);
      };
      return { disk, calls, path, first, second, close };
    }

    test('an exclusive lock keeps every other descriptor out until it is unlocked', async () => {
      const { disk, first, second, close } = await twoOpens();
      expect(disk.tryLock(first, firstRange, 'exclusive')).toBe(true);
      expect(disk.tryLock(second, firstRange, 'exclusive')).toBe(false);
      expect(disk.tryLock(second, firstRange, 'shared')).toBe(false);
      disk.unlock(first, firstRange);
      expect(disk.tryLock(second, firstRange, 'exclusive')).toBe(true);
      await close();
    });

    test('shared locks stand side by side and keep an exclusive one out', async () => {
      const { disk, first, second, close } = await twoOpens();
      expect(disk.tryLock(first, firstRange, 'shared')).toBe(true);
      expect(disk.tryLock(second, firstRange, 'shared')).toBe(true);
      expect(disk.tryLock(second, firstRange, 'exclusive')).toBe(false);
      disk.unlock(first, firstRange);
      expect(disk.tryLock(second, firstRange, 'exclusive')).toBe(true);
      await close();
    });

    test('ranges stand for rights of their own where the disk says so, else for the file', async () => {
      const { disk, first, second, close } = await twoOpens();
      expect(disk.tryLock(first, firstRange, 'exclusive')).toBe(true);
      expect(disk.tryLock(second, otherRange, 'exclusive')).toBe(disk.rangeLocks);
      await close();
    });

    test('a lock goes with its descriptor, and only with it', async () => {
      const { disk, calls, path, first, second } = await twoOpens();
      expect(disk.tryLock(first, firstRange, 'exclusive')).toBe(true);
      // POSIX locks would be dropped here.
      await calls.close(await calls.open(path, 'read'));
      expect(disk.tryLock(second, firstRange, 'exclusive')).toBe(false);
      await calls.close(first);
      expect(disk.tryLock(second, firstRange, 'exclusive')).toBe(true);
      const again = await calls.open(path, 'write');
      expect(disk.tryLock(again, firstRange, 'shared')).toBe(false);
      await calls.close(second);
      await calls.close(again);
    });

    test('a lock leaves the content alone', async () => {
      const { disk, calls, first, second, close } = await twoOpens();
      expect(disk.tryLock(first, firstRange, 'exclusive')).toBe(true);
      expect(await readText(calls, second)).toBe('content');
      expect(await calls.size(first)).toBe(7);
      await close();
    });

    test('a descriptor for reading takes a shared lock', async () => {
      const { disk, calls, path, first, close } = await twoOpens();
      const reader = await calls.open(path, 'read');
      expect(disk.tryLock(reader, firstRange, 'shared')).toBe(true);
      expect(disk.tryLock(first, firstRange, 'exclusive')).toBe(false);
      await calls.close(reader);
      expect(disk.tryLock(first, firstRange, 'exclusive')).toBe(true);
      await close();
    });

    if (writableLocks) {
      test('a descriptor for reading takes no exclusive lock', async () => {
        const { disk, calls, path, close } = await twoOpens();
        const reader = await calls.open(path, 'read');
        expect(await codeOf(() => disk.tryLock(reader, firstRange, 'exclusive'))).toBe('EBADF');
        await calls.close(reader);
        await close();
      });

      test('a descriptor is not in its own way and may change the kind of its lock', async () => {
        const { disk, first, second, close } = await twoOpens();
        expect(disk.tryLock(first, firstRange, 'shared')).toBe(true);
        expect(disk.tryLock(first, firstRange, 'exclusive')).toBe(true);
        expect(disk.tryLock(second, firstRange, 'shared')).toBe(false);
        expect(disk.tryLock(first, firstRange, 'shared')).toBe(true);
        expect(disk.tryLock(second, firstRange, 'shared')).toBe(true);
        await close();
      });
    }
  });

  describe(`${name}: the rest`, () => {
    test('tells of a change by another descriptor', async () => {
      const { disk, calls, root } = make();
      const path = join(root, 'watched');
      await writeNew(calls, path, 'before');
      const writer = await calls.open(path, 'write');
      let stop = (): void => {};
      const told = new Promise<void>((resolve) => {
        stop = disk.watch(path, resolve);
      });
      await calls.write(writer, Buffer.from('after!'), 0, 6, 0);
      await told;
      stop();
      stop();
      await calls.close(writer);
    });

    test('watching what is not there harms nothing', () => {
      const { disk, root } = make();
      const stop = disk.watch(join(root, 'none'), () => {});
      stop();
    });

    test('has one boot id, a UUID', () => {
      const { disk } = make();
      expect(disk.bootId()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      expect(disk.bootId()).toBe(disk.bootId());
    });

    test('names the file system', () => {
      const { disk, root } = make();
      expect(disk.fileSystem(root).name).not.toBe('');
    });

    test('comes back from a pause', () => {
      const { disk } = make();
      disk.pause(0.05);
    });
  });
}
