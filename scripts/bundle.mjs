/**
 * Puts the command line together into a few files, dist/program/: to find, read and link some 230 modules one by one takes Node longer than the work of
 * most commands. Made of dist/, as CommonJS, which starts faster than ES modules. Packages stay where npm put them, and the names in it stay as they are, for
 * the stack of an error.
 */
import { rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const target = join(dist, 'program');

/**
 * A module that looks for a file beside itself (a thread, package.json) finds it where it was before: dist/ holds the modules as well.
 * @type {import('rolldown').Plugin}
 */
const places = {
  name: 'places',
  transform(code, id) {
    if (!code.includes('import.meta.url')) return null;
    const before = relative(target, id).split(sep).join('/');
    const place = `new URL(${JSON.stringify(before)}, import.meta.url).href`;
    return { code: code.replaceAll('import.meta.url', place), map: null };
  },
};

/** @returns {Promise<void>} when it is written */
export async function bundle() {
  rmSync(target, { recursive: true, force: true });
  const build = await rolldown({
    input: { recollect: join(dist, 'cli/main.js') },
    platform: 'node',
    external: (id) => isBuiltin(id) || /^[@a-z]/.test(id),
    plugins: [places],
  });
  try {
    await build.write({
      dir: target,
      format: 'cjs',
      entryFileNames: '[name].cjs',
      chunkFileNames: '[name]-[hash].cjs',
      minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
    });
  } finally {
    await build.close();
  }
}
