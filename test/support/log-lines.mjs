/** The files of a log as a program sees them that knows nothing of it, such as `jq -c . log/*.ndjson`. */
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What stands in the file at one moment, by one read.
 * @param {string} path
 */
function contentOf(path) {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(fstatSync(file).size);
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(file);
  }
}

/**
 * Lines that are ended and yet no JSON object.
 * @param {string} directory of the store
 * @returns {string[]}
 */
export function brokenLinesIn(directory) {
  const folder = join(directory, 'log');
  /** @type {string[]} */
  const broken = [];
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.ndjson')) continue;
    const bytes = contentOf(join(folder, name));
    const whole = bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1).toString('utf8');
    const lines = whole.split('\n').slice(0, -1);
    for (const [index, line] of lines.entries()) {
      try {
        if (JSON.parse(line) === null || !line.startsWith('{')) throw new Error('not an object');
      } catch (error) {
        broken.push(
          `${name}, line ${index + 1} of ${lines.length}: ${error} in ${line.slice(0, 80)}`,
        );
      }
    }
  }
  return broken;
}
