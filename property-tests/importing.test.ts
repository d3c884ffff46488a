/** Imports of sources that nobody would write, and of sources that are cut anywhere. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChatText } from '#src/importers/chat-text.js';
import { MarkdownBlocks } from '#src/importers/markdown-blocks.js';
import { linksIn } from '#src/importers/markdown-links.js';
import { ImportFailedError, importMemory } from '#src/index.js';
import { contentOf, fileWith, inMemory } from '../test/support/imported.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';

const sources: readonly (readonly [string, string])[] = [
  [
    'graph.json',
    '{"type":"entity","name":"Ännä","entityType":"p","observations":["a\\n"]}\n{"type":"relation","from":"Ännä","to":"b","relationType":"c"}\n',
  ],
  ['chat.ndjson', '{"role":"user","content":"é"}\r\n{"role":"a","name":"B","content":"two"}\r\n'],
  ['page.md', '---\ndate: 2026-01-01\n---\n# Ä\n\ntext <https://a.example>\n```\ncode\n'],
];

/** What an import leaves, or why it was refused: then nothing. */
async function outcomeOf(content: Buffer, name: string): Promise<string[] | string> {
  return await inMemory(async (memory) => {
    try {
      await importMemory(fileWith(content, name), memory, { into: 'episodes' });
    } catch (error) {
      if (!(error instanceof ImportFailedError)) throw error;
      expect(error.line, error.message).toBeGreaterThan(0);
      expect(error.column, error.message).toBeGreaterThan(0);
      expect(memory.engine.head.position).toBe(0);
      return error.message;
    }
    const { entities = [], relations = [], records = [], episodes = [] } = await contentOf(memory);
    return [...entities, ...relations, ...records, ...episodes.map(withoutTime)];
  });
}

/** Without what comes from the file's time, or from the clock. */
function withoutTime(episode: string): string {
  return episode.replace(/^\{"at":"[^"]*",/, '{');
}

describe.each(sources)('%s, cut at each byte', (name, text) => {
  const bytes = Buffer.from(text);

  test('is refused, or imported as far as it goes', { timeout: timeoutMs }, async () => {
    const whole = await outcomeOf(bytes, name);
    const step = Math.max(1, Math.round(6 / times(1)));
    let refused = 0;
    for (let length = 0; length < bytes.length; length += step) {
      const outcome = await outcomeOf(bytes.subarray(0, length), name);
      if (typeof outcome === 'string') refused += 1;
      // A last text may be cut, and has a beginning of what it was; no more than one is.
      else expect(outcome.filter((each) => !whole.includes(each)).length).toBeLessThanOrEqual(1);
    }
    expect(refused).toBeGreaterThan(0);
  });
});

test('any bytes are refused or imported, and nothing is half written', {
  timeout: timeoutMs,
}, async () => {
  const pieces = fc.constantFrom(
    ...['{"role":"a","content":"b"}', '{"type":"entity"', '# A', '---', '```', 'Anna: ', '[', ']'],
    ...['\n', '\r\n', '\u0000', '\ufeff', '__proto__', '<https://a.b>', '"', '\\ud800', '  ', '€'],
  );
  const content = fc
    .array(fc.oneof(pieces, fc.string({ unit: 'binary', maxLength: 5 })), { maxLength: 12 })
    .map((parts) => Buffer.from(parts.join('')));
  const bytes = fc.oneof({ weight: 4, arbitrary: content }, fc.uint8Array({ maxLength: 30 }));
  await fc.assert(
    fc.asyncProperty(bytes, fc.constantFrom('x.txt', 'x.md'), async (given, name) => {
      await outcomeOf(Buffer.from(given), name);
    }),
    { numRuns: times(60), seed },
  );
});

const anyLines = fc.array(
  fc.oneof(
    fc.constantFrom(
      '',
      '---',
      '===',
      '```',
      '~~~~',
      '# A #',
      '    # B',
      '- c',
      '> d',
      'e: f',
      '***',
    ),
    fc.string({ maxLength: 20 }).map((text) => text.replace(/\s/g, ' ')),
  ),
  { maxLength: 30 },
);

test('no line of Markdown is lost, whatever stands before it', () => {
  fc.assert(
    fc.property(anyLines, (lines) => {
      const blocks = new MarkdownBlocks();
      const found = [];
      for (const [index, text] of lines.entries()) {
        found.push(...blocks.take({ text, line: index + 1, bytes: index }));
      }
      found.push(...blocks.end());
      const kept = found.map(({ text }) => text).join('\n');
      for (const line of lines) {
        // What only marks blocks says nothing itself.
        const words = line
          .replace(/^[ \t]*(?:#{1,6}(?=[ \t]|$)|[-=*_`~ \t]+)|[# \t]+$/g, '')
          .trim();
        if (/^[ \t]*[`~]{3}/.test(line)) continue;
        expect(kept).toContain(words);
      }
      for (const [index, { line }] of found.entries()) {
        expect(line).toBeGreaterThanOrEqual(found[index - 1]?.line ?? 1);
      }
    }),
    { numRuns: times(300), seed },
  );
});

test('links are found at a cost that grows with the text alone', () => {
  const runs = Array.from({ length: 20_000 }, (_, index) => '`'.repeat(1 + (index % 50))).join(' ');
  for (const text of [runs, 'http://'.repeat(20_000), `https://a.example/${'.'.repeat(200_000)}`]) {
    expect(linksIn(text).length).toBeLessThanOrEqual(100);
  }
});

test('a transcript is read at a cost that grows with the text alone', () => {
  for (const line of [
    'a '.repeat(200_000),
    `--- ${' -'.repeat(200_000)}`,
    `#${' '.repeat(200_000)}x`,
  ]) {
    expect(ChatText.begins(line)).toBe(false);
  }
});
