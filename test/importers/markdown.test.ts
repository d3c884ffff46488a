import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { importMemory } from '#src/index.js';
import { contentOf, episodesIn, fileWith, inMemory } from '../support/imported.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

/** Keys of the records, and kind and text of the episodes, that a page becomes. */
async function readAs(page: string) {
  return await inMemory(async (memory) => {
    await importMemory(fileWith(page, 'page.md'), memory);
    const { items } = await memory.records.list();
    const episodes = await episodesIn(memory);
    const { sites } = await contentOf(memory);
    return {
      records: items.map(({ key }) => key.slice('page.md#'.length)),
      episodes: episodes.map(({ kind, text }) => [kind, text]),
      sites,
    };
  });
}

describe('headings', () => {
  test('of both kinds are records, in their order below one another', async () => {
    await inMemory(async (memory) => {
      const page = '# One\n\n## Two ##\n\nThree\n-----\n\nFour\nand more\n====\n\n####### none\n';
      await importMemory(fileWith(page, 'page.md'), memory);
      const { items } = await memory.records.list();
      expect(items.map(({ value }) => value)).toEqual([
        { title: 'Four\nand more', level: 1, file: 'page.md', line: 8, under: [] },
        { title: 'One', level: 1, file: 'page.md', line: 1, under: [] },
        { title: 'Three', level: 2, file: 'page.md', line: 5, under: ['One'] },
        { title: 'Two', level: 2, file: 'page.md', line: 3, under: ['One'] },
      ]);
    });
  });

  test('are none in code, in front matter, under a list, a quotation or a rule', async () => {
    const page = `---
title: "# none"
date: 2026-02-03
---
\`\`\`\`md
# none
\`\`\`
# none
\`\`\`\`
~~~
# none
~~~

- a list
---
> a quotation
===
***
# One
\`\`\`
# not closed`;
    const { records, episodes } = await readAs(page);
    expect(records).toEqual(['one']);
    expect(episodes).toEqual([
      ['code', '# none\n```\n# none'],
      ['code', '# none'],
      ['paragraph', '- a list'],
      ['paragraph', '> a quotation\n==='],
      ['code', '# not closed'],
    ]);
  });

  test('stand below a rule at the beginning that closes no front matter', async () => {
    const { records, episodes } = await readAs('---\n# One\n\ntext\n- list\n===\n');
    expect(records).toEqual(['one']);
    expect(episodes).toEqual([['paragraph', 'text\n- list\n===']]);
    const long = `---\n# One\n\n${`${'word '.repeat(60_000)}\n\n`.repeat(2)}`;
    expect((await readAs(`${long}# Two\n`)).records).toEqual(['one', 'two']);
  });

  test('that are long are cut between two characters', async () => {
    const { records } = await readAs(`# ${'x'.repeat(999)}\u{1f600}\n`);
    expect(records).toHaveLength(1);
  });

  test('that stand twice have keys of their own, whatever they are called', async () => {
    const { records } = await readAs('# A\n# A\n# A-1\n# A\n# \n# Ünïcode & Co!\n# `__proto__`\n');
    expect(records.sort()).toEqual(
      ['__proto__', 'a', 'a-1', 'a-1-1', 'a-2', 'heading', 'ünïcode--co'].sort(),
    );
  });
});

test('links to the web are sites, whatever form they have', async () => {
  const page = `# See <https://one.example/a>

[two](https://www.two.example/b "title"), https://three.example. and [four][ref] and \`https://code.example\`

[ref]: <http://four.example/c>

[none](mailto:a@b.c) [none](./page.md) [none](ftp://five.example) [none](https://) [none](javascript:alert(1)) http://user:pw@six.example:8080/x
`;
  const { sites } = await readAs(page);
  expect(sites).toEqual([
    'sites/four.example',
    'sites/one.example',
    'sites/six.example:8080',
    'sites/three.example',
    'sites/two.example',
  ]);
});

test('a folder is read in order, and what is not entered is named', async () => {
  const folder = temporaryDirectory();
  for (const name of ['b', '.hidden', 'node_modules']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'b/two.md'), '---\ndate: 2026-02-03\n---\nsecond');
  writeFileSync(join(folder, 'a.markdown'), 'first\r\nline\r\n\r\n# Title\r\n');
  writeFileSync(join(folder, 'notes.txt'), 'not Markdown');
  writeFileSync(join(folder, '.hidden/c.md'), 'hidden');
  writeFileSync(join(folder, 'node_modules/d.md'), 'hidden');
  symlinkSync(folder, join(folder, 'b/loop'));
  symlinkSync('/etc/passwd', join(folder, 'password.md'));
  const changedAt = new Date('2026-01-02T03:04:05Z');
  utimesSync(join(folder, 'a.markdown'), changedAt, changedAt);

  await inMemory(async (memory) => {
    const report = await importMemory(folder, memory);
    expect(report).toMatchObject({ format: 'markdown', items: 3 });
    expect(report.skipped.map(({ where }) => where)).toEqual([
      '.hidden/',
      'b/loop',
      'node_modules/',
      'password.md',
    ]);
    const found = await episodesIn(memory);
    expect(found.map(({ text, session, at }) => [text, session, at])).toEqual([
      ['first\nline', 'a.markdown', '2026-01-02T03:04:05.000Z'],
      ['second', 'b/two.md', '2026-02-03T00:00:00.000Z'],
    ]);

    // Another time of the file is no other content.
    utimesSync(join(folder, 'a.markdown'), new Date(), new Date());
    expect((await importMemory(folder, memory)).imported).toBe(0);
  });
});
