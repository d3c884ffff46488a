/** The worked example of docs/FORMAT.md: every byte follows from the page's own words, and is what the code writes. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { closingLine, headerLine } from '#src/log/encode.js';
import { codeBlocksOf } from '../support/code-blocks.js';
import { exampleId, writeExample } from '../support/worked-example.js';

const page = readFileSync(fileURLToPath(new URL('../../docs/FORMAT.md', import.meta.url)), 'utf8');

/** The lines of the example's block of that name. */
function linesOf(name: string): string[] {
  const block = codeBlocksOf(page).find(({ info }) => info === `ndjson ${name}`);
  if (!block) throw new Error(`the worked example has no block for ${name}`);
  return block.code.split('\n').slice(0, -1);
}

const segment = linesOf('log/00000000000000000001.ndjson');
const everyLine = [...linesOf('store.json'), ...segment, ...linesOf('anchor'), ...linesOf('next')];

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('the worked example', () => {
  test.each(everyLine)('has a right checksum in %s', (line) => {
    const [, body = '', checksum] = /^(.*),"c":"([0-9a-f]{8})"\}$/u.exec(line) ?? [];
    expect(checksum).toBe(crc32(body).toString(16).padStart(8, '0'));
    // Keys stand in one order, and once, with no white space between the tokens.
    expect(JSON.stringify(JSON.parse(line))).toBe(line);
  });

  test('has seals that chain from the id to its end', () => {
    let seal = sha256(exampleId);
    let lines: string[] = [];
    let groups = 0;
    for (const line of segment) {
      const value = JSON.parse(line) as Record<string, unknown>;
      if ('segment' in value) {
        expect(value).toMatchObject({ segment: 1, format: 1, store: exampleId, seal });
      } else if ('p' in value && !('seal' in value)) {
        lines.push(`${line}\n`);
      } else {
        const text = lines.join('');
        const { salt } = value as { salt: string };
        seal = sha256(seal + text + salt);
        expect(value).toMatchObject({ seal, n: lines.length, b: Buffer.byteLength(text) });
        for (const commit of lines) {
          const { g } = JSON.parse(commit) as { g: string };
          expect(g).toBe(value['g']);
          expect(g.endsWith(`-${salt.slice(0, 4)}`)).toBe(true);
        }
        lines = [];
        groups += 1;
      }
    }
    expect(groups).toBe(2);
    expect(lines).toEqual([]);
    const [closing = '', header = ''] = linesOf('next');
    expect(JSON.parse(closing)).toMatchObject({ close: 3, seal });
    expect(JSON.parse(header)).toMatchObject({ segment: 4, store: exampleId, seal });
    const [anchor = ''] = linesOf('anchor');
    const offset = Buffer.byteLength(segment.map((line) => `${line}\n`).join(''));
    expect(JSON.parse(anchor)).toMatchObject({ anchor: 2, p: 3, segment: 1, offset, seal });
  });

  test('is what the code writes for the same ids, salts and times', async () => {
    const files = await writeExample();
    const withEnds = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('');
    expect(files.get('store.json')?.toString('utf8')).toBe(withEnds(linesOf('store.json')));
    expect(files.get('log/00000000000000000001.ndjson')?.toString('utf8')).toBe(withEnds(segment));
    const slots = linesOf('anchor').map((line) => line.padEnd(511));
    expect(files.get('anchor')?.toString('utf8')).toBe(withEnds(slots));
    const { seal } = JSON.parse(segment.at(-1) ?? '') as { seal: string };
    const next = Buffer.concat([closingLine(3, seal), headerLine(4, exampleId, seal)]);
    expect(next.toString('utf8')).toBe(withEnds(linesOf('next')));
  });
});
