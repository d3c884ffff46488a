import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const newline = 10;

/** The segments of a log, oldest first: their names are positions of fixed width. */
export function segmentFiles(directory) {
  const folder = join(directory, 'log');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ndjson'))
    .sort()
    .map((name) => join(folder, name));
}

/** How many commit and seal lines a log holds and how many bytes they take. Kinds by their first key, as FORMAT.md defines them. */
export function countLines(directory) {
  const counted = { commits: 0, commitBytes: 0, seals: 0, sealBytes: 0, otherBytes: 0 };
  for (const file of segmentFiles(join(directory, 'store'))) {
    const bytes = readFileSync(file);
    for (let start = 0, end; start < bytes.length; start = end + 1) {
      end = bytes.indexOf(newline, start);
      if (end < 0) throw new Error(`${file} ends within a line`);
      const length = end + 1 - start;
      const kind = bytes.latin1Slice(start + 2, start + 4);
      if (kind === 'p"') {
        counted.commits += 1;
        counted.commitBytes += length;
      } else if (kind === 'se' && bytes.latin1Slice(start + 2, start + 7) === 'seal"') {
        counted.seals += 1;
        counted.sealBytes += length;
      } else {
        counted.otherBytes += length;
      }
    }
  }
  return counted;
}
