import { describe, expect, test } from 'vitest';
import { MemoryDisk } from '#src/log/memory-disk.js';
import { diskContract } from './disk-contract.js';

diskContract(
  'memory disk',
  () => {
    const disk = new MemoryDisk();
    disk.makeDirectory('/root');
    return { disk, calls: disk, root: '/root' };
  },
  { modes: true, writableLocks: true },
);

describe('memory disk', () => {
  test('is one of its own, as its device number says', () => {
    const [first, second] = [new MemoryDisk(), new MemoryDisk()];
    first.makeDirectory('/a');
    expect(second.facts('/a')).toBeUndefined();
    second.makeDirectory('/a');
    expect(second.facts('/a')?.device).not.toBe(first.facts('/a')?.device);
    expect(second.bootId()).not.toBe(first.bootId());
  });

  test('tells of many changes in one turn once, and of none after it was stopped', async () => {
    const disk = new MemoryDisk();
    const file = disk.open('/file', 'create');
    let told = 0;
    const stop = disk.watch('/file', () => {
      told += 1;
    });
    disk.write(file, Buffer.from('a'), 0, 1, 0);
    disk.write(file, Buffer.from('b'), 0, 1, 1);
    await Promise.resolve();
    expect(told).toBe(1);
    disk.truncate(file, 0);
    stop();
    disk.truncate(file, 5);
    await Promise.resolve();
    expect(told).toBe(1);
  });

  test('keeps many appends without copying what stands', () => {
    const disk = new MemoryDisk();
    const file = disk.open('/file', 'create');
    const line = Buffer.alloc(1000, 'x');
    for (let count = 0; count < 20_000; count += 1) {
      disk.write(file, line, 0, line.length, count * line.length);
    }
    expect(disk.size(file)).toBe(20_000_000);
    const buffer = Buffer.alloc(10);
    expect(disk.read(file, buffer, 0, 10, 19_999_995)).toBe(5);
    expect(buffer.toString('latin1')).toBe('xxxxx\0\0\0\0\0');
  });
});
