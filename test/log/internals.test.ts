/** What a log gives to the floors above, beside its feed. */
import { describe, expect, test } from 'vitest';
import { realEnvironment } from '#src/log/environment.js';
import { MemoryDisk } from '#src/log/memory-disk.js';
import { openLogOnSync } from '#src/log/open-log.js';
import { closing, DIRECTORY, fill, onMemory } from '../support/feeding.js';

describe('the internal calls of a log', () => {
  test('tell every listener that the head moved, until it ends that', async () => {
    const disk = new MemoryDisk();
    const [log, other] = [onMemory(disk), onMemory(disk)];
    const heads: number[] = [];
    const { internals } = log;
    const end = internals.onAdvance(() => heads.push(internals.position));
    const alsoTold: number[] = [];
    internals.onAdvance(() => alsoTold.push(internals.position));
    await log.append('a', { type: 'noted', data: 1 });
    other.appendSync('a', { type: 'noted', data: 2 });
    internals.runSync(internals.freshen());
    expect(heads).toEqual([1, 2]);
    expect(internals.time).toBe(log.head.time);
    end();
    fill(log, 1);
    expect(heads).toEqual([1, 2]);
    expect(alsoTold).toEqual([1, 2, 3]);
  });

  test('know versions without looking for what others wrote', async () => {
    const disk = new MemoryDisk();
    const [log, other] = [onMemory(disk), onMemory(disk)];
    other.appendSync('a', { type: 'noted', data: 1 });
    const { internals } = log;
    expect(await internals.run(internals.version('a'))).toBe(0);
    await internals.run(internals.look());
    expect(await internals.run(internals.version('a'))).toBe(1);
  });

  test('say whether it is time to look for what others wrote', () => {
    const disk = new MemoryDisk();
    let now = 1000;
    const open = (freshnessMs: number) => {
      const environment = { ...realEnvironment(disk), monotonic: () => now };
      return closing(openLogOnSync(environment, DIRECTORY, { freshnessMs })).internals;
    };
    const writer = onMemory(disk);
    const [never, always, seldom] = [open(Number.POSITIVE_INFINITY), open(0), open(500)];
    const freshenAll = () => {
      for (const internals of [never, always, seldom]) internals.runSync(internals.freshen());
      return [never.position, always.position, seldom.position];
    };
    expect([never.isFresh, always.isFresh, seldom.isFresh]).toEqual([true, false, false]);
    writer.appendSync('a', { type: 'noted', data: 1 });
    expect(freshenAll()).toEqual([0, 1, 1]);
    expect([never.isFresh, always.isFresh, seldom.isFresh]).toEqual([true, false, true]);
    writer.appendSync('a', { type: 'noted', data: 2 });
    expect(freshenAll()).toEqual([0, 2, 1]);
    now += 500;
    expect(seldom.isFresh).toBe(false);
    expect(freshenAll()).toEqual([0, 2, 2]);
  });

  test('are refused once the log is closed', async () => {
    const log = onMemory(new MemoryDisk());
    const { internals } = log;
    log.closeSync();
    const closed = expect.objectContaining({ code: 'STORE_CLOSED' });
    expect(() => internals.feed(0)).toThrow(closed);
    expect(() => internals.runSync(internals.look())).toThrow(closed);
    await expect(internals.run(internals.look())).rejects.toEqual(closed);
  });
});
