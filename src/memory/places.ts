/** Where a memory lives: a directory, nowhere but in memory, or a place that somebody provides. */
import { fileURLToPath } from 'node:url';
import { invalidArgument, quote, RecollectError } from '../errors.js';
import { openStore, openStoreSync, type Store, type StoreOptions } from '../store.js';

/**
 * Opens the store of a memory somewhere else. `rest` is what stands behind `name:` in the location. The options are those of `openMemory`, with event
 * types, projections and indexes of the models added: the store must be opened with them.
 */
export type Provider = (rest: string, options: StoreOptions) => Store | Promise<Store>;

type Place =
  | { readonly directory: string }
  | { readonly memory: true }
  | { readonly name: string; readonly provider: Provider; readonly rest: string };

const providers = new Map<string, Provider>();
const OWN_SCHEMES = ['file', 'memory'];
/** One letter is a drive of Windows. */
const SCHEME = /^([a-z][a-z0-9+.-]+):(.*)$/is;

/**
 * Makes `openMemory('name:rest')` ask the factory for an open store, which the memory closes at its end. For the whole process.
 *
 * @param name - two lower-case letters, digits, `+`, `.` or `-` at least, beginning with a letter
 * @returns a function that takes the name back
 * @throws TypeError when the name is taken
 */
export function registerProvider(name: string, factory: Provider): () => void {
  if (typeof name !== 'string' || !/^[a-z][a-z0-9+.-]+$/.test(name)) {
    throw invalidArgument(
      'the name of a provider is made of two or more of a-z, 0-9, +, . and -, a letter first',
    );
  }
  if (typeof factory !== 'function') throw invalidArgument('a provider is a function');
  if (OWN_SCHEMES.includes(name) || providers.has(name)) {
    throw invalidArgument(`there is a provider ${quote(name)} already`);
  }
  providers.set(name, factory);
  return () => {
    if (providers.get(name) === factory) providers.delete(name);
  };
}

/** @throws TypeError */
function placeOf(location: string | URL): Place {
  const text = location instanceof URL ? location.href : location;
  if (typeof text !== 'string' || text === '') {
    throw invalidArgument("the location must be a directory, 'file:/directory' or 'memory:'");
  }
  const [, scheme, rest = ''] = SCHEME.exec(text) ?? [];
  if (scheme === undefined) return { directory: text };
  const name = scheme.toLowerCase();
  if (name === 'file') return { directory: directoryOf(text) };
  if (name === 'memory') {
    if (rest === '') return { memory: true };
    throw invalidArgument(`'memory:' has nothing behind the colon, ${quote(text)} has`);
  }
  const provider = providers.get(name);
  if (provider) return { name, provider, rest };
  const known = [...OWN_SCHEMES, ...providers.keys()].map((each) => `${each}:`).join(', ');
  throw invalidArgument(
    `nothing is known of ${quote(`${scheme}:`)} in the location ${quote(text)}. Known are ${known}; registerProvider adds others, and a directory of that name is written as ${quote(`./${text}`)}.`,
  );
}

function directoryOf(url: string): string {
  if (!/^file:\//i.test(url)) {
    throw invalidArgument(
      `${quote(url)} names no directory from the root: write 'file:/directory', or the directory alone`,
    );
  }
  try {
    const { search, hash } = new URL(url);
    if (search === '' && hash === '') return fileURLToPath(url);
  } catch (cause) {
    throw Object.assign(invalidArgument(`${quote(url)} names no directory here`), { cause });
  }
  throw invalidArgument(`${quote(url)} has a ? or # in it: write them as %3F and %23`);
}

export async function openPlace(location: string | URL, options: StoreOptions): Promise<Store> {
  const place = placeOf(location);
  if ('directory' in place) return await openStore(place.directory, options);
  if ('memory' in place) return await openStore({ ...options, memory: true });
  return checkedStore(await place.provider(place.rest, options), place.name);
}

export function openPlaceSync(location: string | URL, options: StoreOptions): Store {
  const place = placeOf(location);
  if ('directory' in place) return openStoreSync(place.directory, options);
  if ('memory' in place) return openStoreSync({ ...options, memory: true });
  const store = place.provider(place.rest, options);
  if (!(store instanceof Promise)) return checkedStore(store, place.name);
  // Nobody else would close it.
  store.then(
    (opened) => opened.close(),
    () => {},
  );
  throw new RecollectError(
    'ASYNC_ONLY',
    `The provider ${quote(place.name)} opens asynchronously: use openMemory, and await it.`,
  );
}

function checkedStore(store: Store, name: string): Store {
  if (typeof store?.commit === 'function' && typeof store.get === 'function') return store;
  throw invalidArgument(`the provider ${quote(name)} gave no open store`);
}
