/** Shows what can go wrong for a process on the simulated disk: calls that fail, and deaths. */
import { describe, expect, test } from 'vitest';
import { systemCode } from '#src/errors.js';
import { keepNewest, keepOldest } from '../support/chooser.js';
import { ManualClock } from '../support/clock.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { CrashError, type CrashMoment } from '../support/simulated-process.js';

const range = { offset: 2 ** 40, length: 1 };

function opened(disk = new SimulatedDisk()) {
  const process = disk.process();
  const file = process.open('/file', 'create');
  const append = (text: string): number =>
    process.write(file, Buffer.from(text), 0, text.length, process.size(file));
  const text = (): string | undefined => disk.contentOf('/file')?.toString();
  return { disk, process, file, append, text };
}

function codeOf(call: () => unknown): string | undefined {
  try {
    call();
  } catch (error) {
    return systemCode(error);
  }
  return 'no error';
}

describe('a fault', () => {
  test('hits the chosen call of the chosen method, once', () => {
    const { process, append, text } = opened();
    process.inject({ method: 'write', call: 2, code: 'EIO' });
    append('a');
    expect(codeOf(() => append('b'))).toBe('EIO');
    append('c');
    expect(text()).toBe('ac');
  });

  test('lasts until it is lifted when it is told to', () => {
    const { process, append, text } = opened();
    const lift = process.inject({ method: ['write', 'sync'], code: 'EROFS', lasting: true });
    expect(codeOf(() => append('a'))).toBe('EROFS');
    expect(codeOf(() => append('a'))).toBe('EROFS');
    lift();
    append('a');
    expect(text()).toBe('a');
  });

  test('can be about some paths only', () => {
    const { process, append } = opened();
    process.inject({ path: /other/, code: 'EMFILE', lasting: true });
    append('a');
    expect(codeOf(() => process.open('/other', 'create'))).toBe('EMFILE');
    expect(process.list('/')).toEqual(['file']);
  });

  test('can make a write short without an error', () => {
    const { process, append, text } = opened();
    process.inject({ method: 'write', bytes: 3 });
    expect(append('hello')).toBe(3);
    expect(text()).toBe('hel');
    process.inject({ method: 'write' });
    expect(append('12345')).toBe(3);
  });

  test('can strike after a part of a write', () => {
    const { process, append, text } = opened();
    process.inject({ method: 'write', code: 'ENOSPC', bytes: 2 });
    expect(codeOf(() => append('hello'))).toBe('ENOSPC');
    expect(text()).toBe('he');
  });

  test('can strike after the whole effect', () => {
    const { disk, process } = opened();
    process.inject({ method: 'rename', code: 'EIO', applied: true });
    expect(codeOf(() => process.rename('/file', '/moved'))).toBe('EIO');
    expect(disk.paths()).toEqual(['/moved']);
  });

  test('of a close closes all the same', () => {
    const { process, file } = opened();
    process.inject({ method: 'close', code: 'EIO' });
    expect(codeOf(() => process.close(file))).toBe('EIO');
    expect(process.openFiles).toEqual([]);
    expect(codeOf(() => process.close(file))).toBe('EBADF');
  });

  test('is one process alone', () => {
    const { disk, process } = opened();
    process.inject({ code: 'EIO', lasting: true });
    expect(disk.process('other').list('/')).toEqual(['file']);
  });
});

describe('a full disk', () => {
  test('takes what it has room for, then nothing, and goes on when there is room again', () => {
    const { disk, process, file, append, text } = opened();
    disk.freeBytes = 3;
    expect(append('hello')).toBe(3);
    expect(codeOf(() => append('lo'))).toBe('ENOSPC');
    expect(codeOf(() => process.open('/other', 'create'))).toBe('ENOSPC');
    // Bytes in place need no room.
    expect(process.write(file, Buffer.from('J'), 0, 1, 0)).toBe(1);
    process.truncate(file, 1);
    expect(append('ump')).toBe(2);
    expect(text()).toBe('Jum');
    process.close(file);
    process.remove('/file');
    expect(disk.freeBytes).toBe(3);
  });

  test('stays full over a power loss, but for what was lost', () => {
    const { disk, process, append } = opened();
    process.syncDirectory('/');
    disk.freeBytes = 10;
    append('12345');
    expect(disk.powerLoss(keepNewest).freeBytes).toBe(5);
    expect(disk.powerLoss(keepOldest).freeBytes).toBe(10);
  });
});

