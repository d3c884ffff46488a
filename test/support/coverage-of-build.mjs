/**
 * Coverage of src/ from tests that run the build. Vitest's V8 provider takes every file for one that Vite has transformed
 * and would read the counters of dist/, which Node loads as it is, against other text. This one gives it the file that
 * really ran, and the compiler's source map.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import v8 from '@vitest/coverage-v8';
import { V8CoverageProvider } from '@vitest/coverage-v8/dist/provider.js';

/** @param {string} url */
async function getSources(url) {
  const file = fileURLToPath(url);
  const map = JSON.parse(await readFile(`${file}.map`, 'utf8'));
  map.sources = map.sources.map((/** @type {string} */ source) => new URL(source, url).href);
  return { code: await readFile(file, 'utf8'), map };
}

/** @type {import('vitest/node').CoverageProviderModule} */
const provider = {
  ...v8,
  async getProvider() {
    return Object.assign(new V8CoverageProvider(), { getSources });
  },
};

export default provider;
