import { afterEach, describe, expect, test } from 'vitest';
import { momentOf, positionOf, shownBytes, shownDuration, shownTime } from '#src/cli/times.js';
import { openMemory, openStore } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { cli } from './support.js';

const zone = process.env.TZ;

afterEach(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

describe('times', () => {
  test('are as stored, or the same moment in the local zone', () => {
    const time = '2026-01-31T22:30:00.123Z';
    expect(shownTime(time, false)).toBe(time);
    expect(shownTime(undefined, true)).toBe('-');
    for (const [name, shown] of [
      ['UTC', '2026-01-31T22:30:00.123+00:00'],
      ['Asia/Kolkata', '2026-02-01T04:00:00.123+05:30'],
      ['America/St_Johns', '2026-01-31T19:00:00.123-03:30'],
    ] as const) {
      process.env.TZ = name;
      expect(shownTime(time, true)).toBe(shown);
      expect(new Date(shownTime(time, true)).toISOString()).toBe(time);
    }
  });

  test('are local where --local asks for it', async () => {
    const cwd = temporaryDirectory();
    const store = await openStore(`${cwd}/memory`);
    await store.append('a', { type: 'b', data: 1 });
    await store.close();
    process.env.TZ = 'Asia/Kolkata';
    const local = await cli({ cwd }, 'log', 'memory', '--local');
    expect(local.stdout).toMatch(/ \d{4}-\d\d-\d\dT\S+\+05:30 /);
    const stored = await cli({ cwd }, 'log', 'memory');
    expect(stored.stdout).toMatch(/ \d{4}-\d\d-\d\dT\S+Z /);
  });

  test('are local in what undo shows', async () => {
    const cwd = temporaryDirectory();
    const memory = await openMemory(`${cwd}/memory`);
    const { position } = await memory.records.store('tea', 'green');
    await memory.close();
    process.env.TZ = 'Asia/Kolkata';
    const argv = ['undo', 'memory', String(position), '--dry-run', '--local'];
    expect((await cli({ cwd }, ...argv)).stdout).toMatch(/ \d{4}-\d\d-\d\dT\S+\+05:30 /);
  });
});

test('moments, positions, durations and sizes', () => {
  expect(momentOf('42')).toBe(42);
  expect(momentOf('2026-01-31')).toBe('2026-01-31');
  for (const wrong of ['', '-1', '1.5', 'x', '99999999999999999999']) {
    expect(() => positionOf(wrong)).toThrow('is no position');
  }
  expect([999, 1500, 59_000, 61_000, 3_700_000].map(shownDuration)).toEqual([
    '999 ms',
    '1.5 s',
    '59 s',
    '1 min 1 s',
    '1 h 1 min',
  ]);
  expect([0, 1023, 1536, 5 * 2 ** 30].map(shownBytes)).toEqual([
    '0 bytes',
    '1023 bytes',
    '1.5 KiB',
    '5.0 GiB',
  ]);
});

test('a seal that was published is found again', async () => {
  const cwd = temporaryDirectory();
  const store = await openStore(`${cwd}/memory`);
  await store.append('a', { type: 'b', data: 1 });
  const { seal } = store.head;
  await store.append('a', { type: 'b', data: 2 });
  await store.close();
  const { code, stdout } = await cli({ cwd }, 'verify', 'memory', '--against', seal);
  expect(code).toBe(0);
  expect(stdout).toContain('the log contains the seal: nothing before it has changed');
});
