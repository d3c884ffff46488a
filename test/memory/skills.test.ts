/** What agents know how to do. */
import { describe, expect, test } from 'vitest';
import { SkillExistsError, SkillNotFoundError } from '#src/errors.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { openModels, places } from './support-sites.js';

const login = {
  description: 'Log in to the shop',
  steps: ['open', 'type', 'submit'],
  tags: ['web', 'shop'],
};

describe.each(places)('skills %s', (_, open) => {
  test('are added once, and adding the same again changes nothing', async () => {
    const { skills, as, store } = await open();
    expect(await as('anna').skills.add('login', login)).toMatchObject({
      id: 'skills/login',
      changed: true,
    });
    expect(skills.addSync('login', login)).toMatchObject({ changed: false });
    expect(store.head.position).toBe(1);
    expect(await skills.get('login')).toEqual({
      name: 'login',
      revision: 1,
      ...login,
      actor: 'anna',
      createdAt: '2026-01-01T00:00:00.000Z',
      updatedAt: '2026-01-01T00:00:00.000Z',
      outcomes: { count: 0, successes: 0, failures: 0 },
      revisionOutcomes: { count: 0, successes: 0, failures: 0 },
    });
    await expect(skills.add('login', { description: 'Another' })).rejects.toThrow(SkillExistsError);
    expect(skills.getSync('logout')).toBeUndefined();
  });

  test('have revisions, and older ones can still be read', async () => {
    const { skills, clock } = await open();
    await skills.add('login', { ...login, body: 'code' });
    clock.advance(1000);
    expect(skills.updateSync('login', { steps: null, description: 'Log in' })).toMatchObject({
      changed: true,
      version: 2,
    });
    expect(await skills.update('login', { description: 'Log in' })).toMatchObject({
      changed: false,
    });
    await skills.update('login', { body: null, tags: [] });
    expect(await skills.get('login')).toMatchObject({
      revision: 3,
      description: 'Log in',
      tags: [],
      createdAt: '2026-01-01T00:00:00.000Z',
      updatedAt: '2026-01-01T00:00:01.000Z',
    });
    expect(skills.getSync('login')).not.toHaveProperty('body');
    expect(await skills.get('login', { revision: 1 })).toMatchObject({
      ...login,
      body: 'code',
      revision: 1,
    });
    expect(skills.getSync('login', { revision: 2 })).not.toHaveProperty('steps');
    expect(await skills.get('login', { revision: 4 })).toBeUndefined();
  });

  test('are out of use when deprecated, and in use again with the next revision', async () => {
    const { skills } = await open();
    await skills.add('login', login);
    await skills.deprecate('login', { reason: 'the shop moved', replacedBy: 'sign-in' });
    expect(skills.deprecateSync('login')).toMatchObject({ changed: false });
    expect(await skills.get('login')).toMatchObject({
      deprecated: {
        at: '2026-01-01T00:00:00.000Z',
        reason: 'the shop moved',
        replacedBy: 'sign-in',
      },
    });
    expect(await skills.list()).toEqual({ items: [] });
    expect(skills.listSync({ includeDeprecated: true }).items).toHaveLength(1);
    await expect(skills.add('login', login)).rejects.toThrow(SkillExistsError);
    await skills.update('login', { description: 'Log in to the new shop' });
    expect(await skills.get('login')).not.toHaveProperty('deprecated');
    expect((await skills.list()).items).toMatchObject([{ name: 'login', revision: 2 }]);
  });

  test('count how they went, of each revision and of all', async () => {
    const { skills } = await open();
    await skills.add('login', login);
    await skills.recordOutcome('login', { success: true, durationMs: 100 });
    await skills.update('login', { description: 'Log in' });
    skills.recordOutcomeSync('login', { success: false, durationMs: 300 });
    await skills.recordOutcome('login', { success: true });
    await skills.recordOutcome('login', { success: true, revision: 1 });
    expect(await skills.get('login')).toMatchObject({
      outcomes: { count: 4, successes: 3, failures: 1, successRate: 0.75, meanDurationMs: 200 },
      revisionOutcomes: { count: 2, successRate: 0.5, meanDurationMs: 300 },
    });
    expect(await skills.get('login', { revision: 1 })).toMatchObject({
      outcomes: { count: 4 },
      revisionOutcomes: { count: 2, successRate: 1, meanDurationMs: 100 },
    });
  });

  test('count every outcome of ten agents at once', async () => {
    const { skills, as } = await open();
    await skills.add('login', login);
    await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        as(`agent-${index % 10}`).skills.recordOutcome('login', { success: index % 4 > 0 }),
      ),
    );
    expect(await skills.get('login')).toMatchObject({
      outcomes: { count: 100, successes: 75, failures: 25, successRate: 0.75 },
    });
  });

  test('are listed by name, a page at a time', async () => {
    const { skills } = await open();
    for (const name of ['d', 'a', 'c', 'b'])
      await skills.add(name, { description: name, tags: name < 'c' ? ['early'] : [] });
    const first = await skills.list({ limit: 2 });
    expect(first.items.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(first.next).toBe('b');
    const second = skills.listSync({ limit: 2, after: 'b' });
    expect(second.items.map(({ name }) => name)).toEqual(['c', 'd']);
    expect(second).not.toHaveProperty('next');
    expect((await skills.list({ tags: ['early'] })).items).toHaveLength(2);
  });

  test('are found by shared words, the best first', async () => {
    const { skills } = await open();
    await skills.add('orderCoffee', { description: 'Buy a drink' });
    await skills.add('shop', { description: 'Order anything', body: 'not only coffee' });
    await skills.add('sleep', { description: 'Wait until the morning' });
    const hits = await skills.search('Order COFFEE');
    expect(hits.map(({ skill }) => skill.name)).toEqual(['orderCoffee', 'shop']);
    expect((await skills.search('order', { limit: 1 })).map(({ skill }) => skill.name)).toEqual([
      'orderCoffee',
    ]);
    expect(await skills.search('?!')).toEqual([]);
    await skills.deprecate('orderCoffee');
    expect((await skills.search('coffee')).map(({ skill }) => skill.name)).toEqual(['shop']);
    expect(await skills.search('coffee', { includeDeprecated: true })).toHaveLength(2);
  });

  test('give out nothing that can be changed', async () => {
    const { skills } = await open();
    await skills.add('login', login);
    await skills.deprecate('login', { reason: 'old' });
    expectDeeplyFrozen(await skills.get('login'));
    expectDeeplyFrozen(await skills.list({ includeDeprecated: true }));
    expectDeeplyFrozen(await skills.search('login', { includeDeprecated: true }));
  });

  test('are as they were when asked as of a moment, and the same in a transaction', async () => {
    const { skills, store, at, transaction } = await open();
    await skills.add('login', login);
    const { position } = store.head;
    await transaction(async (models) => {
      await models.skills.update('login', { description: 'Log in' });
      await models.skills.recordOutcome('login', { success: true });
      expect(await models.skills.get('login')).toMatchObject({
        revision: 2,
        outcomes: { count: 1 },
      });
    });
    expect(await at(position).skills.get('login')).toMatchObject({ revision: 1 });
    expect(at(position).skills.listSync().items).toMatchObject([{ outcomes: { count: 0 } }]);
  });

  test('that are not there cannot be changed', async () => {
    const { skills, store } = await open();
    await expect(skills.update('login', { description: 'x' })).rejects.toThrow(SkillNotFoundError);
    await expect(skills.deprecate('login')).rejects.toThrow(SkillNotFoundError);
    await expect(skills.recordOutcome('login', { success: true })).rejects.toThrow(
      SkillNotFoundError,
    );
    expect(() => skills.recordOutcomeSync('login', { success: true })).toThrow(SkillNotFoundError);
    expect(store.head.position).toBe(0);
  });
});

