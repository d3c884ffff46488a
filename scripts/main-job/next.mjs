/** What to try next with the memory that was made. */
import { readFileSync } from 'node:fs';

const manifest = new URL('../../package.json', import.meta.url);

/**
 * As a shell takes it, with nothing in it that a terminal would obey.
 * @param {string} text
 */
function quoted(text) {
  return `'${text.replace(/\p{C}/gu, '?').replaceAll("'", "'\\''")}'`;
}

/**
 * @param {string} directory
 * @param {string | undefined} key
 */
export function nextCommands(directory, key) {
  const { bin = {} } = JSON.parse(readFileSync(manifest, 'utf8'));
  const where = quoted(directory);
  const lines = [`the memory    lies in ${directory}; what comes next is yours:`];
  if (bin.recollect !== undefined) {
    lines.push(`  node ${bin.recollect} stats ${where}`);
    lines.push(`  node ${bin.recollect} recall ${where} 'what was decided'`);
    if (key !== undefined) lines.push(`  node ${bin.recollect} history ${where} ${quoted(key)}`);
    lines.push(`  node ${bin.recollect} verify ${where}`);
  }
  lines.push(`  cat ${where}/log/*.ndjson | tail -n 3`);
  lines.push(`  rm -r ${where} ${quoted(`${directory}-half-way`)}`);
  return lines;
}
