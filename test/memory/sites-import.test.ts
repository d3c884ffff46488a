/** Taking over the file of a file-based site memory. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ImportFailedError } from '#src/errors.js';
import { offsetOfBreak } from '#src/memory/json-place.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { openModels, places } from './support-sites.js';

function fileWith(content: unknown): string {
  const file = join(temporaryDirectory(), 'sites.json');
  const isText = typeof content === 'string' || content instanceof Uint8Array;
  writeFileSync(file, isText ? content : JSON.stringify(content));
  return file;
}

const memory = {
  version: 2,
  sites: {
    'www.example.com': {
      domain: 'example.com',
      visits: 12,
      successCount: 9,
      failure_count: 3,
      averageDurationMs: 50,
      first_visit: '2025-01-01T00:00:00Z',
      lastVisit: 1_750_000_000,
      mood: 'sunny',
      selectors: {
        login: {
          selector: '#login',
          fallbacks: ['.login', 'button'],
          successCount: 7,
          failureCount: 1,
          color: 'red',
        },
        search: '#q',
        menu: ['#menu', '.menu'],
      },
      quirks: [
        'slow on Mondays',
        { description: 'banner', workaround: 'press Escape', discoveredAt: 'May' },
      ],
      actionPatterns: {
        buy: { steps: ['cart', 'pay'], success_count: 4, last_used: '2025-05-05T00:00:00Z' },
        leave: ['log out'],
      },
    },
    'https://shop.example.com/': {
      visits: [{ timestamp: 1, success: true, durationMs: 10 }, { success: false }, '2025-01-01'],
      selectors: [{ purpose: 'pay', primary: '#pay' }],
      quirks: { 'two factors': 'ask for the code' },
      patterns: [{ taskType: 'pay', actions: [{ click: '#pay' }] }],
    },
    intranet: {},
  },
};

describe.each(places)('a site memory that is imported %s', (_, open) => {
  test('is known as if it had been learnt here, and what was not understood is told', async () => {
    const { sites, store } = await open();
    const done = await sites.importSiteMemory(fileWith(memory));
    expect(done).toEqual({
      hosts: ['example.com', 'intranet', 'shop.example.com'],
      changed: ['example.com', 'intranet', 'shop.example.com'],
      ignored: [
        '$.version',
        '$.sites["www.example.com"].mood',
        '$.sites["www.example.com"].selectors.login.color',
      ],
    });
    expect(store.head.position).toBe(1);
    expect(await sites.getProfile('example.com')).toMatchObject({
      firstSeenAt: '2025-01-01T00:00:00.000Z',
      lastSeenAt: '2025-06-15T15:06:40.000Z',
      visits: { count: 12, successes: 9, failures: 3, totalDurationMs: 600, meanDurationMs: 50 },
      quirks: [
        { description: 'slow on Mondays' },
        { description: 'banner', workaround: 'press Escape' },
      ],
    });
    expect(await sites.getSelector('example.com', 'login')).toMatchObject({
      selector: '#login',
      fallbacks: ['.login', 'button'],
      successes: 7,
      failures: 1,
    });
    expect(await sites.getSelector('example.com', 'search')).toMatchObject({ selector: '#q' });
    expect(await sites.getSelector('example.com', 'menu')).toMatchObject({ fallbacks: ['.menu'] });
    expect(await sites.getActionPattern('example.com', 'buy')).toMatchObject({
      steps: ['cart', 'pay'],
      successes: 4,
    });
    expect(await sites.getActionPattern('example.com', 'leave')).toMatchObject({
      steps: ['log out'],
    });
    expect(await sites.getProfile('shop.example.com')).toMatchObject({
      visits: { count: 3, successes: 1, failures: 1, meanDurationMs: 10 },
      selectors: [{ purpose: 'pay', selector: '#pay' }],
      quirks: [{ description: 'two factors', workaround: 'ask for the code' }],
      patterns: [{ taskType: 'pay', steps: [{ click: '#pay' }] }],
    });
    expect(await sites.getProfile('http://intranet/')).toMatchObject({ visits: { count: 0 } });
  });

  test('changes nothing when it is imported again', async () => {
    const { sites, store } = await open();
    const file = fileWith(memory);
    await sites.importSiteMemory(file);
    const before = await sites.getProfile('example.com');
    expect(sites.importSiteMemorySync(file)).toMatchObject({ changed: [] });
    expect(await sites.getProfile('example.com')).toEqual(before);
    expect(store.head.position).toBe(1);
  });

  test('adds what it grew by when it has grown, and takes nothing away', async () => {
    const { sites } = await open();
    const of = (visits: number, successCount: number) =>
      fileWith({
        sites: { 'a.example': { visits, selectors: { login: { selector: '#a', successCount } } } },
      });
    await sites.importSiteMemory(of(10, 3));
    await sites.recordVisit('a.example');
    await sites.cacheSelector('a.example', 'login', '#a');
    await sites.importSiteMemory(of(12, 5));
    await sites.importSiteMemory(of(4, 1));
    expect(await sites.getProfile('a.example')).toMatchObject({
      visits: { count: 13 },
      selectors: [{ purpose: 'login', successes: 6 }],
    });
  });
});

test('two sections of one site add up', async () => {
  const { sites } = await openModels();
  await sites.importSiteMemory(
    fileWith({
      sites: {
        'www.a.example': { visits: 1, selectors: { login: { selector: '#a', successes: 1 } } },
        'a.example': { visits: 2, selectors: { login: { selector: '#a', successes: 2 } } },
      },
    }),
  );
  expect(await sites.getProfile('a.example')).toMatchObject({
    visits: { count: 3 },
    selectors: [{ purpose: 'login', selector: '#a', successes: 3, fallbacks: [] }],
  });
});

describe('a file that cannot be imported is refused as a whole', () => {
  const good = { 'good.example': { visits: 1 } };
  test.each<[string, unknown, string]>([
    ['no sites', {}, '$.sites'],
    ['a list of sites', { sites: [] }, '$.sites'],
    ['a list', [], '$'],
    ['a site that is no object', { sites: { ...good, 'a.example': 7 } }, '$.sites["a.example"]'],
    ['a name that is no host', { sites: { ...good, 'ftp://a': {} } }, '$.sites["ftp://a"]'],
    [
      'visits below 0',
      { sites: { ...good, 'a.example': { visits: -1 } } },
      '$.sites["a.example"].visits',
    ],
    [
      'a time that is none',
      { sites: { 'a.example': { lastVisit: 'soon' } } },
      '$.sites["a.example"].lastVisit',
    ],
    [
      'a selector that is a number',
      { sites: { 'a.example': { selectors: { login: 7 } } } },
      '$.sites["a.example"].selectors.login',
    ],
    [
      'an empty fallback',
      {
        sites: { 'a.example': { selectors: { login: { selector: '#a', fallbacks: ['b', ''] } } } },
      },
      '$.sites["a.example"].selectors.login.fallbacks[1]',
    ],
    [
      'a selector without one',
      { sites: { 'a.example': { selectors: { login: { successes: 1 } } } } },
      '$.sites["a.example"].selectors.login',
    ],
    [
      'a pattern without steps',
      { sites: { 'a.example': { patterns: { buy: { successes: 1 } } } } },
      '$.sites["a.example"].patterns.buy',
    ],
    [
      'a quirk without description',
      { sites: { 'a.example': { quirks: [{ workaround: 'x' }] } } },
      '$.sites["a.example"].quirks[0]',
    ],
    [
      'half a character in a selector',
      { sites: { ...good, 'a.example': { selectors: { login: 'a\ud800' } } } },
      '$.sites["a.example"].selectors.login',
    ],
    [
      'half a character in a purpose',
      { sites: { 'a.example': { selectors: { '\ud800': 'a' } } } },
      '$.sites["a.example"].selectors["\\ud800"]',
    ],
    [
      'half a character in a quirk',
      { sites: { 'a.example': { quirks: { '\ud800': 'a' } } } },
      '$.sites["a.example"].quirks["\\ud800"]',
    ],
    [
      'half a character deep in a step',
      { sites: { 'a.example': { patterns: { buy: [{ click: ['a', '\ud800'] }] } } } },
      '$.sites["a.example"].patterns.buy[0].click[1]',
    ],
    [
      'a duration without measure',
      { sites: { 'a.example': { visits: 3, meanDurationMs: 1e308 } } },
      '$.sites["a.example"].meanDurationMs',
    ],
  ])('%s', async (_, content, path) => {
    const { sites, store } = await openModels();
    const file = fileWith(content);
    const failure = await sites.importSiteMemory(file).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ImportFailedError);
    expect(failure).toMatchObject({ code: 'IMPORT_FAILED', file, path });
    expect((failure as Error).message).toContain(path);
    expect(() => sites.importSiteMemorySync(file)).toThrow(ImportFailedError);
    expect(store.head.position).toBe(0);
  });

  test.each<[string, number, number]>([
    ['', 1, 1],
    ['{', 1, 2],
    ['{\n  "sites": {\n    "a.example": {,}\n  }\n}', 3, 19],
    ['{ "sites": {} } x', 1, 17],
    ['{ "sites": { "a": 1, } }', 1, 22],
    ['[1, 2', 1, 6],
    ["{ 'sites': {} }", 1, 3],
    ['{ "sites": {"a": "b\n"} }', 1, 18],
  ])('%j is no JSON from line %i, column %i on', async (text, line, column) => {
    const { sites } = await openModels();
    await expect(sites.importSiteMemory(fileWith(text))).rejects.toMatchObject({
      code: 'IMPORT_FAILED',
      line,
      column,
    });
  });

  test('steps that are nested without end', async () => {
    const { sites, store } = await openModels();
    const steps = `${'['.repeat(5000)}${']'.repeat(5000)}`;
    const file = fileWith(`{"sites":{"a.example":{"patterns":{"buy":{"steps":${steps}}}}}}`);
    const failure = await sites.importSiteMemory(file).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ImportFailedError);
    expect((failure as ImportFailedError).path).toContain(
      '$.sites["a.example"].patterns.buy.steps',
    );
    expect(store.head.position).toBe(0);
  });

  test.each<[string, Buffer, number, number]>([
    ['Latin-1', Buffer.from('{"sites":\n {"a.example": {"title": "caf\u00e9"}}}', 'latin1'), 2, 30],
    ['UTF-16', Buffer.from('\ufeff{"sites":{}}', 'utf16le'), 1, 1],
    ['cut in a character', Buffer.from('{"\u00e9').subarray(0, 3), 1, 3],
  ])('bytes that are no UTF-8: %s', async (_, bytes, line, column) => {
    const { sites } = await openModels();
    await expect(sites.importSiteMemory(fileWith(bytes))).rejects.toMatchObject({
      code: 'IMPORT_FAILED',
      line,
      column,
      message: expect.stringContaining('UTF-8') as string,
    });
  });

  test('more than fits one commit, and nothing of it is written', async () => {
    const { sites, store } = await openModels();
    const steps = ['x'.repeat(1_000_000)];
    const names = Array.from({ length: 9 }, (_each, index) => [
      `${index}.example`,
      { patterns: { buy: { steps } } },
    ]);
    const file = fileWith({ sites: Object.fromEntries(names) });
    await expect(sites.importSiteMemory(file)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(() => sites.importSiteMemorySync(file)).toThrow('commitBytes');
    expect(store.head.position).toBe(0);
  });

  test('a file that there is not', async () => {
    const { sites } = await openModels();
    const file = join(temporaryDirectory(), 'none.json');
    await expect(sites.importSiteMemory(file)).rejects.toMatchObject({
      code: 'IMPORT_FAILED',
      cause: { code: 'ENOENT' },
    });
    expect(() => sites.importSiteMemorySync(file)).toThrow(ImportFailedError);
  });
});

test('a text that is JSON breaks nowhere', () => {
  for (const text of ['0', ' [ ] ', '{"a":[{},[],"\\u00e9\\n",-1.5e3,true,null]}']) {
    expect(offsetOfBreak(text)).toBe(text.length);
  }
});