test('an outcome of a skill that was taken back in the meantime counts for nothing', async () => {
  const { skills, store } = await openModels();
  // As two processes may have written them: each was right when it was decided.
  await store.append('skills/wait', { type: 'skill.used', data: { success: true } });
  expect(await skills.get('wait')).toBeUndefined();
  expect((await skills.list()).items).toEqual([]);
  expect(await skills.search('wait', { includeDeprecated: true })).toEqual([]);
  await skills.add('wait', { description: 'Wait' });
  await store.append('skills/wait', { type: 'skill.used', data: { success: true, revision: 2 } });
  expect(await skills.get('wait')).toMatchObject({ revision: 1, outcomes: { count: 0 } });
});

test('skills are the same after the store was opened again', async () => {
  const directory = temporaryDirectory();
  const first = await openModels(directory);
  await first.skills.add('login', login);
  await first.skills.update('login', { body: 'code' });
  await first.skills.recordOutcome('login', { success: true });
  const before = await first.skills.get('login');
  await first.store.close();
  const second = await openModels(directory);
  expect(second.skills.getSync('login')).toEqual(before);
});

describe('what cannot be written about a skill is refused, and nothing is written', () => {
  test.each<[string, string, unknown]>([
    ['an empty name', '', login],
    ['a name with a line break', 'a\nb', login],
    ['a name that fits no stream', 'x'.repeat(194), login],
    ['no description', 'login', {}],
    ['an empty step', 'login', { description: 'x', steps: [''] }],
    ['a body that is no text', 'login', { description: 'x', body: 7 }],
    ['tags that are no list', 'login', { description: 'x', tags: 'web' }],
    ['a member that there is not', 'login', { description: 'x', title: 'y' }],
    ['no skill at all', 'login', undefined],
  ])('%s', async (_, name, skill) => {
    const { skills, store } = await openModels();
    await expect(skills.add(name, skill as never)).rejects.toThrow(TypeError);
    expect(() => skills.addSync(name, skill as never)).toThrow(TypeError);
    expect(store.head.position).toBe(0);
  });

  test('an outcome without success, a wrong duration, a revision that there is not', async () => {
    const { skills } = await openModels();
    await skills.add('login', login);
    for (const outcome of [
      {},
      { success: 1 },
      { success: true, durationMs: -1 },
      { success: true, revision: 2 },
      { success: true, revision: 0 },
    ])
      await expect(skills.recordOutcome('login', outcome as never)).rejects.toThrow(TypeError);
    await expect(skills.update('login', { description: '' })).rejects.toThrow(TypeError);
    await expect(skills.list({ limit: -1 })).rejects.toThrow(TypeError);
    await expect(skills.search('')).rejects.toThrow(TypeError);
  });
});
