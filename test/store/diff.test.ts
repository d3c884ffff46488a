import { describe, expect, test } from 'vitest';
import { PositionAheadError, ProjectionFailedError, StoreClosedError } from '#src/index.js';
import { ManualClock } from '../support/clock.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import { accounts, moved, openAccounts } from './accounts.js';

async function transfers() {
  const clock = new ManualClock(Date.UTC(2026, 0, 1, 12));
  const store = await openAccounts({ clock: clock.now });
  for (const [from, to] of [
    ['team/b', 'team/a'],
    ['team/a', 'x'],
    ['y', 'x'],
    ['team/c', 'y'],
  ] as const) {
    await store.append('bank', moved(from, to, 1));
    clock.advance(3_600_000);
  }
  return store;
}

describe('diff', () => {
  test('tells how a key differs between two positions', async () => {
    const store = await transfers();
    const [difference, ...others] = await store.diff(accounts, 'x', 2, 4).toArray();
    expect(others).toEqual([]);
    expect(difference).toEqual({
      key: 'x',
      before: await store.at(2).get(accounts, 'x'),
      after: await store.get(accounts, 'x'),
      patches: [
        { op: 'replace', path: '/balance', value: 2 },
        { op: 'add', path: '/lines/1', value: { with: 'y', amount: 1 } },
      ],
    });
    expectDeeplyFrozen(difference);
    expect(store.diffSync(accounts, 'x', 2, 4).toArray()).toEqual([difference]);
  });

  test('turns round when the first moment is the later one', async () => {
    const store = await transfers();
    const [there] = await store.diff(accounts, 'x', 2, 4).toArray();
    const [back] = await store.diff(accounts, 'x', 4, 2).toArray();
    expect(back).toEqual({
      key: 'x',
      before: there?.after,
      after: there?.before,
      patches: [
        { op: 'replace', path: '/balance', value: 1 },
        { op: 'remove', path: '/lines/1' },
      ],
    });
    const [gone] = await store.diff(accounts, 'y', 4, 0).toArray();
    expect(gone).toMatchObject({ patches: [{ op: 'remove', path: '' }] });
    expect(gone && 'after' in gone).toBe(false);
  });

  test('lists the keys of a prefix that changed, sorted', async () => {
    const store = await transfers();
    const keys = async (prefix: string, from: number, to: number) =>
      (await store.diff(accounts, { prefix }, from, to).toArray()).map(({ key }) => key);
    expect(await keys('team/', 0, 4)).toEqual(['team/a', 'team/b', 'team/c']);
    expect(await keys('team/', 1, 4)).toEqual(['team/a', 'team/c']);
    expect(await keys('', 1, 3)).toEqual(['team/a', 'x', 'y']);
    expect(await keys('', 3, 3)).toEqual([]);
    expect(await keys('nothing', 0, 4)).toEqual([]);
  });

  test('leaves out keys whose events came to nothing', async () => {
    const store = await transfers();
    await store.append('bank', { type: 'account.seen', data: { name: 'x' } });
    await store.append('bank', moved('z', 'new', 1));
    await store.append('bank', { type: 'account.closed', data: { name: 'new' } });
    const found = await store.diff(accounts, { prefix: '' }, 4, 7).toArray();
    expect(found.map(({ key }) => key)).toEqual(['z']);
    expect(found[0] && 'before' in found[0]).toBe(false);
  });

  test('takes times, and fixes them when it is called', async () => {
    const store = await transfers();
    const times = ['2026-01-01T13:00:00Z', '2030-01-01'] as const;
    const differences = store.diff(accounts, { prefix: 'x' }, ...times);
    await store.append('bank', moved('x', 'z', 100));
    expect(await differences.toArray()).toMatchObject([
      { key: 'x', before: { balance: 1 }, after: { balance: 2 } },
    ]);
  });

  test('goes through more keys than are looked at together', async () => {
    const store = await openAccounts();
    for (let n = 0; n < 12; n += 1) {
      await store.append(
        'bank',
        Array.from({ length: 100 }, (_, i) => moved('hub', `key-${(100 * n + i) % 700}`, 1)),
      );
    }
    const found = store.diffSync(accounts, { prefix: 'key-' }, 7, 12).toArray();
    const keys = Array.from({ length: 500 }, (_, i) => `key-${i}`).sort();
    expect(found.map(({ key }) => key)).toEqual(keys);
    for (const { before, after } of found) {
      expect([before?.balance, after?.balance]).toEqual([1, 2]);
    }
  });

  test('fails at a key that is stopped, behind the differences before it', async () => {
    const store = await transfers();
    await store.append('bank', { type: 'account.broken', data: { name: 'x' } });
    const seen: string[] = [];
    const reading = async () => {
      for await (const { key } of store.diff(accounts, { prefix: '' }, 0, 5)) seen.push(key);
    };
    await expect(reading()).rejects.toThrow(ProjectionFailedError);
    expect(seen).toEqual(['team/a', 'team/b', 'team/c']);
    await expect(store.diff(accounts, 'x', 5, 0).toArray()).rejects.toThrow(ProjectionFailedError);
    expect(await store.diff(accounts, 'x', 0, 4).toArray()).toHaveLength(1);
  });

  test('refuses positions beyond the head, and what is neither a key nor a prefix', async () => {
    const store = await transfers();
    expect(() => store.diff(accounts, 'x', 0, 5)).toThrow(PositionAheadError);
    expect(() => store.diff(accounts, 'x', undefined as never, 1)).toThrow(TypeError);
    for (const keys of [undefined, null, 1, {}, { prefix: 1 }]) {
      expect(() => store.diff(accounts, keys as never, 0, 1)).toThrow('pass a key');
    }
    await store.close();
    expect(() => store.diffSync(accounts, 'x', 0, 1)).toThrow(StoreClosedError);
  });
});
