/** How a memory is doing, as it tells itself. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  type Memory,
  openMemory,
  registerProvider,
  SLOW_OPERATION_CHANNEL,
  type SlowOperation,
} from '#src/index.js';
import { Meter } from '#src/memory/meter.js';
import { modelDefinitions } from '#src/memory/models.js';
import { StatusReader } from '#src/memory/status.js';
import { usersModel } from '#src/memory/users.js';
import { openStoreOn } from '#src/store.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { environmentOn, randomOn } from '../support/story.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { turnsDuring } from '../support/turns.js';
import { opened, places, refusal } from './support-memory.js';

const chat = { conversationId: 'c', memoryType: 'working' } as const;
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

test('a memory whose disk failed says so, and what it holds', async () => {
  const disk = new SimulatedDisk();
  const process = disk.process();
  const environment = environmentOn(process, disk, randomOn(disk, 1));
  const remove = registerProvider('simulated', (rest, options) =>
    openStoreOn(environment, `/${rest}`, { ...options, writerThread: false }),
  );
  onTestFinished(remove);
  const { memory } = await opened('simulated:memory');
  await memory.users.remember('anna', 'likes tea');
  expect(await memory.status()).toMatchObject({ healthy: true, mode: 'normal' });
  process.inject({ method: 'sync', code: 'EIO', lasting: true });
  expect((await refusal(() => memory.users.remember('anna', 'likes cake'))).code).toBe(
    'OUTCOME_UNKNOWN',
  );
  expect((await refusal(() => memory.users.remember('anna', 'likes cake'))).code).toBe(
    'STORE_POISONED',
  );
  for (const status of [await memory.status(), memory.statusSync()]) {
    expect(status).toMatchObject({
      healthy: false,
      mode: 'poisoned',
      head: { position: 1 },
      models: { users: { items: 1, expired: 0 } },
      operations: { 'users.remember': { count: 3, errors: 2 } },
      disk: { writeErrors: 1 },
      lastErrors: [{ code: 'OUTCOME_UNKNOWN' }, { code: 'STORE_POISONED' }],
    });
  }
});

test('a key that cannot be read makes a memory unhealthy, and hides no other key', async () => {
  const { memory } = await opened('memory:');
  await memory.records.store('a', 1);
  await memory.records.store('b', 1);
  await memory.records.store('c', 1);
  // Patches that lead nowhere stop the key.
  await memory.engine.append('records/b', { type: 'record.updated', data: { patches: [{}] } });
  for (const status of [await memory.status(), memory.statusSync()]) {
    expect(status).toMatchObject({ healthy: false, mode: 'normal' });
    expect(status.models['records']).toMatchObject({ items: 2, expired: 0 });
  }
  await memory.records.store('d', 1);
  expect((await memory.status()).models['records']).toMatchObject({ items: 3 });
  const fresh = new StatusReader(memory.engine, modelDefinitions, Date.now, new Meter(1, Date.now));
  for (const status of [await fresh.read(), fresh.readSync()]) {
    expect(status).toMatchObject({ healthy: false, models: { records: { items: 3 } } });
  }
});

describe('counts that were followed', () => {
  const counted = async (memory: Memory, now: () => number) => {
    const reader = () => new StatusReader(memory.engine, modelDefinitions, now, new Meter(1, now));
    return [(await reader().read()).models, reader().readSync().models];
  };

  test('are those of counting anew, whatever was written, deleted, expired and undone', async () => {
    const { memory, clock } = await opened('memory:');
    const steps: (() => unknown)[] = [
      () => memory.records.store('a', 'x', { ttlMs: 5000 }),
      () => memory.records.store('b', 'y'),
      () => memory.conversations.store({ ...chat, data: ['one', 'two'] }),
      () => clock.advance(5000),
      () => memory.records.update('b', () => 'a longer text'),
      () => memory.records.store('a', 'again', { ttlMs: 1000 }),
      () => memory.graph.createEntities([{ name: 'A', entityType: 't', observations: [] }]),
      () => memory.graph.deleteEntities(['A']),
      () => memory.undo(memory.engine.head.position),
      () => memory.records.delete('b'),
      () => memory.engine.append('elsewhere/1', { type: 'user.remembered', data: { text: 'x' } }),
      () => clock.advance(2000),
    ];
    for (const [index, step] of steps.entries()) {
      await step();
      const { models } = index % 2 === 0 ? await memory.status() : memory.statusSync();
      for (const anew of await counted(memory, clock.now)) expect(models).toEqual(anew);
    }
    expect((await memory.status()).models['records']).toMatchObject({ items: 0, expired: 1 });
  });

  test('are right when many ask at once while others write', async () => {
    const { memory, clock } = await opened('memory:');
    const asked: Promise<unknown>[] = [];
    for (let round = 0; round < 30; round += 1) {
      asked.push(memory.records.store(`r-${round}`, round), memory.status());
      if (round % 10 === 0) memory.statusSync();
    }
    await Promise.all(asked);
    expect((await memory.status()).models['records']).toMatchObject({ items: 30 });
    for (const anew of await counted(memory, clock.now)) {
      expect((await memory.status()).models).toEqual(anew);
    }
  });

  test('see what other processes wrote', async () => {
    const directory = temporaryDirectory();
    const one = await opened(directory);
    const other = await opened(directory);
    await one.memory.records.store('a', 1);
    expect((await one.memory.status()).models['records']).toMatchObject({ items: 1 });
    for (const ask of [() => one.memory.status(), () => one.memory.statusSync()]) {
      const { position } = await other.memory.records.store(
        `b-${other.memory.engine.head.position}`,
        1,
      );
      const status = await ask();
      expect(status.head.position).toBe(position);
      expect(status.models['records']?.items).toBe(position);
    }
  });

  test('read again only what was written', async () => {
    const { memory, clock } = await opened('memory:');
    for (let index = 0; index < 5; index += 1) await memory.records.store(`r-${index}`, index);
    const { engine } = memory;
    let listed = 0;
    const read: string[] = [];
    const watched = new Proxy(engine, {
      get(target, member) {
        if (member === 'entries' || member === 'entriesSync') listed += 1;
        const value: unknown = Reflect.get(target, member, target);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]) => {
          if (member === 'get' || member === 'getSync') read.push(given[1] as string);
          return (value as (...args: unknown[]) => unknown).apply(target, given);
        };
      },
    });
    const meter = new Meter(1, clock.now);
    const reader = new StatusReader(watched, modelDefinitions, clock.now, meter);
    await reader.read();
    const first = listed;
    await memory.records.store('r-3', 'new');
    expect((await reader.read()).models['records']).toMatchObject({ items: 5 });
    await memory.records.store('r-9', 'new');
    expect(reader.readSync().models['records']).toMatchObject({ items: 6 });
    expect(listed).toBe(first);
    expect(read).toEqual(['records/r-3', 'records/r-9']);
  });

  test('leave the thread to others', async () => {
    const { memory, clock } = await opened('memory:');
    const items = Array.from({ length: 5000 }, (_, key) => ({
      key: `${key}`,
      value: 'x'.repeat(200),
    }));
    await memory.records.storeMany(items);
    const reader = new StatusReader(
      memory.engine,
      modelDefinitions,
      clock.now,
      new Meter(1, clock.now),
    );
    const reading = reader.read();
    const turns = await turnsDuring(() => reading);
    const { models } = await reading;
    expect(models['records']).toMatchObject({ items: 5000 });
    expect(turns).toBeGreaterThan(2);
  });
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
