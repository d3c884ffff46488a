/** What happened, as the memory keeps it. */
import { describe, expect, test } from 'vitest';
import type { EpisodeListOptions, NewEpisode } from '#src/index.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { opened, places, refusal } from './support-memory.js';

const full = {
  text: 'We met at the harbour.',
  kind: 'meeting',
  session: 's1',
  speaker: 'anna',
  participants: ['anna', 'ben'],
  tags: ['travel', 'sea'],
  metadata: { place: { name: 'harbour' }, weight: 2 },
};

describe.each(places)('episodes of a memory in %s', (_, location) => {
  test('are read as they were recorded, deeply frozen, with who wrote them down and when', async () => {
    const { memory, clock } = await opened(location(), { actor: 'scribe' });
    clock.advance(5000);
    const written = await memory.episodes.record({ ...full, at: '2026-01-01T01:00:00+01:00' });
    expect(written).toMatchObject({ position: 1, version: 1, changed: true, repeated: false });
    const episode = await memory.episodes.get(written.id);
    expect(episode).toEqual({
      ...full,
      id: written.id,
      at: '2026-01-01T00:00:00.000Z',
      recordedAt: '2026-01-01T00:00:05.000Z',
      actor: 'scribe',
    });
    expectDeeplyFrozen(episode);
    expect(() => ((episode?.metadata['place'] as { name: string }).name = 'x')).toThrow(TypeError);
    expect(memory.episodes.getSync(written.id)).toBe(episode);
    expect(memory.episodes.getSync(written.id.slice('episodes/'.length))).toBe(episode);
  });

  test('need a text alone', async () => {
    const { memory } = await opened(location());
    const { id } = memory.episodes.recordSync({ text: 'It rained.' });
    expect(memory.episodes.getSync(id)).toEqual({
      id,
      text: 'It rained.',
      participants: [],
      tags: [],
      metadata: {},
      at: '2026-01-01T00:00:00.000Z',
      recordedAt: '2026-01-01T00:00:00.000Z',
    });
    expect(await memory.episodes.get('2026-01-01T00:00:00.000Z-none')).toBeUndefined();
  });

  test('hold what was handed in, whatever the caller does with it afterwards', async () => {
    const { memory } = await opened(location());
    const given = { text: 'one', tags: ['a'], metadata: { list: [1] } };
    const recording = memory.episodes.record(given);
    given.tags.push('b');
    given.metadata.list.push(2);
    const { id } = await recording;
    expect(await memory.episodes.get(id)).toMatchObject({ tags: ['a'], metadata: { list: [1] } });
  });

  test('have ids that sort by time, and within a millisecond as they were recorded', async () => {
    const { memory, clock } = await opened(location());
    const ids: string[] = [];
    for (let index = 0; index < 20; index += 1) {
      if (index % 5 === 0) clock.advance(1);
      ids.push((await memory.episodes.record({ text: `${index}` })).id);
    }
    expect(ids).toEqual([...ids].sort());
    const { id } = await memory.episodes.record({ text: 'long ago', at: new Date(0) });
    const { items } = await memory.episodes.list();
    expect(items.map((item) => item.id)).toEqual([id, ...ids]);
  });

  test('are recorded once for calls with one idempotency key', async () => {
    const { memory, clock } = await opened(location());
    const options = { idempotencyKey: 'k' };
    const first = await memory.episodes.record(full, options);
    clock.advance(1000);
    expect(await memory.episodes.record(full, options)).toEqual({ ...first, repeated: true });
    expect(memory.episodes.recordSync(full, options)).toEqual({ ...first, repeated: true });
    const other = () => memory.episodes.record({ ...full, text: 'else' }, options);
    expect((await refusal(other)).code).toBe('IDEMPOTENCY_KEY_REUSED');
    const later = () => memory.episodes.record({ ...full, at: new Date(clock.now()) }, options);
    expect((await refusal(later)).code).toBe('IDEMPOTENCY_KEY_REUSED');
    expect((await memory.episodes.list()).items).toHaveLength(1);
  });

  test.each<[string, EpisodeListOptions['filters'], string[]]>([
    ['session', { session: 's1' }, ['a', 'b']],
    ['speaker', { speaker: 'ben' }, ['b']],
    ['participant', { participant: 'anna' }, ['a', 'c']],
    ['kind', { kind: 'call' }, ['b', 'c']],
    ['actor', { actor: 'scribe' }, ['c']],
    ['all tags', { tags: ['x', 'y'] }, ['a']],
    ['any tag', { anyTags: ['y', 'z'] }, ['a', 'b']],
    ['metadata', { metadata: { n: { deep: [1] } } }, ['b']],
    ['since', { since: '2026-01-02T00:00:00Z' }, ['b', 'c']],
    ['until', { until: new Date('2026-01-02T00:00:00Z') }, ['a', 'b']],
    ['a time between', { since: '2026-01-02', until: '2026-01-02' }, ['b']],
    ['several at once', { session: 's1', kind: 'call' }, ['b']],
    ['nothing', {}, ['a', 'b', 'c']],
    ['names of members of objects', { metadata: { constructor: 1 } }, []],
  ])('are listed by %s', async (_what, filters, found) => {
    const { memory } = await opened(location());
    const { episodes } = memory;
    await memory.as('scribe').episodes.record({
      text: 'c',
      kind: 'call',
      participants: ['anna'],
      at: '2026-01-03',
    });
    await episodes.record({
      text: 'a',
      session: 's1',
      participants: ['anna', 'ben'],
      tags: ['x', 'y'],
      at: '2026-01-01',
    });
    await episodes.record({
      text: 'b',
      session: 's1',
      speaker: 'ben',
      kind: 'call',
      tags: ['x', 'z'],
      metadata: { n: { deep: [1] } },
      at: '2026-01-02',
    });
    const page = await episodes.list({ filters });
    expect(page.items.map(({ text }) => text)).toEqual(found);
    expect(page).not.toHaveProperty('next');
    expectDeeplyFrozen(page);
    expect(episodes.listSync({ filters })).toEqual(page);
  });

  test('are listed in pages that together give each once', async () => {
    const { memory } = await opened(location());
    for (let index = 0; index < 7; index += 1) {
      await memory.episodes.record({ text: `${index}`, kind: index % 2 === 0 ? 'even' : 'odd' });
    }
    const texts: string[][] = [];
    let after: string | undefined;
    do {
      const page = await memory.episodes.list({ filters: { kind: 'even' }, limit: 2, after });
      texts.push(page.items.map(({ text }) => text));
      after = page.next;
    } while (after !== undefined);
    expect(texts).toEqual([
      ['0', '2'],
      ['4', '6'],
    ]);
    expect(memory.episodes.listSync({ limit: 0 })).toEqual({ items: [] });
    // An id may be given without the name of the model, as to `get`.
    const { items, next = '' } = memory.episodes.listSync({ limit: 2 });
    expect(next).toBe(items[1]?.id);
    const short = next.replace('episodes/', '');
    expect(memory.episodes.getSync(short)).toEqual(items[1]);
    const rest = memory.episodes.listSync({ after: short }).items.map(({ text }) => text);
    expect(rest).toEqual(['2', '3', '4', '5', '6']);
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['a text', 'hello'],
    ['an empty text', { text: ' ' }],
    ['a member that there is not', { text: 'a', mood: 'good' }],
    ['tags that are none', { text: 'a', tags: 'x' }],
    ['participants that are none', { text: 'a', participants: [1] }],
    ['a time without a zone', { text: 'a', at: '2026-01-01T00:00:00' }],
    ['no time', { text: 'a', at: new Date(Number.NaN) }],
    ['a time of which there is none', { text: 'a', at: '2026-02-31T25:00:00Z' }],
    ['metadata that is a list', { text: 'a', metadata: [] }],
  ])('refuse %s', async (_what, wrong) => {
    const { memory } = await opened(location());
    const call = () => memory.episodes.record(wrong as NewEpisode);
    expect(await refusal(call)).toMatchObject({ name: 'TypeError', code: 'INVALID_ARGUMENT' });
    expect(() => memory.episodes.recordSync(wrong as NewEpisode)).toThrow(TypeError);
    expect(memory.engine.head.position).toBe(0);
  });

  test('refuse metadata that is no JSON, and say where', async () => {
    const { memory } = await opened(location());
    const call = () => memory.episodes.record({ text: 'a', metadata: { at: new Date() } });
    expect(await refusal(call)).toMatchObject({
      code: 'INVALID_EVENT',
      path: 'episode.metadata.at',
    });
  });

  test.each<[string, unknown]>([
    ['a filter that there is not', { filters: { mood: 'good' } }],
    ['an option that there is not', { page: 1 }],
    ['a limit that is none', { limit: -1 }],
    ['a time that is none', { filters: { since: 'yesterday' } }],
    ['tags that are none', { filters: { tags: 'x' } }],
    ['metadata that is none', { filters: { metadata: 'x' } }],
  ])('refuse to list by %s', async (_what, options) => {
    const { memory } = await opened(location());
    expect((await refusal(() => memory.episodes.list(options as object))).name).toBe('TypeError');
    expect(() => memory.episodes.listSync(options as object)).toThrow(TypeError);
  });

  test('are read as of a moment', async () => {
    const { memory, clock } = await opened(location());
    const { id, position } = await memory.episodes.record({ text: 'a' });
    clock.advance(1000);
    await memory.episodes.record({ text: 'b' });
    expect((await memory.at(position).episodes.list()).items).toHaveLength(1);
    expect(memory.at(0).episodes.getSync(id)).toBeUndefined();
    const writing = () => memory.at(position).episodes.record({ text: 'c' });
    expect((await refusal(writing)).code).toBe('STORE_READ_ONLY');
  });
});

test('episodes are the same after opening again, and with no room to keep states', async () => {
  const directory = temporaryDirectory();
  const first = await opened(directory, { cacheBytes: 0 });
  for (let index = 0; index < 10; index += 1) {
    await first.memory.episodes.record({ ...full, text: `${index}` });
  }
  const before = await first.memory.episodes.list();
  await first.memory.close();
  const { memory } = await opened(directory);
  expect(memory.episodes.listSync()).toEqual(before);
});
