/** Records: changes of a value, on stores of both kinds. */
import { describe, expect, test } from 'vitest';
import { InvalidEventError, MemoryNotFoundError, VersionConflictError } from '#src/errors.js';
import type { WriteOptions } from '#src/memory/access.js';
import { kinds, type Memory, openMemoryOf } from './support-records.js';

const START = '2026-01-01T00:00:00.000Z';
const invalid = { name: 'TypeError', code: 'INVALID_ARGUMENT' };

describe.each(kinds)('a change of a record on a %s', (kind) => {
  const open = (): Promise<Memory> => openMemoryOf(kind);

  interface Person {
    name: string;
    likes: string[];
    age?: number;
  }

  async function withAlice(): Promise<Memory> {
    const memory = await open();
    const value = { name: 'Alice', likes: ['tea', 'chess'] };
    await memory.records.store('alice', value, { tags: ['friend'], importance: 0.5 });
    memory.clock.advance(1000);
    return memory;
  }

  test('stores what changed as patches, not the value again', async () => {
    const memory = await withAlice();
    const written = await memory.as('bob').records.update<Person>('alice', (draft) => {
      draft.age = 30;
      draft.likes.push('rain');
    });
    expect(written).toMatchObject({ id: 'records/alice', version: 2, changed: true });
    const [, event] = await memory.store.readStream('records/alice').toArray();
    expect(event).toMatchObject({
      type: 'record.updated',
      data: {
        patches: [
          { op: 'add', path: '/likes/2', value: 'rain' },
          { op: 'add', path: '/age', value: 30 },
        ],
      },
    });
    expect(await memory.records.get('alice')).toMatchObject({
      value: { name: 'Alice', likes: ['tea', 'chess', 'rain'], age: 30 },
      tags: ['friend'],
      importance: 0.5,
      actor: 'bob',
      createdAt: START,
      updatedAt: '2026-01-01T00:00:01.000Z',
    });
  });

  test('takes a value that the function returns', async () => {
    const memory = await open();
    await memory.records.store('n', 1);
    memory.records.updateSync<number>('n', (n) => n + 1);
    expect(memory.records.getSync('n')?.value).toBe(2);
    await memory.records.update('n', () => ['other']);
    expect(memory.records.getSync('n')?.value).toEqual(['other']);
  });

  test('that changes nothing writes nothing', async () => {
    const memory = await withAlice();
    const same = (draft: Person): void => {
      draft.name = 'Alice';
      draft.likes = ['tea', 'chess'];
    };
    expect(await memory.records.update('alice', same)).toMatchObject({
      changed: false,
      version: 1,
    });
    expect(memory.records.updateSync('alice', () => {}).changed).toBe(false);
    expect(await memory.count()).toBe(1);
  });

  test.each<[string, unknown, string]>([
    ['a Date', new Date(0), 'value.likes[0]'],
    ['a Map', new Map([['a', 1]]), 'value.likes[0]'],
    ['undefined', undefined, 'value.likes[0]'],
    ['a number that is none', Number.NaN, 'value.likes[0]'],
  ])('refuses %s with its path and changes nothing', async (_, wrong, path) => {
    const memory = await withAlice();
    const change = (draft: Person): void => {
      draft.likes[0] = wrong as string;
    };
    await expect(memory.records.update('alice', change)).rejects.toMatchObject({
      code: 'INVALID_EVENT',
      path,
    });
    expect(() => memory.records.updateSync('alice', change)).toThrow(InvalidEventError);
    expect(await memory.count()).toBe(1);
  });

  test('refuses a function that waits, and what is no function', async () => {
    const memory = await withAlice();
    const waits = async (): Promise<void> => {
      throw new Error('nobody hears this');
    };
    await expect(memory.records.update('alice', waits as never)).rejects.toThrow('asynchronous');
    await expect(memory.records.update('alice', 'x' as never)).rejects.toMatchObject(invalid);
  });

  test('passes on what the function throws', async () => {
    const memory = await withAlice();
    const failing = (): void => {
      throw new RangeError('mine');
    };
    await expect(memory.records.update('alice', failing)).rejects.toThrow('mine');
    expect(() => memory.records.updateSync('alice', failing)).toThrow(RangeError);
  });

  test('refuses a key under which there is nothing', async () => {
    const memory = await withAlice();
    const error = { code: 'MEMORY_NOT_FOUND', id: 'records/bob' };
    await expect(memory.records.update('bob', () => 1)).rejects.toMatchObject(error);
    await memory.records.delete('alice');
    expect(() => memory.records.updateSync('alice', () => 1)).toThrow(MemoryNotFoundError);
  });

  test('does not freeze what the function puts into the draft', async () => {
    const memory = await withAlice();
    const likes = ['mine'];
    await memory.records.update<Person>('alice', (draft) => {
      draft.likes = likes;
    });
    likes.push('still');
    expect((await memory.records.get<Person>('alice'))?.value.likes).toEqual(['mine']);
  });

  test('runs again on what others wrote meanwhile, so that no change is lost', async () => {
    const memory = await open();
    await memory.records.store('n', { count: 0 });
    const add = (draft: { count: number }): void => {
      draft.count += 1;
    };
    const waiting = Array.from({ length: 20 }, () => memory.records.update('n', add));
    memory.records.updateSync('n', add);
    await Promise.all(waiting);
    expect(memory.records.getSync('n')?.value).toEqual({ count: 21 });
    expect(await memory.count()).toBe(22);
  });

  test('is never made of a value that others have changed, however weak the condition', async () => {
    const memory = await open();
    await memory.records.store('n', 0);
    const updating = Array.from({ length: 20 }, (_, index) => {
      const expectedVersion = index % 2 === 0 ? 'any' : 'exists';
      return memory.records.update<number>('n', (n) => n + 1, { expectedVersion });
    });
    await Promise.all(updating);
    expect(memory.records.getSync('n')?.value).toBe(20);
    const nothing = memory.records.store('m', 1, {}, { expectedVersion: 'exists' });
    await expect(nothing).rejects.toThrow(VersionConflictError);
  });

  test('keeps to the version that is expected', async () => {
    const memory = await withAlice();
    const rename = (name: string) => (draft: Person) => {
      draft.name = name;
    };
    for (const expectedVersion of [0, 2, 'absent'] as const) {
      const updating = memory.records.update('alice', rename('x'), { expectedVersion });
      await expect(updating, String(expectedVersion)).rejects.toThrow(VersionConflictError);
    }
    const right: readonly WriteOptions['expectedVersion'][] = [1, 'exists', 'any'];
    for (const [index, expectedVersion] of right.entries()) {
      await memory.records.update('alice', rename(`n${index}`), { expectedVersion });
    }
    expect(memory.records.getSync<Person>('alice')?.value.name).toBe('n2');
  });

  test('with an idempotency key happens once, however often it is called', async () => {
    const memory = await open();
    await memory.records.store('n', 1);
    const add = (n: number): number => n + 1;
    const first = await memory.records.update<number>('n', add, { idempotencyKey: 'once' });
    const again = await memory.records.update<number>('n', add, { idempotencyKey: 'once' });
    const sync = memory.records.updateSync<number>('n', add, { idempotencyKey: 'once' });
    expect(again).toEqual({ ...first, repeated: true });
    expect(sync).toEqual(again);
    expect(memory.records.getSync('n')?.value).toBe(2);
  });

  test('refuses an idempotency key that another key was updated with', async () => {
    const memory = await open();
    await memory.records.storeMany([
      { key: 'a', value: 1 },
      { key: 'b', value: 1 },
    ]);
    await memory.records.update('a', () => 2, { idempotencyKey: 'once' });
    const other = memory.records.update('b', () => 2, { idempotencyKey: 'once' });
    await expect(other).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
  });
});
