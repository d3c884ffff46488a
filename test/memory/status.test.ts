/** How a memory is doing, as it tells itself. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openMemory, SLOW_OPERATION_CHANNEL, type SlowOperation } from '#src/index.js';
import { Meter } from '#src/memory/meter.js';
import { StatusReader } from '#src/memory/status.js';
import { usersModel } from '#src/memory/users.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { opened, places, refusal } from './support-memory.js';

const exchange = { message: 'a', response: 'b' };

describe.each(places)('the status of a memory in %s', (_, location) => {
  test('has the documented members, and no others', async () => {
    const { memory } = await opened(location());
    const status = await memory.status();
    expect(Object.keys(status).sort()).toEqual(
      'cache disk head healthy lastDurableAt lastErrors locks mode models operations queue transactions'.split(
        ' ',
      ),
    );
    expect(status).toMatchObject({
      healthy: true,
      mode: 'normal',
      head: { position: 0 },
      lastDurableAt: undefined,
      queue: { commits: 0, bytes: 0 },
      operations: {},
      lastErrors: [],
    });
    expect(memory.statusSync()).toEqual(status);
  });

  test('counts what models hold, also after more was written', async () => {
    const { memory, clock } = await opened(location());
    await memory.users.updateContext('anna', exchange);
    const first = await memory.status();
    expect(first.lastDurableAt).toBe(new Date(clock.now()).toISOString());
    const bytes = Buffer.byteLength(
      JSON.stringify({ context: await memory.users.getContext('anna'), memories: {} }),
    );
    expect(first.models['users']).toEqual({ items: 1, expired: 0, bytes });
    expect(first.models['episodes']).toMatchObject({ items: 1, expired: 0 });
    await memory.users.updateContext('ben', exchange);
    expect(memory.statusSync().models['users']).toMatchObject({ items: 2 });
    expect((await memory.status()).models['episodes']).toMatchObject({ items: 2 });
  });

  test('counts what has expired apart, by the clock', async () => {
    const { memory, clock } = await opened(location());
    await memory.users.updateContext('anna', exchange);
    const expiring = {
      ...usersModel,
      expiries: () => ['2026-01-01T00:00:01.000Z', undefined, '2026-01-01T00:00:02.000Z'],
    };
    const reader = new StatusReader(
      memory.engine,
      [expiring],
      clock.now,
      new Meter(100, clock.now),
    );
    expect((await reader.read()).models['users']).toMatchObject({ items: 3, expired: 0 });
    clock.advance(1000);
    expect(reader.readSync().models['users']).toMatchObject({ items: 2, expired: 1 });
    clock.advance(1000);
    expect((await reader.read()).models['users']).toMatchObject({ items: 1, expired: 2 });
  });

  test('counts operations, the synchronous and the refused among them, and keeps the last errors', async () => {
    const { memory, clock } = await opened(location());
    await memory.users.getContext('anna');
    memory.users.getContextSync('anna');
    await refusal(() => memory.users.getContext(''));
    await memory.transaction((tx) => tx.users.remember('anna', 'x'));
    const { operations, lastErrors, transactions } = await memory.status();
    expect(operations['users.getContext']).toMatchObject({ count: 3, sync: 1, errors: 1 });
    expect(operations['users.remember']).toMatchObject({ count: 1 });
    expect(operations['memory.transaction']).toMatchObject({ count: 1, errors: 0 });
    for (const member of ['perSecond', 'meanMs', 'p50Ms', 'p99Ms'] as const) {
      expect(operations['users.getContext']?.[member]).toBeGreaterThan(0);
    }
    expect(transactions.committed).toBe(1);
    expect(lastErrors).toEqual([
      {
        operation: 'users.getContext',
        time: new Date(clock.now()).toISOString(),
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('id of a user') as string,
      },
    ]);
  });

  test('is shared by the same memory as another actor', async () => {
    const { memory } = await opened(location());
    await memory.as('ben').users.getContext('anna');
    expect((await memory.status()).operations['users.getContext']).toMatchObject({ count: 1 });
  });
});

test('a memory that is open for reading only says so', async () => {
  const directory = temporaryDirectory();
  await (await openMemory(directory)).close();
  const { memory } = await opened(directory, { readOnly: true });
  expect(await memory.status()).toMatchObject({ healthy: true, mode: 'read-only' });
  expect((await refusal(() => memory.users.remember('a', 'b'))).code).toBe('STORE_READ_ONLY');
});

test('slow operations are published, and none when nothing is slow', async () => {
  const heard: SlowOperation[] = [];
  const listen = (message: unknown): number => heard.push(message as SlowOperation);
  subscribe(SLOW_OPERATION_CHANNEL, listen);
  onTestFinished(() => void unsubscribe(SLOW_OPERATION_CHANNEL, listen));
  const quick = await opened('memory:', { slowOperationMs: Number.POSITIVE_INFINITY });
  await quick.memory.users.getContext('anna');
  expect(heard).toEqual([]);
  const { memory } = await opened('memory:', { slowOperationMs: 0 });
  await memory.users.getContext('anna');
  await refusal(() => memory.users.getContextSync(''));
  expect(heard).toMatchObject([
    { operation: 'users.getContext', sync: false, failed: false },
    { operation: 'users.getContext', sync: true, failed: true },
  ]);
  expect(heard[0]?.durationMs).toBeGreaterThanOrEqual(0);
});
