/** Situations that a review found to fail; each of them must keep working. */
import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openLog } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const event = { type: 'noted', data: 1 };

describe('a log', () => {
  test('ends a flush whose last commit a synchronous append settled', async () => {
    const log = await openLog(join(temporaryDirectory(), 'store'));
    const first = log.append('a', event);
    const flushed = log.flush();
    log.appendSync('a', event);
    await flushed;
    expect((await first).position).toBe(1);
    await log.close();
  });

  test('closes when closeSync comes while close is under way', async () => {
    const log = await openLog(join(temporaryDirectory(), 'store'));
    const appended = log.append('a', event);
    const closed = log.close();
    log.closeSync();
    await closed;
    expect((await appended).position).toBe(1);
  });

  test('keeps saying that its directory was moved', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const log = await openLog(directory);
    await log.append('a', event);
    await new Promise((resolve) => setTimeout(resolve, 150));
    renameSync(directory, `${directory}-moved`);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await expect(log.readAll().toArray()).rejects.toMatchObject({ code: 'STORE_MOVED' });
    }
    await log.close();
  });

  test('counts each segment once, however reads fall into segment changes', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const log = await openLog(directory, { segmentBytes: 4096 });
    const data = 'x'.repeat(500);
    for (let round = 0; round < 60; round += 1) {
      const appended = Array.from({ length: 4 }, () => log.append('a', { type: 'noted', data }));
      await Promise.all([...appended, log.refresh(), log.version('a'), log.refresh()]);
    }
    expect(log.stats().segments).toBe(readdirSync(join(directory, 'log')).length);
    await log.close();
  });

  test('gives a commit larger than a group a buffer of its own after others wrote', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const log = await openLog(directory);
    const other = await openLog(directory);
    await log.append('a', event);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const large = Array.from({ length: 3 }, () => ({ type: 'noted', data: 'y'.repeat(900_000) }));
    for (let turns = 0; turns < 12; turns += 1) {
      await other.append('b', event);
      const abort = new AbortController();
      const small = log.append('a', event, { signal: abort.signal }).catch(() => undefined);
      const big = log.append('c', large);
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      abort.abort();
      await small;
      expect((await big).version).toBe(3 * (turns + 1));
    }
    await log.close();
    await other.close();
  });

  test('refuses checks given to append, which would go unheeded', async () => {
    const log = await openLog({ memory: true });
    const options: object = { checks: [{ stream: 'b', expectedVersion: 7 }] };
    await expect(log.append('a', event, options)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    expect(log.head.position).toBe(0);
    await log.close();
  });

  test('refuses what is too large before it is encoded', async () => {
    const log = await openLog({ memory: true });
    let shared: unknown = 'leaf';
    for (let level = 0; level < 60; level += 1) shared = [shared, shared];
    const refused = { code: 'LIMIT_EXCEEDED', limit: 'eventBytes' };
    await expect(log.append('a', { type: 'noted', data: shared })).rejects.toMatchObject(refused);
    const huge = new Array(60).fill('z'.repeat(10_000_000));
    await expect(log.append('a', { type: 'noted', data: huge })).rejects.toMatchObject(refused);
    const parts = Array.from({ length: 10_001 }, (_, index) => ({
      stream: `s/${index}`,
      events: event,
    }));
    await expect(log.commit(parts)).rejects.toMatchObject({ limit: 'commitStreamsMax' });
    expect(log.head.position).toBe(0);
    await log.close();
  });
});
