/** What the main job imports: what it was given, the history of the repository it stands in, or the transcript that comes with it. */
import { fileURLToPath } from 'node:url';
import { digestOf, Notes, partOf } from '#src/importers/item.js';
import { importSettings } from '#src/importers/options.js';
import { openSource } from '#src/importers/sources.js';
import { ImportFailedError } from '#src/index.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const transcript = fileURLToPath(new URL('./transcript.txt', import.meta.url));

/**
 * @typedef {object} Chosen
 * @property {string} path
 * @property {import('#src/index.js').MemoryImportFormat | undefined} format
 * @property {string} said what is told of it
 *
 * @typedef {import('#src/importers/item.js').ImportItem} ImportItem
 */

/**
 * @param {string | undefined} given
 * @param {string} [repository] the one to import when nothing is given
 * @returns {Promise<Chosen>}
 */
export async function chosenSource(given, repository = root) {
  if (given !== undefined) return { path: given, format: undefined, said: given };
  try {
    const settings = importSettings({ format: 'git' });
    await (await openSource(repository, settings)).close();
    return { path: repository, format: 'git', said: `the git history of ${repository}` };
  } catch (error) {
    if (!(error instanceof ImportFailedError)) throw error;
    const why = error.message.replace(/\. Nothing was written.*$/s, '');
    const said = `the transcript that comes with it, because there is no whole git history: ${why}`;
    return { path: transcript, format: 'chat', said };
  }
}

/**
 * @param {Chosen} chosen
 * @returns {AsyncGenerator<{ item: ImportItem, digest: string }, void>} all items, as the importers see them
 */
export async function* itemsOf({ path, format }) {
  const source = await openSource(path, importSettings({ format }));
  try {
    for await (const item of source.items(new Notes(undefined))) {
      yield { item, digest: digestOf(item) };
    }
  } finally {
    await source.close();
  }
}

/**
 * Reads all of it once, so that whatever is wrong with it is told before anything begins.
 * @param {Chosen} chosen
 * @param {number} parts
 * @returns {Promise<number[]>} how many items each part has
 * @throws ImportFailedError
 */
export async function sharesOf(chosen, parts) {
  const shares = Array.from({ length: parts }, () => 0);
  for await (const { item } of itemsOf(chosen)) {
    const part = partOf(item.lane, parts);
    shares[part - 1] = (shares[part - 1] ?? 0) + 1;
  }
  if (shares.every((share) => share === 0)) {
    throw new ImportFailedError(chosen.path, 'there is nothing in it');
  }
  return shares;
}