describe('a crash', () => {
  const left: Record<CrashMoment, string> = { before: '', during: 'he', after: 'hell' };

  test.each(Object.entries(left))('%s a write leaves %j', (moment, text) => {
    const disk = new SimulatedDisk();
    const { process, append } = opened(disk);
    process.crashAt(process.calls + 2, moment as CrashMoment);
    expect(() => append('hell')).toThrow(CrashError);
    expect(disk.contentOf('/file')?.toString()).toBe(text);
    expect(process.alive).toBe(false);
    expect(() => process.list('/')).toThrow(CrashError);
    expect(systemCode(new CrashError('a', 1))).toBeUndefined();
  });

  test('leaves the page cache: another process reads on in the same boot', () => {
    const { disk, process, append } = opened();
    append('hello');
    const boot = process.bootId();
    disk.kill();
    const next = disk.process();
    expect(next).not.toBe(process);
    expect(next.bootId()).toBe(boot);
    expect(next.facts('/file')?.size).toBe(5);
    expect(disk.powerLoss(keepOldest).paths()).toEqual([]);
  });

  test('takes descriptors, locks and watches with it', async () => {
    const { disk, process, file } = opened();
    const other = disk.process('other');
    const theirs = other.open('/file', 'write');
    let told = 0;
    process.watch('/file', () => {
      told += 1;
    });
    expect(process.tryLock(file, range, 'exclusive')).toBe(true);
    expect(other.tryLock(theirs, range, 'exclusive')).toBe(false);
    disk.kill();
    expect(other.tryLock(theirs, range, 'exclusive')).toBe(true);
    other.truncate(theirs, 1);
    await Promise.resolve();
    expect(told).toBe(0);
    expect(process.openFiles).toEqual([]);
  });

  test('can come at every call in turn', () => {
    const run = (crashAt: number): { died: boolean; text: string | undefined } => {
      const disk = new SimulatedDisk();
      disk.process().crashAt(crashAt);
      try {
        const { append } = opened(disk);
        append('a');
        append('b');
        return { died: false, text: disk.contentOf('/file')?.toString() };
      } catch (error) {
        if (!(error instanceof CrashError)) throw error;
        return { died: true, text: disk.contentOf('/file')?.toString() };
      }
    };
    const runs: ReturnType<typeof run>[] = [];
    do runs.push(run(runs.length + 1));
    while (runs.at(-1)?.died);
    expect(runs.map(({ text }) => text)).toEqual([undefined, '', '', 'a', 'a', 'ab']);
  });
});

describe('a process', () => {
  test('counts its calls and leaves a trace of them', () => {
    const { disk, process, file, append } = opened();
    append('hello');
    process.inject({ method: 'sync', code: 'EIO' });
    expect(codeOf(() => process.sync(file))).toBe('EIO');
    expect(process.calls).toBe(4);
    expect(process.count('write')).toBe(1);
    expect(process.count('read')).toBe(0);
    const trace = disk.trace.map(
      ({ process: name, number, method, path, detail, outcome }) =>
        `${name} ${number} ${method} ${path} ${detail} = ${outcome}`,
    );
    expect(trace).toEqual([
      'main 1 open /file create = 3',
      'main 2 size /file  = 0',
      'main 3 write /file @0+5 = 5',
      "main 4 sync /file  = EIO: i/o error, sync '/file'",
    ]);
  });

  test('gets the lowest free descriptor, as from a kernel', () => {
    const { process, file } = opened();
    const second = process.open('/file', 'read');
    process.close(file);
    expect([file, second, process.open('/file', 'read')]).toEqual([3, 4, 3]);
  });

  test('sees the same files as another, under a device number of its own', () => {
    const { disk, process } = opened();
    const mine = process.facts('/file');
    const theirs = disk.process('other').facts('/file');
    expect(theirs?.inode).toBe(mine?.inode);
    expect(theirs?.device).not.toBe(mine?.device);
  });

  test('moves the clock on by a pause, and lets others act', () => {
    const clock = new ManualClock(1000);
    const disk = new SimulatedDisk({ clock });
    const paused: string[] = [];
    disk.onPause = (name, milliseconds) => paused.push(`${name} ${milliseconds}`);
    disk.process('a').pause(5);
    expect(clock.now()).toBe(1005);
    expect(paused).toEqual(['a 5']);
    disk.onPause = (name) => disk.kill(name);
    expect(() => disk.process('a').pause(5)).toThrow(CrashError);
  });
});
