/** The worked example of docs/FORMAT.md: every byte follows from the page's own words, and is what the code writes. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { crc32, gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  decodeBlock,
  decodeDirectory,
  decodeEnding,
  ENDING_BYTES,
  encodeDirectory,
} from '#src/log/archive-file.js';
import { BloomFilter, hashName } from '#src/log/bloom-filter.js';
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
const logSnapshot = 'snapshots/log-00000000000000000003.ndjson';
const stateSnapshot = 'snapshots/projection-people-1-43e8a8c130f2fd6b-00000000000000000003.ndjson';
const snapshots = [...linesOf(logSnapshot), ...linesOf(stateSnapshot)];
const withChecksum = snapshots.filter((line) => line.includes(',"c":"'));
const everyLine = [
  ...linesOf('store.json'),
  ...segment,
  ...linesOf('anchor'),
  ...linesOf('next'),
  ...linesOf('archive'),
  ...withChecksum,
];

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The bytes of the example's archive. */
const archive = Buffer.from(
  codeBlocksOf(page).find(({ info }) => info.startsWith('base64 archive/'))?.code ?? '',
  'base64',
);
const archiveLines = linesOf('archive');

describe('the archive of the worked example', () => {
  const plain = Buffer.from([...segment, linesOf('next')[0]].map((line) => `${line}\n`).join(''));

  test('is the closed segment to whoever inflates it', () => {
    expect(gunzipSync(archive).equals(plain)).toBe(true);
  });

  test('ends in its directory and a trailer of 128 bytes, in the comment of an empty member', () => {
    const [directory = '', trailer = ''] = archiveLines;
    const { directory: place } = JSON.parse(trailer) as { directory: [number, number] };
    const [offset, bytes] = place;
    expect(archive.toString('latin1', offset, offset + bytes)).toBe(`${directory}\n`);
    const rest = archive.subarray(offset + bytes);
    expect(rest.toString('latin1', 0, 128)).toBe(`${trailer.padEnd(127)}\n`);
    expect(rest.toString('hex', 128)).toBe('0003000000000000000000');
    expect(archive.toString('hex', offset - 10, offset)).toBe('1f8b08100000000000ff');
  });

  test('has a directory that says what its members hold', () => {
    const facts = JSON.parse(archiveLines[0] ?? '') as {
      blocks: [number, number, number, string][];
    };
    const commits = segment.filter((line) => line.startsWith('{"p":'));
    const times = commits.map((line) => (JSON.parse(line) as { t: string }).t);
    expect(facts).toMatchObject({
      ...{ archive: 1, format: 1, last: commits.length, store: exampleId },
      ...{ before: sha256(exampleId), bytes: plain.length, sha256: sha256(plain.toString('utf8')) },
      ...{ firstTime: times[0], lastTime: times.at(-1) },
      seal: (JSON.parse(segment.at(-1) ?? '') as { seal: string }).seal,
    });
    let [at, start] = [0, 0];
    for (const [bytes, holds, position, checksum] of facts.blocks) {
      const member = archive.subarray(at, at + bytes);
      expect(crc32(member).toString(16).padStart(8, '0')).toBe(checksum);
      expect(member.toString('hex', 0, 10)).toBe('1f8b08000000000000ff');
      const lines = gunzipSync(member);
      expect(lines.equals(plain.subarray(start, start + holds))).toBe(true);
      expect(/\{"p":([0-9]+),/.exec(lines.toString('utf8'))?.[1]).toBe(String(position));
      at += bytes;
      start += holds;
    }
    expect(start).toBe(plain.length);
  });

  test('is read by the code, which would write the same directory', () => {
    const ending = archive.subarray(-ENDING_BYTES);
    const place = decodeEnding(ending, archive.length);
    const line = archive.subarray(place.offset, place.offset + place.bytes);
    const facts = decodeDirectory(line, place, 1);
    const last = facts.blocks.at(-1);
    expect(
      encodeDirectory(facts).equals(archive.subarray((last?.offset ?? 0) + (last?.bytes ?? 0))),
    ).toBe(true);
    const members = facts.blocks.map((block) =>
      decodeBlock(archive.subarray(block.offset, block.offset + block.bytes), block),
    );
    expect(Buffer.concat(members).equals(plain)).toBe(true);
  });
});

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
    for (const name of [logSnapshot, stateSnapshot]) {
      const lines = linesOf(name);
      const filled = [...lines.slice(0, -1), (lines.at(-1) ?? '').padEnd(511)];
      expect(files.get(name)?.toString('utf8')).toBe(withEnds(filled));
    }
  });

  test.each([
    [logSnapshot, { segments: 1, streams: 2, keys: 1 }],
    [stateSnapshot, { states: 1 }],
  ])('has blocks and filters in %s where its trailer says', (name, counts) => {
    const lines = linesOf(name);
    const body = Buffer.from(
      lines
        .slice(0, -1)
        .map((line) => `${line}\n`)
        .join(''),
    );
    const trailer = JSON.parse(lines.at(-1) ?? '') as {
      bytes: number;
      crc: string;
      sections: Record<string, [number, number, number, string, number, number, number, number]>;
    };
    const digits = (bytes: Buffer) => crc32(bytes).toString(16).padStart(8, '0');
    expect([trailer.bytes, trailer.crc]).toEqual([body.length, digits(body)]);
    const header = JSON.parse(lines[0] ?? '') as { position: number; seal: string };
    const { seal } = JSON.parse(segment.at(-1) ?? '') as { seal: string };
    expect(header).toMatchObject({ format: 1, store: exampleId, position: 3, seal });
    for (const [section, count] of Object.entries(counts)) {
      const facts = trailer.sections[section];
      if (!facts) throw new Error(`${section} is missing`);
      const [lineCount, offset, bytes, crc, levels, pagesAt, pages, pageBytes] = facts;
      const block = body.subarray(offset, offset + bytes);
      expect([lineCount, digits(block), levels]).toEqual([count, crc, 0]);
      const keys = block
        .toString()
        .split('\n')
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as { k: string }).k);
      expect(keys).toEqual([...keys].sort());
      expect([keys.length, pages]).toEqual([count, section === 'segments' ? 0 : 1]);
      if (pages === 0) continue;
      const page = JSON.parse(body.subarray(pagesAt).toString().split('\n')[0] ?? '') as {
        page: string;
        bits: string;
      };
      expect([page.page, Buffer.from(page.bits, 'base64').length]).toEqual(['00000000', pageBytes]);
      const filter = new BloomFilter(Buffer.from(page.bits, 'base64'));
      for (const key of keys) expect(filter.mayHave(hashName(key))).toBe(true);
    }
  });
});
