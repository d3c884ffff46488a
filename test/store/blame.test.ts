import { describe, expect, test } from 'vitest';
import { ProjectionFailedError, StoreClosedError } from '#src/index.js';
import { accounts, moved, openAccounts } from './accounts.js';

describe('blame', () => {
  async function transfers() {
    const store = await openAccounts();
    await store.append('bank', moved('a', 'b', 5), { actor: 'anna', reason: 'rent' });
    await store.append('bank', moved('b', 'c', 3), { actor: 'bert' });
    await store.append('bank', moved('c', 'a', 2), { actor: 'cleo' });
    return store;
  }

  test('names for every value the event that set it', async () => {
    const store = await transfers();
    const entries = await store.blame(accounts, 'a');
    expect(entries.map(({ path, value, event: { actor } }) => [path, value, actor])).toEqual([
      ['/balance', -3, 'cleo'],
      ['/lines/0/amount', -5, 'anna'],
      ['/lines/0/with', 'b', 'anna'],
      ['/lines/1/amount', 2, 'cleo'],
      ['/lines/1/with', 'c', 'cleo'],
      ['/name', 'a', 'anna'],
    ]);
    expect(entries[1]?.event.reason).toBe('rent');
    expect(store.blameSync(accounts, 'a')).toEqual(entries);
  });

  test('can be asked as of a moment', async () => {
    const store = await transfers();
    const entries = await store.blame(accounts, 'a', { to: 2 });
    expect(entries.map(({ path }) => path)).toEqual([
      '/balance',
      '/lines/0/amount',
      '/lines/0/with',
      '/name',
    ]);
    expect(new Set(entries.map(({ event: { position } }) => position))).toEqual(new Set([1]));
    expect(store.blameSync(accounts, 'a', { to: 0 })).toEqual([]);
  });

  test('has nothing to say of a key that is absent', async () => {
    const store = await transfers();
    expect(await store.blame(accounts, 'nobody')).toEqual([]);
    await store.append('bank', { type: 'account.closed', data: { name: 'a' } });
    expect(await store.blame(accounts, 'a')).toEqual([]);
  });

  test('fails for a key that stopped, and when it is asked wrongly', async () => {
    const store = await transfers();
    await store.append('bank', { type: 'account.broken', data: { name: 'a' } });
    await expect(store.blame(accounts, 'a')).rejects.toThrow(ProjectionFailedError);
    expect(() => store.blameSync(accounts, 'a')).toThrow(ProjectionFailedError);
    expect(await store.blame(accounts, 'a', { to: 3 })).toHaveLength(6);
    await expect(store.blame(accounts, 'a', null as never)).rejects.toThrow(TypeError);
    await expect(store.blame(accounts, 'a', { to: 'noon' })).rejects.toThrow(TypeError);
    await store.close();
    await expect(store.blame(accounts, 'a')).rejects.toThrow(StoreClosedError);
  });
});
