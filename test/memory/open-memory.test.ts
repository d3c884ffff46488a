/** Opening a memory, here and elsewhere, and who it belongs to. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  defineEvents,
  defineIndex,
  defineProjection,
  event,
  type MemoryOptions,
  openMemory,
  openMemorySync,
  openStore,
  openStoreSync,
  type Provider,
  registerProvider,
} from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { opened, places, refusal } from './support-memory.js';

const exchange = { message: 'a', response: 'b' };

function provided(name: string, provider: Provider): void {
  onTestFinished(registerProvider(name, provider));
}

test('an option that a memory does not have is told with the nearest that it has', async () => {
  for (const [wrong, right] of [
    ['workingTtlMS', 'workingTtlMs'],
    ['freshnessMS', 'freshnessMs'],
  ] as const) {
    const error = await refusal(() => openMemory('memory:', { [wrong]: 1 } as MemoryOptions));
    expect(error.code).toBe('UNKNOWN_OPTION');
    expect(error.message).toContain(`openMemory has no option "${wrong}": did you mean ${right}?`);
  }
});

describe('a memory is opened', () => {
  test.each<[string, (directory: string) => string | URL]>([
    ['a directory', (directory) => directory],
    ['file: and a directory', (directory) => `file:${directory}`],
    ['a file URL', (directory) => pathToFileURL(directory).href],
    ['a file URL as an object', (directory) => pathToFileURL(directory)],
  ])('by %s, and all of them name the same one', async (_what, locationOf) => {
    const directory = join(temporaryDirectory(), 'of an agent');
    const first = await openMemory(locationOf(directory));
    await first.users.updateContext('anna', exchange);
    await first.close();
    using second = openMemorySync(locationOf(directory));
    expect(second.users.getContextSync('anna').conversationsCount).toBe(1);
    await using third = await openMemory(directory, { readOnly: true });
    expect(third.engine.head.position).toBe(1);
  });

  test('with nothing on disk by memory:, each one anew', async () => {
    await using first = await openMemory('memory:');
    using second = openMemorySync('memory:');
    await first.users.updateContext('anna', exchange);
    expect(second.engine.head.position).toBe(0);
  });

  test('elsewhere by a provider, which is given the rest of the location and what the models need', async () => {
    const seen: unknown[] = [];
    const directory = temporaryDirectory();
    provided('elsewhere', (rest, options) => {
      seen.push(rest, options.actor);
      return openStore(directory, options);
    });
    const memory = await openMemory('elsewhere:a/b?c', { actor: 'scribe' });
    await memory.users.updateContext('anna', exchange);
    await memory.close();
    expect(seen).toEqual(['a/b?c', 'scribe']);
    expect((await refusal(() => memory.users.getContext('anna'))).code).toBe('STORE_CLOSED');
    await using again = await openMemory(directory);
    expect((await again.users.getContext('anna')).conversationsCount).toBe(1);
  });

  test('at once by a provider only when that answers at once', async () => {
    provided('at-once', (_rest, options) => openStoreSync({ ...options, memory: true }));
    using memory = openMemorySync('at-once:');
    expect(memory.users.updateContextSync('anna', exchange).position).toBe(1);
    provided('later', (_rest, options) => openStore({ ...options, memory: true }));
    expect((await refusal(() => openMemorySync('later:'))).code).toBe('ASYNC_ONLY');
  });

  test.each<[string, unknown, string]>([
    ['a scheme that nobody knows', 'redis:cache', 'registerProvider'],
    ['a file: that is no path from the root', 'file:relative', 'root'],
    ['a file: on another machine', 'file://server/share', 'names no directory here'],
    ['a file: with a question', 'file:/a?b', '%3F'],
    ['memory: with something behind it', 'memory:x', 'memory:'],
    ['nothing', '', 'directory'],
    ['a number', 7, 'directory'],
  ])('never by %s', async (_what, location, said) => {
    for (const open of [openMemory, openMemorySync]) {
      const error = await refusal(() => open(location as string));
      expect(error).toMatchObject({ name: 'TypeError', code: 'INVALID_ARGUMENT' });
      expect(error.message).toContain(said);
    }
  });

  test('never by a provider that gives no store, or one that is gone', async () => {
    const forget = registerProvider('empty', () => ({}) as never);
    expect((await refusal(() => openMemory('empty:'))).message).toContain('no open store');
    forget();
    expect((await refusal(() => openMemory('empty:'))).message).toContain('Known are');
  });

  test.each<[string, unknown, unknown]>([
    ['a name of one letter', 'c', () => {}],
    ['a name in capitals', 'Redis', () => {}],
    ['the name of a scheme of ours', 'file', () => {}],
    ['no function', 'nothing', {}],
  ])('never by a provider with %s', (_what, name, factory) => {
    expect(() => registerProvider(name as string, factory as Provider)).toThrow(TypeError);
  });

  test.each<[string, unknown]>([
    ['language', 'English!'],
    ['workingTtlMs', 0],
    ['slowOperationMs', -1],
    ['events', {}],
    ['projections', {}],
    ['indexes', {}],
    ['cacheBytes', -1],
    ['lockTimeoutMs', 'soon'],
  ])('never with a wrong %s', async (name, value) => {
    const options = { [name]: value } as MemoryOptions;
    for (const open of [openMemory, openMemorySync]) {
      const error = await refusal(() => open('memory:', options));
      expect(error).toMatchObject({ name: 'TypeError', code: 'INVALID_ARGUMENT' });
      expect(error.message).toContain(name);
    }
    expect((await refusal(() => openMemory('memory:', null as never))).name).toBe('TypeError');
  });

  test('with events, projections and indexes of your own beside those of the models', async () => {
    const events = defineEvents({ 'note.taken': event<{ text: string }>() });
    const notes = defineProjection({
      name: 'notes',
      version: 1,
      events,
      initial: { count: 0 },
      on: {
        'note.taken': (draft) => {
          draft.count += 1;
        },
      },
    });
    const types = defineIndex<Set<string>>({
      name: 'types',
      version: 1,
      create: () => new Set(),
      apply: (index, group) => {
        for (const { type } of group) index.add(type);
      },
      save: (index, sink) => sink.write('types', Buffer.from(JSON.stringify([...index]))),
      load: (source) =>
        new Set(JSON.parse(Buffer.from(source.read('types')).toString()) as string[]),
      bytes: () => 0,
    });
    const options = { events, projections: [notes], indexes: [types] };
    await using memory = await openMemory('memory:', options);
    await memory.engine.append('notes/1', { type: 'note.taken', data: { text: 'x' } });
    await memory.users.updateContext('anna', exchange);
    expect(await memory.engine.get(notes, 'notes/1')).toEqual({ count: 1 });
    expect([...(await memory.engine.index(types))].sort()).toEqual([
      'episode.recorded',
      'note.taken',
      'user.conversed',
    ]);
    const undeclared = () => memory.engine.append('notes/1', { type: 'note.lost', data: {} });
    expect((await refusal(undeclared)).code).toBe('INVALID_EVENT');
  });

  test('never with events or projections that have the names of a model', async () => {
    const events = defineEvents({ 'user.changed': event<null>() });
    expect((await refusal(() => openMemory('memory:', { events }))).message).toContain(
      'memory.users',
    );
    const users = defineProjection({ name: 'users', version: 1, initial: 0, on: { a: () => 1 } });
    const error = await refusal(() => openMemory('memory:', { projections: [users] }));
    expect(error.message).toContain('"users"');
  });
});

describe.each(places)('a memory in %s', (_, location) => {
  test('writes as its actor, as another one, and as whoever the call names', async () => {
    const { memory } = await opened(location(), { actor: 'agent' });
    const reviewer = memory.as('reviewer', { reason: 'monthly review' });
    await memory.users.remember('anna', 'one');
    await reviewer.users.remember('anna', 'two');
    await reviewer.users.remember('anna', 'three', { actor: 'ben', reason: 'asked to' });
    reviewer
      .as('carl')
      .users.rememberSync('anna', 'four', { correlationId: 'c', causationId: 'd' });
    await reviewer.transaction((tx) => tx.users.remember('anna', 'five'));
    await reviewer.transaction((tx) => tx.users.remember('anna', 'six'), { actor: 'dora' });
    const said = await memory.engine.readAll().toArray();
    expect(
      said.map(({ actor, reason, correlationId, causationId }) => [
        actor,
        reason,
        correlationId,
        causationId,
      ]),
    ).toEqual([
      ['agent', undefined, undefined, undefined],
      ['reviewer', 'monthly review', undefined, undefined],
      ['ben', 'asked to', undefined, undefined],
      ['carl', undefined, 'c', 'd'],
      ['reviewer', 'monthly review', undefined, undefined],
      ['dora', 'monthly review', undefined, undefined],
    ]);
    expect(() => memory.as('')).toThrow(TypeError);
    expect(() => memory.as('ben', { reason: '' })).toThrow(TypeError);
  });

  test('shares the store with itself as another actor: closed once, closed for both', async () => {
    const { memory } = await opened(location());
    const other = memory.as('reviewer');
    expect(other.engine).toBe(memory.engine);
    await other.close();
    await memory.close();
    memory.closeSync();
    expect((await refusal(() => memory.users.getContext('anna'))).code).toBe('STORE_CLOSED');
    expect((await refusal(() => memory.status())).code).toBe('STORE_CLOSED');
  });

  test('has settled what was written when it is flushed', async () => {
    const { memory } = await opened(location());
    const writing = memory.users.updateContext('anna', exchange);
    await Promise.resolve();
    await memory.flush();
    expect((await writing).position).toBe(1);
    memory.flushSync();
    expect(memory.engine.head.position).toBe(1);
  });
});
